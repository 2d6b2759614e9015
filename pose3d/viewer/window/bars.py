"""The rows of buttons: of the 3D view above it, of time and corrections below all."""

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from pose3d.viewer.window.icons import sign
from pose3d.viewer.window.transport import SPEEDS

if TYPE_CHECKING:
    from pose3d.viewer.window.player_window import PlayerWindow

__all__ = ["TransportBar", "ViewBar"]


def _button(action: QAction, icon: str = "", text: str = "") -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if icon:
        button.setObjectName("glyph")
        action.setIcon(sign(icon))
        button.setIconSize(QSize(20, 20))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    elif text:
        action.setIconText(text)
    return button


def _menu_button(text: str, tip: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(text + "  ▾")
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu.setParent(button, menu.windowFlags())
    button.setMenu(menu)
    return button


class ViewBar(QWidget):
    """From where the 3D view looks, and what it shows."""

    def __init__(self, window: "PlayerWindow") -> None:
        super().__init__()
        self._window = window
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        actions = window.actions_by_name
        self._sides = {"orbit": "Oblique", "front": "Front", "side": "Side", "top": "Top"}
        for name in self._sides.values():
            actions[name].setCheckable(True)
            layout.addWidget(_button(actions[name]))
        self._cameras = QMenu()
        for camera in () if window.playback.rig is None else window.playback.rig.names:
            self._cameras.addAction(camera, partial(window.view.look_through, camera))
        self._camera_button = _menu_button("Camera", actions["Camera"].toolTip(), self._cameras)
        self._camera_button.setCheckable(True)
        self._camera_button.setEnabled(window.playback.rig is not None)
        layout.addWidget(self._camera_button)
        layout.addWidget(_button(actions["Follow"]))
        layout.addStretch(1)
        for name in ("Trails", "Uncertainty", "Angles"):
            layout.addWidget(_button(actions[name]))
        more = QMenu()
        for name in ("Magnify", "Cameras", "Floor", "Shadow", "Mass", "Events", "Raw", "Names"):
            more.addAction(actions[name])
        layout.addWidget(_menu_button("More", "What else the 3D view shows", more))
        playback = window.playback
        actions["Raw"].setEnabled(playback.raw is not None)
        actions["Uncertainty"].setEnabled(playback.points.covariance is not None or playback.samples is not None)

    def refresh(self) -> None:
        """Show from where the view looks."""
        view = self._window.view
        for key, name in self._sides.items():
            self._window.actions_by_name[name].setChecked(view.view == key)
        through = view.through
        self._camera_button.setText((through or "Camera") + "  ▾")
        self._camera_button.setChecked(through is not None)


class TransportBar(QWidget):
    """Time, speed, plots and corrections."""

    def __init__(self, window: "PlayerWindow") -> None:
        super().__init__()
        self._window = window
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 0)
        layout.setSpacing(3)
        actions = window.actions_by_name
        for name, icon in (
            ("First", "first"),
            ("Previous frame", "previous"),
            ("Play", "play"),
            ("Next frame", "next"),
            ("Last", "last"),
            ("Loop", "loop"),
            ("Next weak", "weak"),
        ):
            layout.addWidget(_button(actions[name], icon))
        self._playing = False
        self.clock = QLabel()
        self.clock.setObjectName("clock")
        self.clock.setMinimumWidth(250)
        self.picked = QLabel()
        self.picked.setObjectName("dim")
        layout.addSpacing(10)
        layout.addWidget(self.clock)
        layout.addWidget(self.picked)
        layout.addStretch(1)
        for name, text in (("Mark bad", ""), ("Swap sides", ""), ("To labelling", "")):
            layout.addWidget(_button(actions[name], text=text))
        for name, icon in (("Undo", "undo"), ("Redo", "redo")):
            layout.addWidget(_button(actions[name], icon))
        layout.addSpacing(8)
        angles = QMenu()
        for group in window.traces.groups:
            entry = angles.addAction(group.words)
            entry.setCheckable(True)
            entry.setChecked(group.name in window.traces.chosen)
            entry.toggled.connect(lambda on, name=group.name: window.traces.choose(name, on))
        button = _menu_button("Plots", "Which angles are plotted; X: cycles of the other side", angles)
        button.setEnabled(bool(window.traces.groups))
        layout.addWidget(button)
        speeds = QMenu()
        for speed in SPEEDS:
            speeds.addAction(f"{speed:g} ×", partial(self._take_speed, speed))
        self._speed = _menu_button("1 ×", "Speed of playback ([ slower, ] faster)", speeds)
        layout.addWidget(self._speed)
        layout.addWidget(_button(actions["Help"], text="?"))

    def _take_speed(self, speed: float) -> None:
        self._window.transport.speed = speed
        self.refresh()

    def show_row(self) -> None:
        """Show the time."""
        window = self._window
        points, row = window.playback.points, window.row
        last = points.start + max(window.playback.n_frames - 1, 0)
        time_s = (points.start + row) / window.playback.fps
        self.clock.setText(f"frame <b>{points.start + row}</b> / {last} &nbsp;&nbsp; <b>{time_s:.3f}</b> s")

    def refresh(self) -> None:
        """Show speed, selection, and whether time runs."""
        window = self._window
        playing = window.transport.playing
        if playing != self._playing:
            self._playing = playing
            window.actions_by_name["Play"].setIcon(sign("pause" if playing else "play"))
        self._speed.setText(f"{window.transport.speed:g} ×  ▾")
        text = ""
        if window.selection is not None:
            start = window.playback.points.start
            first, last = (start + row for row in window.selection)
            text = f"{first} to {last} selected ({last - first + 1})"
        self.picked.setText(text)
        edits = window.corrections.edits
        window.actions_by_name["Undo"].setEnabled(edits.can_undo)
        window.actions_by_name["Redo"].setEnabled(edits.can_redo)
        self.show_row()
