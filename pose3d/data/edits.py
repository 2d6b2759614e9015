"""What a person corrected in a recording: bad stretches, exchanged sides, events. The recording stays as it is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pose3d.data.names import counted

__all__ = [
    "AddedEvent",
    "BadStretch",
    "DeletedEvent",
    "Edit",
    "Edits",
    "MovedEvent",
    "Remark",
    "SwappedSides",
    "inverse",
]

_MOST_FRAMES = 10**9
_MOST_SECONDS = 1e7
_DECIMALS = 6  # of a second, as files have it


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What every edit may say of itself.

    Attributes
    ----------
    individual : str, optional
        Of whom; None is everybody.
    note : str
        Why, for people.
    made : str
        When it was made, as ISO 8601 has it; it changes nothing.
    """

    individual: str | None = None
    note: str = ""
    made: str = ""

    @property
    def _whose(self) -> str:
        return f" of {self.individual}" if self.individual is not None else ""


@dataclass(frozen=True)
class BadStretch(_Made):
    """A stretch that is not to be used.

    Attributes
    ----------
    first, last : int
        Frames of the recording, both included.
    keypoints : tuple of str
        None named: all.
    camera : str, optional
        Its views are not used. Without one the points themselves are missing in the stretch, and are not filled.
    """

    first: int
    last: int
    keypoints: tuple[str, ...] = ()
    camera: str | None = None

    def __post_init__(self) -> None:
        _check_frames(self.first, self.last)
        object.__setattr__(self, "keypoints", tuple(self.keypoints))

    @property
    def words(self) -> str:
        """Say it to people."""
        what = ", ".join(self.keypoints) or "all keypoints"
        where = "bad" if self.camera is None else f"not used from camera {self.camera}"
        return f"{_span(self.first, self.last)}: {what}{self._whose} {where}"


@dataclass(frozen=True)
class SwappedSides(_Made):
    """A stretch in which left and right are exchanged.

    Attributes
    ----------
    first, last : int
        Frames of the recording, both included.
    pairs : tuple of (str, str)
        None named: all pairs of the skeleton.
    camera : str, optional
        Its views show the sides exchanged. Without one, left and right of the points themselves are.
    """

    first: int
    last: int
    pairs: tuple[tuple[str, str], ...] = ()
    camera: str | None = None

    def __post_init__(self) -> None:
        _check_frames(self.first, self.last)
        pairs = tuple((left, right) for left, right in self.pairs)
        named = [name for pair in pairs for name in pair]
        if len(set(named)) < len(named):
            raise ValueError("a keypoint is named twice among the pairs")
        object.__setattr__(self, "pairs", pairs)

    @property
    def words(self) -> str:
        """Say it to people."""
        what = ", ".join(f"{left}/{right}" for left, right in self.pairs)
        where = "" if self.camera is None else f" in camera {self.camera}"
        return f"{_span(self.first, self.last)}: left and right{self._whose} exchanged{where}{what and f' ({what})'}"


@dataclass(frozen=True)
class MovedEvent(_Made):
    """An event that was at another time.

    Attributes
    ----------
    limb, kind : str
        As in :class:`pose3d.data.events.LimbEvents`.
    from_s, to_s : float, s
        From frame 0 of the recording.
    """

    limb: str
    kind: str
    from_s: float
    to_s: float

    def __post_init__(self) -> None:
        _check_event(self.limb, self.kind, self.from_s, self.to_s)
        for name in ("from_s", "to_s"):
            object.__setattr__(self, name, round(float(getattr(self, name)), _DECIMALS))

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"{self.limb} {self.kind}{self._whose} moved from {self.from_s:.3f} s to {self.to_s:.3f} s"


@dataclass(frozen=True)
class _TimedEvent(_Made):
    limb: str
    kind: str
    time_s: float

    def __post_init__(self) -> None:
        _check_event(self.limb, self.kind, self.time_s)
        object.__setattr__(self, "time_s", round(float(self.time_s), _DECIMALS))


@dataclass(frozen=True)
class DeletedEvent(_TimedEvent):
    """An event that was none; attributes as those of :class:`MovedEvent`."""

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"{self.limb} {self.kind}{self._whose} at {self.time_s:.3f} s deleted"


@dataclass(frozen=True)
class AddedEvent(_TimedEvent):
    """An event that was not found; attributes as those of :class:`MovedEvent`."""

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"{self.limb} {self.kind}{self._whose} at {self.time_s:.3f} s added"


@dataclass(frozen=True)
class Remark(_Made):
    """A note, which changes nothing.

    Attributes
    ----------
    text : str
    first, last : int, optional
        Frames of the recording that it is about.
    """

    text: str
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a note needs a text")
        if (self.first is None) != (self.last is None):
            raise ValueError("a note is about frames from first to last, or about none")
        if self.first is not None and self.last is not None:
            _check_frames(self.first, self.last)

    @property
    def words(self) -> str:
        """Say it to people."""
        if self.first is None or self.last is None:
            return f"note: {self.text}"
        return f"{_span(self.first, self.last)}: note: {self.text}"


Edit = BadStretch | SwappedSides | MovedEvent | DeletedEvent | AddedEvent | Remark


@dataclass(frozen=True, repr=False)
class Edits:
    """All that a person corrected in one recording, in the order in which it was done.

    Attributes
    ----------
    entries : tuple of Edit
    undone : tuple of Edit
        What was taken back and may be done again, the last one first to come.

    Examples
    --------
    >>> edits = Edits().add(BadStretch(10, 20)).add(SwappedSides(30, 40))
    >>> edits.undo(), edits.undo().redo() == edits
    (Edits(1 entry, 1 taken back), True)
    """

    entries: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(self.entries))
        object.__setattr__(self, "undone", tuple(self.undone))

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        back = f", {len(self.undone)} taken back" if self.undone else ""
        return f"Edits({len(self)} {'entry' if len(self) == 1 else 'entries'}{back})"

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self.entries)

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to do again."""
        return bool(self.undone)

    def add(self, edit: Edit) -> "Edits":
        """Return these and one more; what was taken back before is gone then."""
        return Edits((*self.entries, edit))

    def undo(self) -> "Edits":
        """Return these without the last."""
        return Edits(self.entries[:-1], (*self.undone, *self.entries[-1:]))

    def redo(self) -> "Edits":
        """Return these with the one that was last taken back."""
        return Edits((*self.entries, *self.undone[-1:]), self.undone[:-1])

    def remove(self, edit: Edit) -> "Edits":
        """Return these without one of them, wherever it stands.

        Raises
        ------
        ValueError
            If it is not among them.
        """
        last = max((i for i, entry in enumerate(self.entries) if entry == edit), default=None)
        if last is None:
            raise ValueError(f"there is no such edit: {edit.words}")
        return Edits((*self.entries[:last], *self.entries[last + 1 :]), (*self.undone, edit))

    @property
    def stretches(self) -> tuple[BadStretch, ...]:
        """Bad stretches."""
        return tuple(entry for entry in self.entries if isinstance(entry, BadStretch))

    @property
    def swaps(self) -> tuple[SwappedSides, ...]:
        """Exchanged sides."""
        return tuple(entry for entry in self.entries if isinstance(entry, SwappedSides))

    @property
    def events(self) -> tuple[MovedEvent | DeletedEvent | AddedEvent, ...]:
        """What concerns events."""
        return tuple(entry for entry in self.entries if isinstance(entry, MovedEvent | DeletedEvent | AddedEvent))

    @property
    def parts(self) -> tuple[BadStretch | SwappedSides, ...]:
        """Stretches and swaps, in their order."""
        return tuple(entry for entry in self.entries if isinstance(entry, BadStretch | SwappedSides))

    @property
    def of_points(self) -> "Edits":
        """Those that change points in space; without notes, times and what was taken back."""
        return Edits(tuple(_bare(part) for part in self.parts))

    @property
    def of_cameras(self) -> "Edits":
        """Those of :attr:`of_points` that concern the views of single cameras."""
        return Edits(tuple(_bare(part) for part in self.parts if part.camera is not None))

    @property
    def frames(self) -> tuple[int, int] | None:
        """First and last frame that :attr:`stretches` and :attr:`swaps` touch."""
        parts = self.parts
        return (min(part.first for part in parts), max(part.last for part in parts)) if parts else None

    def touches(self, start: int, n_frames: int) -> bool:
        """Tell whether they may change anything about a run of frames."""
        span = self.frames
        return span is not None and span[0] < start + n_frames and span[1] >= start

    def of(self, individual: str) -> "Edits":
        """Return those that concern one individual."""
        return Edits(tuple(entry for entry in self.entries if entry.individual in (None, individual)))

    def lines(self) -> list[str]:
        """Return a line for each, with its note."""
        return [f"{entry.words}{entry.note and f' ({entry.note})'}" for entry in self.entries]

    def summary(self) -> str:
        """Return what there is in one line, such as ``2 bad stretches (45 frames), 1 event moved``."""
        n_frames = counted(_covered(self.stretches), "frame")
        counts = [
            (len(self.stretches), f"bad stretch ({n_frames})", f"bad stretches ({n_frames})"),
            (len(self.swaps), "stretch with left and right exchanged", "stretches with left and right exchanged"),
        ]
        for kind, word in ((MovedEvent, "moved"), (DeletedEvent, "deleted"), (AddedEvent, "added")):
            counts.append((sum(isinstance(entry, kind) for entry in self.entries), f"event {word}", f"events {word}"))
        counts.append((sum(isinstance(entry, Remark) for entry in self.entries), "note", "notes"))
        return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counts if n)


def inverse(edit: Edit) -> Edit | None:
    """Return the edit that takes another back when it follows it; None where only :meth:`Edits.remove` does.

    Examples
    --------
    >>> inverse(MovedEvent("L", "strike", 1.5, 1.4)).words
    'L strike moved from 1.400 s to 1.500 s'
    """
    if isinstance(edit, SwappedSides):
        return _bare(edit)
    if isinstance(edit, MovedEvent):
        return MovedEvent(edit.limb, edit.kind, edit.to_s, edit.from_s, individual=edit.individual)
    if isinstance(edit, DeletedEvent):
        return AddedEvent(edit.limb, edit.kind, edit.time_s, individual=edit.individual)
    if isinstance(edit, AddedEvent):
        return DeletedEvent(edit.limb, edit.kind, edit.time_s, individual=edit.individual)
    return None


def _bare(edit: BadStretch | SwappedSides) -> BadStretch | SwappedSides:
    return replace(edit, note="", made="")


def _covered(parts: Iterable[BadStretch]) -> int:
    """Count the frames of stretches that may overlap."""
    total, end = 0, -math.inf
    for part in sorted(parts, key=lambda part: part.first):
        total += max(0, part.last + 1 - int(max(part.first, end)))
        end = max(end, part.last + 1)
    return total


def _check_frames(first: int, last: int) -> None:
    if any(isinstance(frame, bool) or not isinstance(frame, int) for frame in (first, last)):
        raise ValueError("frames are whole numbers")
    if not -_MOST_FRAMES <= first <= last <= _MOST_FRAMES:
        raise ValueError(f"frames {first} to {last} are no stretch: the first comes before the last")


def _check_event(limb: str, kind: str, *times: float) -> None:
    if not (limb.strip() and kind.strip()):
        raise ValueError("an event needs a limb and a kind")
    if not all(math.isfinite(time) and abs(time) <= _MOST_SECONDS for time in times):
        raise ValueError("the time of an event must be a number of seconds")


def _span(first: int, last: int) -> str:
    return f"frame {first}" if first == last else f"frames {first} to {last}"
