"""The angles of a recording by joint, left and right together, and the gait cycles of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pose3d.data.events import STRIKE
from pose3d.data.norms import NormBand
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.cycles import cut_cycles
from pose3d.kinematics.strides import find_strides
from pose3d.viewer.anatomy import guess_pairs
from pose3d.viewer.playback import Playback

__all__ = ["AngleGroup", "Cycles", "cycles_of", "group_angles", "usual_groups"]

_USUAL = ("knee_flexion", "hip_flexion", "hip_flexion_trunk", "ankle_dorsiflexion", "elbow_flexion")
_MOST_SHOWN = 3
_LONGEST_S = 3.0  # a stride that lasts longer is a pause


@dataclass(frozen=True)
class AngleGroup:
    """One joint's angle.

    Attributes
    ----------
    name : str
        Without the side.
    members : mapping of int to int
        Side (0 neither, 1 left, 2 right) to the angle's place among those of the recording.
    """

    name: str
    members: Mapping[int, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ").strip().capitalize()


def group_angles(names: tuple[str, ...]) -> tuple[AngleGroup, ...]:
    """Put left and right partners together.

    Examples
    --------
    >>> [(group.name, dict(group.members)) for group in group_angles(("knee_flexion_l", "knee_flexion_r", "tilt"))]
    [('knee_flexion', {1: 0, 2: 1}), ('tilt', {0: 2})]
    """
    pairs = dict(guess_pairs(names))
    rights = set(pairs.values())
    groups = []
    for i, name in enumerate(names):
        if name in pairs:
            stem = name.removesuffix("_l") if name.endswith("_l") else _common(name, pairs[name])
            groups.append(AngleGroup(stem, {1: i, 2: names.index(pairs[name])}))
        elif name not in rights:
            groups.append(AngleGroup(name, {0: i}))
    return tuple(groups)


def _common(left: str, right: str) -> str:
    """Return what two names share: their beginning and their end."""
    n = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    m = next((i for i, (a, b) in enumerate(zip(left[:n:-1], right[:n:-1], strict=False)) if a != b), 0)
    return (left[:n] + (left[-m:] if m else "")).strip("_- ") or left


def usual_groups(groups: tuple[AngleGroup, ...]) -> tuple[str, ...]:
    """Choose the angles that are shown at first."""
    names = [group.name for group in groups]
    usual = [name for name in _USUAL if name in names]
    return tuple([*usual, *(name for name in names if name not in usual)][:_MOST_SHOWN])


@dataclass(frozen=True, eq=False)
class Cycles:
    """One side's cycles of an angle.

    Attributes
    ----------
    deg : (n_cycles, 101) array
    first, last : (n_cycles,) array
        Rows at which each begins and ends.
    norm : NormBand or None
    """

    deg: FloatArray
    first: FloatArray
    last: FloatArray
    norm: NormBand | None = None

    def at(self, row: float) -> tuple[int, float] | None:
        """Return the cycle that a row lies in, and where in it, 0 to 100 %; None between cycles."""
        inside = np.flatnonzero((self.first <= row) & (row < self.last))
        if not len(inside):
            return None
        i = int(inside[0])
        return i, float(100 * (row - self.first[i]) / (self.last[i] - self.first[i]))


def cycles_of(playback: Playback, group: AngleGroup, side: int, individual: int = 0) -> Cycles:
    """Cut an angle at the strikes of its side.

    Parameters
    ----------
    playback : Playback
    group : AngleGroup
    side : int
        1 left, 2 right.
    individual : int
    """
    nothing = Cycles(np.zeros((0, 101)), np.zeros(0), np.zeros(0))
    if playback.angles is None or playback.events is None or not group.members:
        return nothing
    index = group.members.get(side, next(iter(group.members.values())))
    limb = {1: "L", 2: "R"}.get(side, "")
    if not len(playback.events.times(limb, STRIKE)):
        return nothing
    strides = find_strides(playback.events, limb, longest_s=_LONGEST_S)
    long = strides.end_s - strides.start_s > _LONGEST_S
    begin, end = strides.start_s[~long], strides.end_s[~long]
    start, fps = playback.points.start, playback.fps
    deg = cut_cycles(playback.angles.deg[:, individual, index], begin, end, fps=fps, start=start)
    norm = None if playback.norms is None else playback.norms.bands.get(group.name)
    return Cycles(deg, begin * fps - start, end * fps - start, norm)
