"""Open the player's window, or say in one line why there can be none and what works instead."""

import ctypes
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pose3d.errors import DependencyError, Pose3DError
from pose3d.viewer.playback import Playback

if TYPE_CHECKING:
    from pose3d.viewer.window.player_window import PlayerWindow

__all__ = ["MISSING_GUI", "NO_DISPLAY", "check_display", "open_window", "play_in_window"]

MISSING_GUI = "the window needs PySide6 and vispy: pip install 'pose3d[gui]'"
NO_DISPLAY = (
    "there is no display to open a window on: run it under Xvfb (`xvfb-run -a pose3d play ...`), make a video with "
    "`pose3d render`, or look at it in a browser with `pose3d play --web`"
)
NO_OPENGL = (
    "there is no OpenGL, so the 3D view stays empty; videos and plots work. `pose3d play --web` and `pose3d render` "
    "draw without it"
)


def check_display() -> None:
    """Make sure that a window can be opened, since Qt would end the process where it cannot.

    Raises
    ------
    DependencyError
        If PySide6 or vispy is not installed, or a system library that they need.
    Pose3DError
        If there is no display.
    """
    if not (_installed("PySide6") and _installed("vispy")):
        raise DependencyError(MISSING_GUI)
    _leave_qt_alone()
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "xcb") != "xcb":
        return
    if os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise Pose3DError(NO_DISPLAY)
    try:
        from PySide6 import QtGui
    except ImportError as error:
        raise DependencyError(f"{_library(error)}: this system library is missing, which Qt needs; {_FIX}") from error
    plugin = Path(QtGui.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    try:
        if plugin.exists():
            ctypes.CDLL(str(plugin))
    except OSError as error:
        raise DependencyError(f"{_library(error)}: this system library is missing, which Qt needs; {_FIX}") from error
    if not _display_answers():
        raise Pose3DError(f"the display {os.environ['DISPLAY']} does not answer; {NO_DISPLAY.partition(': ')[2]}")


_FIX = (
    "on Debian and Ubuntu: apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 "
    "libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libglib2.0-0 libfontconfig1"
)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _library(error: Exception) -> str:
    return str(error).partition(":")[0].strip() or "a library"


def _display_answers() -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # Qt will tell
    xcb.xcb_connect.restype = ctypes.c_void_p
    # It stays open: Xvfb begins anew when its last client leaves, and would turn Qt away that moment.
    return not xcb.xcb_connection_has_error(ctypes.c_void_p(xcb.xcb_connect(None, None)))


def _leave_qt_alone() -> None:
    """Undo what OpenCV's wheel does: it points Qt at the plugins of its own, older Qt."""
    import cv2

    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if "cv2" in os.environ.get(name, ""):
            del os.environ[name]
    del cv2


def open_window(
    playback: Playback,
    *,
    second: Playback | None = None,
    second_shift_mm: float = 0.0,
    load_more: Callable[[Playback], Playback] | None = None,
    queue: Callable[[int], str] | None = None,
) -> "PlayerWindow":
    """Show the window and return it, for programs with a Qt loop of their own; parameters of :class:`PlayerWindow`."""
    from PySide6.QtWidgets import QApplication

    from pose3d.viewer.window.player_window import PlayerWindow

    if QApplication.instance() is None:
        raise RuntimeError("make a QApplication first")
    window = PlayerWindow(playback, second=second, second_shift_mm=second_shift_mm, load_more=load_more, queue=queue)
    window.show()
    window.activateWindow()
    return window


def play_in_window(
    playback: Playback,
    *,
    second: Playback | None = None,
    second_shift_mm: float = 0.0,
    load_more: Callable[[Playback], Playback] | None = None,
    queue: Callable[[int], str] | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Play a recording in a window until it is closed.

    Parameters
    ----------
    playback : Playback
    second, second_shift_mm, load_more, queue : optional
        As of :class:`pose3d.viewer.window.player_window.PlayerWindow`.
    ready : callable, optional
        Called when the first picture has been drawn.

    Raises
    ------
    DependencyError
        If PySide6, vispy or a system library is missing.
    Pose3DError
        If there is no display.
    """
    check_display()
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(["pose3d"])
    window = open_window(playback, second=second, second_shift_mm=second_shift_mm, load_more=load_more, queue=queue)
    # Python sees Ctrl-C only when it runs, which Qt's loop lets it do now and then.
    before = signal.signal(signal.SIGINT, lambda *_: window.close())
    pulse = QTimer(interval=200)
    told: list[bool] = []

    def look() -> None:
        if window.view.n_drawn and not told:
            told.append(True)
            ready()

    pulse.timeout.connect(look)
    pulse.start()
    try:
        app.exec()
    finally:
        signal.signal(signal.SIGINT, before)
        window.deleteLater()
