"""Which row is shown when: bound to the wall clock, so that playback drops frames and never slows."""

import math
import time
from collections.abc import Callable

__all__ = ["SPEEDS", "Transport"]

SPEEDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Speeds that the keys go through."""


class Transport:
    """Play, pause, step and loop, over rows from 0.

    Parameters
    ----------
    n_rows : int
    fps : float
        Rows per second at speed 1.
    clock : callable, optional
        Returns s; by default the machine's own, which no change of the time of day moves.
    """

    def __init__(self, n_rows: int, fps: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.n_rows = max(int(n_rows), 1)
        self.fps = fps if math.isfinite(fps) and fps > 0 else 30.0
        self._clock = clock
        self._speed = 1.0
        self._loop: tuple[int, int] | None = None
        self._since: float | None = None  # when playback began at _from; None at rest
        self._from = 0.0

    @property
    def playing(self) -> bool:
        """Whether time runs."""
        return self._since is not None

    @property
    def speed(self) -> float:
        """How much faster than life, 0.05 to 8."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._settle()
        self._speed = min(max(float(speed), SPEEDS[0]), SPEEDS[-1])

    @property
    def loop(self) -> tuple[int, int] | None:
        """First and last row of what is played over and over, both included; None plays once to the end."""
        return self._loop

    @loop.setter
    def loop(self, rows: tuple[int, int] | None) -> None:
        self._settle()
        if rows is not None:
            first, last = sorted((self._inside(rows[0]), self._inside(rows[1])))
            rows = (first, last)
        self._loop = rows

    @property
    def row(self) -> int:
        """The row to be shown now."""
        return int(self._place())

    @property
    def time_s(self) -> float:
        """Seconds from row 0."""
        return self.row / self.fps

    def play(self) -> None:
        """Let time run; at the end, from the start again."""
        if self.playing:
            return
        if self._loop is None and self.row >= self.n_rows - 1:
            self._from = 0.0
        elif self._loop is not None and not self._loop[0] <= self._from < self._loop[1] + 1:
            self._from = float(self._loop[0])
        self._since = self._clock()

    def pause(self) -> None:
        """Hold the row that is shown."""
        self._from, self._since = float(self.row), None

    def toggle(self) -> None:
        """Play or pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def seek(self, row: float) -> None:
        """Go to a row; if time runs, it runs on from there."""
        self._from = float(self._inside(row))
        if self.playing:
            self._since = self._clock()

    def step(self, rows: int) -> None:
        """Pause, and go some rows on or back."""
        self.pause()
        self.seek(self.row + rows)

    def faster(self, steps: int = 1) -> None:
        """Take the next of :data:`SPEEDS`, or with a negative number an earlier one."""
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(math.log(SPEEDS[i] / self._speed)))
        self.speed = SPEEDS[min(max(nearest + steps, 0), len(SPEEDS) - 1)]

    def tick(self) -> int:
        """Return the row to be shown now, and come to rest at the end."""
        row = self.row
        if self.playing and self._loop is None and row >= self.n_rows - 1:
            self.pause()
        return row

    def _inside(self, row: float) -> int:
        return min(max(int(row), 0), self.n_rows - 1)

    def _settle(self) -> None:
        """Take the present place, to its fraction, as a new beginning."""
        self._from = self._place()
        if self.playing:
            self._since = self._clock()

    def _place(self) -> float:
        if self._since is None:
            return self._from
        # A clock that is read twice within its grain must not land just below the row that it began with.
        place = self._from + max(self._clock() - self._since, 0.0) * self.fps * self._speed + 1e-9
        if self._loop is not None:
            first, last = self._loop
            if place >= last + 1:
                place = first + (place - first) % (last + 1 - first)
            return place
        return min(place, self.n_rows - 1.0)
