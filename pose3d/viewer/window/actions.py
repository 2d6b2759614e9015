"""One table of all that the window can do: every action has a name, a key and a line of explanation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QColor, QHideEvent, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from pose3d.viewer.window.theme import ACCENT, font

__all__ = ["Action", "HelpSheet", "add_actions"]


@dataclass(frozen=True)
class Action:
    """Something that the window can do.

    Attributes
    ----------
    name : str
        Short, as on a button.
    keys : tuple of str
        As Qt spells them; the first is shown.
    tip : str
        What it does, in a sentence.
    do : callable
        Called without arguments, or with the new state where it can be on and off.
    group : str
        Heading in the help.
    on : bool or None
        Whether it is on at first; None for what happens once.
    repeats : bool
        Whether holding the key does it again and again.
    """

    name: str
    keys: tuple[str, ...]
    tip: str
    do: Callable[..., object]
    group: str
    on: bool | None = None
    repeats: bool = False

    @property
    def shown_key(self) -> str:
        """The first key as people read it."""
        return QKeySequence(self.keys[0]).toString(QKeySequence.SequenceFormat.NativeText) if self.keys else ""


def add_actions(window: QWidget, table: Iterable[Action]) -> dict[str, QAction]:
    """Bind the table to a window, and return its actions by name."""
    made = {}
    for action in table:
        bound = QAction(action.name, window)
        bound.setShortcuts([QKeySequence(key) for key in action.keys])
        bound.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        bound.setAutoRepeat(action.repeats)
        bound.setToolTip(f"{action.tip} ({action.shown_key})" if action.keys else action.tip)
        if action.on is None:
            bound.triggered.connect(lambda _checked=False, do=action.do: do())
        else:
            bound.setCheckable(True)
            bound.setChecked(action.on)
            bound.toggled.connect(action.do)
        window.addAction(bound)
        made[action.name] = bound
    return made


class HelpSheet(QWidget):
    """All actions with their keys, over the window; any key or click closes it.

    Signals
    -------
    closed()
    """

    closed = Signal()

    def __init__(self, parent: QWidget, table: Iterable[Action]) -> None:
        super().__init__(parent)
        self.setObjectName("help")
        self._box = QWidget(self)
        self._box.setObjectName("panel")
        outer = QVBoxLayout(self._box)
        outer.setContentsMargins(26, 20, 26, 20)
        title = QLabel("Keys")
        title.setObjectName("title")
        outer.addWidget(title)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        outer.addLayout(grid)
        groups: dict[str, list[Action]] = {}
        for action in table:
            groups.setdefault(action.group, []).append(action)
        lines = sum(len(each) + 2 for each in groups.values())
        row = column = 0
        for name, each in groups.items():
            if row and (row + len(each) / 2 > lines / 2) and column == 0:
                row, column = 0, 4
            heading = QLabel(name)
            heading.setFont(font(13, bold=True))
            heading.setStyleSheet(f"color: {ACCENT}; padding-top: {8 if row else 0}px;")
            grid.addWidget(heading, row, column, 1, 3)
            row += 1
            for action in each:
                key = QLabel("  ".join(QKeySequence(key).toString() for key in action.keys[:2]))
                key.setFont(font(12, bold=True))
                grid.addWidget(key, row, column)
                grid.addWidget(QLabel(action.name), row, column + 1)
                tip = QLabel(action.tip)
                tip.setObjectName("dim")
                grid.addWidget(tip, row, column + 2)
                row += 1
            row += 1
        grid.setColumnMinimumWidth(3, 20)
        hint = QLabel(
            "Mouse in 3D: drag turns, Shift or right button moves, wheel zooms, double click frames the subject.  "
            "Strip: drag scrubs, Shift-drag selects, drag an event to move it."
        )
        hint.setObjectName("dim")
        outer.addSpacing(10)
        outer.addWidget(hint)
        self.hide()

    def open(self) -> None:
        """Show the sheet."""
        parent = self.parentWidget()
        assert parent is not None
        self.setGeometry(parent.rect())
        self._box.adjustSize()
        self._box.move((self.width() - self._box.width()) // 2, max((self.height() - self._box.height()) // 2, 0))
        self.show()
        self.raise_()
        self.setFocus()

    def event(self, event: QEvent) -> bool:
        """Take keys before they are shortcuts: they close the sheet and do nothing else."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Dim what is behind."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(5, 7, 10, 190))
        painter.end()

    def hideEvent(self, event: QHideEvent) -> None:
        """Tell that it is closed."""
        super().hideEvent(event)
        self.closed.emit()

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        """Close."""
        self.hide()

    def keyPressEvent(self, _event: QKeyEvent) -> None:
        """Close."""
        self.hide()
