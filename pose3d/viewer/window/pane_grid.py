"""The cameras' panes: as large as they fit beside each other, or one large and the others in a strip."""

from collections.abc import Mapping

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from pose3d.viewer.window.video_pane import VideoPane

__all__ = ["PaneGrid", "arrange"]

_GAP = 6
_STRIP = 0.22  # of the height, for the small panes beside a large one


class PaneGrid(QWidget):
    """Holds the panes."""

    def __init__(self, panes: Mapping[str, VideoPane]) -> None:
        super().__init__()
        self.panes = dict(panes)
        self.large: str | None = None
        for pane in self.panes.values():
            pane.setParent(self)
            pane.enlarged.connect(self.enlarge)
            pane.opened.connect(self._place)
        self.setMinimumWidth(160)

    def enlarge(self, camera: str) -> None:
        """Make one pane large, or all the same again."""
        if camera in self.panes:
            self.large = None if self.large == camera else camera
            self._place()

    def sizeHint(self) -> QSize:
        """Say how large the panes like to be."""
        return QSize(620, 560)

    def width_for(self, height: int, most: int) -> int:
        """Return the width at which the panes fill a height, at most `most` px."""
        aspects = [pane.video_size[0] / pane.video_size[1] for pane in self.panes.values()]

        def filled(width: int) -> float:
            places = arrange(aspects, (width, height))
            return sum(place.width() * place.height() for place in places) / (width * height)

        # What is seen counts, what stays empty counts half against it.
        return max(range(max(most // 3, 1), most + 1, 8), key=lambda width: width * (1.5 * filled(width) - 0.5))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the panes anew."""
        super().resizeEvent(event)
        self._place()

    def _place(self, _camera: str = "") -> None:
        panes = list(self.panes.values())
        if not panes:
            return
        aspects = [pane.video_size[0] / pane.video_size[1] for pane in panes]
        large = None if self.large is None else list(self.panes).index(self.large)
        for pane, place in zip(panes, arrange(aspects, (self.width(), self.height()), large), strict=True):
            if pane.geometry() != place:
                pane.setGeometry(place)


def arrange(aspects: list[float], size: tuple[int, int], large: int | None = None) -> list[QRect]:
    """Place panes where most of each picture is seen.

    Parameters
    ----------
    aspects : list of float
        Width by height of each picture.
    size : (int, int)
    large : int, optional
        Which one fills the room; the others stand in a strip below.
    """
    width, height = size
    if large is not None and len(aspects) > 1:
        strip = round(_STRIP * height)
        others = arrange([a for i, a in enumerate(aspects) if i != large], (width, strip))
        placed = [rect.translated(0, height - strip) for rect in others]
        placed.insert(large, QRect(0, 0, width, height - strip - _GAP))
        return placed
    n = len(aspects)

    def cell(columns: int) -> tuple[float, float]:
        rows = -(-n // columns)
        return (width - _GAP * (columns - 1)) / columns, (height - _GAP * (rows - 1)) / rows

    def seen(columns: int) -> float:
        w, h = cell(columns)
        return sum(min(w, h * aspect) * min(h, w / aspect) for aspect in aspects)

    columns = max(range(1, n + 1), key=seen)
    w, h = cell(columns)
    # No black bars beside pictures: a cell is no higher than its pictures, and the rows stand together from the top.
    h = min(h, w / min(aspects))
    w = min(w, h * max(aspects))
    left = (width - columns * w - _GAP * (columns - 1)) / 2
    return [
        QRect(round(left + i % columns * (w + _GAP)), round(i // columns * (h + _GAP)), round(w), round(h))
        for i in range(n)
    ]
