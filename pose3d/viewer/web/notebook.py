"""The player in a notebook's cell."""

import atexit
import html
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pose3d.viewer.playback import Playback
from pose3d.viewer.web.packing import SecondRecording
from pose3d.viewer.web.server import BackgroundPage
from pose3d.viewer.web.standalone import make_document, write_document

__all__ = ["PlayerCell", "sits_elsewhere"]

# Where any of these is set, the browser sits at another machine than the kernel, or on another port's page.
_ELSEWHERE = ("JUPYTERHUB_API_URL", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "CODESPACES", "SSH_CONNECTION")
_FRAME = "width:100%;border:0;border-radius:8px;background:#0f1217"


def sits_elsewhere() -> bool:
    """Tell whether the browser seems to sit at another machine than this process, so that 127.0.0.1 is not ours."""
    return any(os.environ.get(name) for name in _ELSEWHERE) or "google.colab" in sys.modules


class PlayerCell:
    """What a cell shows.

    Parameters
    ----------
    playback : Playback
    second, queue : optional
        As of :class:`pose3d.viewer.web.server.PlayerApp`.
    served : bool
    height : int, px

    Attributes
    ----------
    url : str or None
        Of the page, where it is served.
    """

    def __init__(
        self,
        playback: Playback,
        *,
        second: SecondRecording | None = None,
        queue: Callable[[int], str] | None = None,
        served: bool = True,
        height: int = 760,
    ) -> None:
        self.playback, self.second = playback, second
        self.height = int(height)
        self._page = BackgroundPage(playback, second=second, queue=queue) if served else None
        self.url = None if self._page is None else self._page.url
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"PlayerCell({self.playback!r}{f', {self.url}' if self.url else ''})"

    def _repr_html_(self) -> str:
        style = f"height:{self.height}px;{_FRAME}"
        title = html.escape(f"{self.playback.name}: player", quote=True)
        if self.url is not None:
            return f'<iframe src="{self.url}" title="{title}" style="{style}" allowfullscreen></iframe>'
        document = html.escape(make_document(self.playback, second=self.second), quote=True)
        return f'<iframe sandbox="allow-scripts" srcdoc="{document}" title="{title}" style="{style}"></iframe>'

    def save(self, path: str | Path) -> None:
        """Write one HTML file without videos, to open anywhere."""
        write_document(self.playback, path, second=self.second)

    def close(self) -> None:
        """End the server."""
        if self._page is not None:
            self._page.close()
            self._page = None
        atexit.unregister(self.close)
