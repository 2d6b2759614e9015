"""Events of limbs: instants at which a foot strikes the ground, or leaves it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.names import counted
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["OFF", "STRIKE", "LimbEvents"]

STRIKE, OFF = "strike", "off"


@dataclass(frozen=True, eq=False, repr=False)
class LimbEvents:
    """Events of one individual, in the order of their times.

    Attributes
    ----------
    time_s : (n_events,) array, s
        From frame 0 of the recording, which is not always the first of the data; not bound to whole frames.
    limbs : tuple of str
        ``L`` and ``R`` of people; animals have as many as they have legs.
    kinds : tuple of str
        ``strike`` (the limb comes to the ground), ``off`` (it leaves it), or a name of another kind.
    """

    time_s: FloatArray
    limbs: tuple[str, ...]
    kinds: tuple[str, ...]

    def __post_init__(self) -> None:
        put = object.__setattr__
        time = np.asarray(self.time_s, dtype=np.float64)
        if time.shape != (len(self.limbs),) or len(self.kinds) != len(self.limbs):
            raise ValueError("events need a time, a limb and a kind each")
        if not np.isfinite(time).all():
            raise ValueError("the time of an event must be a number")
        order = np.lexsort((np.array(self.kinds, dtype=str), np.array(self.limbs, dtype=str), time))
        put(self, "time_s", frozen_array(time[order], shape=(None,), what="time_s"))
        put(self, "limbs", tuple(str(self.limbs[i]) for i in order))
        put(self, "kinds", tuple(str(self.kinds[i]) for i in order))

    def __len__(self) -> int:
        return len(self.limbs)

    def __repr__(self) -> str:
        parts = [f"{limb} {kind} {len(self.times(limb, kind))}" for limb, kind in sorted(set(self._keys))]
        return f"LimbEvents({counted(len(self), 'event')}{': ' if parts else ''}{', '.join(parts)})"

    @property
    def _keys(self) -> list[tuple[str, str]]:
        return list(zip(self.limbs, self.kinds, strict=True))

    def times(self, limb: str, kind: str) -> FloatArray:
        """Return the times of one limb's events of one kind, s, rising."""
        chosen = np.array([key == (limb, kind) for key in self._keys], dtype=np.bool_)
        return np.asarray(self.time_s[chosen])

    @classmethod
    def from_times(cls, times: Sequence[tuple[str, str, ArrayLike]]) -> "LimbEvents":
        """Make events from (limb, kind, times) of each limb and kind."""
        arrays = [np.atleast_1d(np.asarray(time, dtype=np.float64)) for _, _, time in times]
        sizes = [len(array) for array in arrays]
        return cls(
            np.concatenate([np.zeros(0), *arrays]),
            tuple(limb for (limb, _, _), n in zip(times, sizes, strict=True) for _ in range(n)),
            tuple(kind for (_, kind, _), n in zip(times, sizes, strict=True) for _ in range(n)),
        )
