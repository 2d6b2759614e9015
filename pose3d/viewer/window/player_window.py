"""The player's window: what is where, and what happens when another row is shown."""

import threading
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from pose3d.data.edits import BadStretch, SwappedSides
from pose3d.data.names import counted
from pose3d.log import logger
from pose3d.viewer.corrections import Corrections
from pose3d.viewer.playback import Playback
from pose3d.viewer.window.actions import HelpSheet, add_actions
from pose3d.viewer.window.application import NO_OPENGL
from pose3d.viewer.window.bars import TransportBar, ViewBar
from pose3d.viewer.window.pane_grid import PaneGrid
from pose3d.viewer.window.player_actions import make_actions
from pose3d.viewer.window.theme import STYLE
from pose3d.viewer.window.timeline import EventTick, Timeline
from pose3d.viewer.window.traces import Traces
from pose3d.viewer.window.transport import Transport
from pose3d.viewer.window.video_pane import VideoPane
from pose3d.viewer.window.view3d import View3D

__all__ = ["PlayerWindow"]

_TICK_MS = 8
_MESSAGE_MS = 7000
_PANES_HIGH, _PANES_WIDE = 490, 700  # px of a window of usual size


class PlayerWindow(QMainWindow):
    """Plays a recording.

    Parameters
    ----------
    playback : Playback
    second : Playback, optional
        Another recording beside it.
    second_shift_mm : float, mm
        How far to the left of the first it is drawn.
    load_more : callable, optional
        Takes the playback and returns it with what takes long to read, such as detections; runs in a thread.
    queue : callable, optional
        As of :class:`pose3d.viewer.corrections.Corrections`.
    """

    _more = Signal(object)
    _told = Signal(str)

    def __init__(
        self,
        playback: Playback,
        *,
        second: Playback | None = None,
        second_shift_mm: float = 0.0,
        load_more: Callable[[Playback], Playback] | None = None,
        queue: Callable[[int], str] | None = None,
    ) -> None:
        super().__init__()
        self.playback = playback
        self.corrections = Corrections(playback, queue)
        if self.corrections.edits:
            playback = self.playback = self.corrections.edited()
        self.transport = Transport(playback.n_frames, playback.fps)
        self.selection: tuple[int, int] | None = None
        self.row = 0
        self.setWindowTitle(f"{playback.name} - pose3d")
        self.setStyleSheet(STYLE)
        self.resize(1400, 860)

        self.view = View3D(playback, second)
        self.view.settings = replace(self.view.settings, second_shift_mm=second_shift_mm)
        self.panes = {camera: VideoPane(playback, camera) for camera in playback.cameras}
        self.grid = PaneGrid(self.panes)
        self.traces = Traces(playback)
        self.timeline = Timeline(playback)
        self.table = make_actions(self)
        self.actions_by_name = add_actions(self, self.table)
        self.view_bar = ViewBar(self)
        self.transport_bar = TransportBar(self)
        self._lay_out()
        self.help = HelpSheet(self, self.table)
        self.help.closed.connect(lambda: self.view.cover(False))

        for signal in (self.timeline.sought, self.traces.sought):
            signal.connect(self.seek)
        self.timeline.selected.connect(self._take_selection)
        self.timeline.event_moved.connect(self._move_event)
        self.timeline.event_chosen.connect(lambda _index: self.refresh_bars())
        self.view.changed.connect(self._view_changed)
        for pane in self.panes.values():
            pane.pictured.connect(self._pictured)
            pane.opened.connect(lambda _camera: self._show_meta())
        self._told.connect(self.tell)
        self._more.connect(self._take_more)
        self._forget = QTimer(self, singleShot=True, interval=_MESSAGE_MS)
        self._forget.timeout.connect(lambda: self.message.setText(""))
        self._timer = QTimer(self, interval=_TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._show_edits()
        self.show_row(0)
        if not self.view.has_opengl:
            self.view.say(NO_OPENGL)
            self.tell(NO_OPENGL)
        if load_more is not None:
            threading.Thread(target=self._load, args=(load_more,), daemon=True, name="detections").start()

    # -- what is where ------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        playback = self.playback
        title, self.meta, self.message, self.doubts = QLabel(playback.name), QLabel(), QLabel(), QLabel()
        title.setObjectName("title")
        self.meta.setObjectName("dim")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setMinimumWidth(10)
        head = QHBoxLayout()
        head.setContentsMargins(4, 0, 4, 0)
        head.addWidget(title)
        head.addSpacing(16)
        head.addWidget(self.meta)
        head.addStretch(1)
        head.addWidget(self.message)
        head.addSpacing(10)
        head.addWidget(self.doubts)

        left = QWidget()
        inside = QVBoxLayout(left)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        inside.addWidget(self.view_bar)
        inside.addWidget(self.view, 1)
        sides = QSplitter(Qt.Orientation.Horizontal)
        sides.addWidget(left)
        if self.panes:
            sides.addWidget(self.grid)
            sides.setStretchFactor(0, 3)
            sides.setStretchFactor(1, 2)
            wide = self.grid.width_for(_PANES_HIGH, _PANES_WIDE)
            sides.setSizes([1380 - wide, wide])
        bottom = QWidget()
        bottom.setObjectName("panel")
        below = QVBoxLayout(bottom)
        below.setContentsMargins(6, 6, 6, 6)
        below.setSpacing(2)
        below.addWidget(self.traces, 1)
        below.addWidget(self.timeline)
        below.addWidget(self.transport_bar)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(sides)
        whole.addWidget(bottom)
        whole.setStretchFactor(0, 3)
        whole.setStretchFactor(1, 1)
        whole.setSizes([500, 330] if self.traces.groups else [620, 210])
        central = QWidget()
        central.setObjectName("central")
        layout = QVBoxLayout(central)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(6)
        layout.addLayout(head)
        layout.addWidget(whole, 1)
        self.setCentralWidget(central)
        self._show_meta()

    def _show_meta(self) -> None:
        playback = self.playback
        words = [counted(len(playback.cameras), "camera")] if playback.cameras else []
        if len(playback.points.individuals) > 1:
            words.append(counted(len(playback.points.individuals), "individual"))
        words += [
            counted(len(playback.points.keypoints), "keypoint"),
            f"{playback.fps:g} fps",
            f"{playback.n_frames:,} frames".replace(",", " "),
        ]
        if self.corrections.edits:
            words.append(counted(len(self.corrections.edits.entries), "correction"))
        self.meta.setText(" · ".join(words))
        remarks = self.remarks
        self.doubts.setText(counted(len(remarks), "remark") if remarks else "")
        self.doubts.setToolTip("\n".join(remarks))
        self.doubts.setStyleSheet("color: #f6d55c;")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is missing or does not fit, in words."""
        videos = tuple(f"{name}: {pane.remark}" for name, pane in self.panes.items() if pane.remark)
        edits = (self.corrections.remark,) if self.corrections.remark else ()
        return (*self.playback.remarks, *videos, *edits)

    # -- time ---------------------------------------------------------------------------------------------------------

    def seek(self, row: int) -> None:
        """Go to a row."""
        self.transport.seek(row)
        self.show_row(self.transport.row)

    def step(self, rows: int) -> None:
        """Pause and go some rows on."""
        self.transport.step(rows)
        self.show_row(self.transport.row)
        self._follow_time()

    def toggle_play(self) -> None:
        """Play or pause."""
        self.transport.toggle()
        self._follow_time()
        self.show_row(self.transport.row)

    def _follow_time(self) -> None:
        if self.transport.playing:
            self._timer.start()
        else:
            self._timer.stop()
        self.refresh_bars()

    def _tick(self) -> None:
        row = self.transport.tick()
        if row != self.row:
            self.show_row(row)
        if not self.transport.playing:
            self._follow_time()

    def show_row(self, row: int) -> None:
        """Show a row everywhere."""
        self.row = row
        if not self.playback.n_frames:
            return
        self.view.show_row(row)
        for pane in self.panes.values():
            pane.show_row(row)
        self.traces.show_row(row)
        self.timeline.show_row(row)
        self.transport_bar.show_row()

    def refresh_bars(self) -> None:
        """Show the state of buttons and of texts that do not change with every row."""
        self.transport_bar.refresh()
        self.view_bar.refresh()

    def _take_selection(self, first: int, last: int) -> None:
        self.select(None if first < 0 else (first, last))

    def select(self, rows: tuple[int, int] | None) -> None:
        """Select rows, both included."""
        self.selection = None if rows is None else (min(rows), max(rows))
        self.timeline.selection = self.selection
        self.timeline.update()
        if self.transport.loop is not None:
            self.transport.loop = self.selection
        self.refresh_bars()

    # -- other pictures -----------------------------------------------------------------------------------------------

    def _view_changed(self) -> None:
        through = self.view.through
        for camera, pane in self.panes.items():
            pane.least_size = self.view.pixels if camera == through else (0, 0)
            if camera == through:
                self._pictured(camera)
                pane.show_row(self.row)
        self.view_bar.refresh()

    def _pictured(self, camera: str) -> None:
        pane = self.panes[camera]
        if camera == self.view.through and pane.shown is not None:
            self.view.show_picture(pane.shown.bgra)

    def _load(self, load_more: Callable[[Playback], Playback]) -> None:
        try:
            self._more.emit(load_more(self.corrections.original))
        except Exception as error:  # a thread that dies in silence would leave a window that waits
            logger.exception("detections were not read")
            self._told.emit(f"detections were not read: {error}")

    def _take_more(self, playback: Playback) -> None:
        self.corrections.original = playback
        self.apply_edits()

    def tell(self, line: str) -> None:
        """Show a line for a while."""
        self.message.setText(line)
        self.message.setToolTip(line)
        self._forget.start()

    # -- corrections --------------------------------------------------------------------------------------------------

    def correct(self, change: Callable[[], str]) -> None:
        """Make a correction, and show what it does."""
        self.tell(change())
        self.apply_edits()

    def send_to_queue(self) -> None:
        """Send this instant to the labelling queue: images are made of it, in a thread."""
        row = self.row
        self.tell("sending this instant to the labelling queue ...")
        threading.Thread(
            target=lambda: self._told.emit(self.corrections.send_to_queue(row)), daemon=True, name="queue"
        ).start()

    def show_help(self) -> None:
        """Show all keys."""
        self.view.cover(True)
        self.help.open()

    def show_remarks(self) -> None:
        """Show what is missing or does not fit."""
        QMessageBox.information(self, "Remarks", "\n\n".join(self.remarks) or "Nothing is missing, and all fits.")

    def save_picture(self) -> None:
        """Save a picture of the window where the user says."""
        name, _ = QFileDialog.getSaveFileName(self, "Save picture", f"{self.playback.name}.png", "PNG (*.png)")
        if name:
            picture = self.grab()
            painter = QPainter(picture)
            painter.drawImage(QRect(self.view.mapTo(self, QPoint(0, 0)), self.view.size()), self.view.picture())
            painter.end()
            self.tell(f"written: {name}" if picture.save(name) else f"{name} could not be written")

    def apply_edits(self) -> None:
        """Show the recording as it is with all corrections."""
        self.playback = self.corrections.edited()
        self.view.set_playback(self.playback)
        for pane in self.panes.values():
            pane.set_playback(self.playback)
        self.traces.set_playback(self.playback)
        self.timeline.set_playback(self.playback)
        self._show_edits()
        self.show_row(self.row)

    def _show_edits(self) -> None:
        events, playback = self.playback.events, self.playback
        ticks = []
        if events is not None:
            sides = {"L": 1, "R": 2}
            for row, limb, kind in zip(playback.event_rows().tolist(), events.limbs, events.kinds, strict=True):
                text = f"{limb} {kind} at frame {row + playback.points.start:.1f}; drag to move, Del deletes"
                ticks.append(EventTick(row, sides.get(limb, 0), kind, text))
        self.timeline.events = ticks
        self.timeline.chosen = -1
        self.timeline.marked = self.corrections.stretches(BadStretch)
        self.timeline.swapped = self.corrections.stretches(SwappedSides)
        self.timeline.refresh()
        self._show_meta()
        self.refresh_bars()

    def _move_event(self, index: int, row: float) -> None:
        events = self.playback.events
        if events is not None:
            self.correct(lambda: self.corrections.move_event(events, index, row))

    def show_parts(self, **parts: object) -> None:
        """Change what the 3D view shows; by the names of its settings."""
        self.view.set(replace(self.view.settings, **parts))  # type: ignore[arg-type]
        self.refresh_bars()

    # -- Qt -----------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the help over the whole window."""
        super().resizeEvent(event)
        if hasattr(self, "help") and self.help.isVisible():
            self.help.open()

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the threads."""
        self._timer.stop()
        for pane in self.panes.values():
            pane.stop()
        super().closeEvent(event)
