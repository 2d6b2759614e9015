"""Joint angles drawn where they are: an arc at the joint, and the number with its interval."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.viewer import palette
from pose3d.viewer.playback import Playback
from pose3d.viewer.shapes import Labels, Lines, colours

__all__ = ["ARC_ANGLES", "AngleArcs", "Arc"]

ARC_ANGLES: dict[str, tuple[str, str, str]] = {
    "hip_flexion_trunk": ("Shoulder", "Hip", "Knee"),
    "hip_flexion": ("Shoulder", "Hip", "Knee"),
    "knee_flexion": ("Hip", "Knee", "Ankle"),
    "ankle_dorsiflexion": ("Knee", "Ankle", "BigToe"),
    "shoulder_flexion": ("Hip", "Shoulder", "Elbow"),
    "elbow_flexion": ("Shoulder", "Elbow", "Wrist"),
}
"""Angles that have a joint: the keypoints before, at and behind it, without the side."""

_BENT_FROM_STRAIGHT = ("hip_flexion", "hip_flexion_trunk", "knee_flexion", "elbow_flexion")
_PIECES = 14


@dataclass(frozen=True, eq=False)
class Arc:
    """Where an angle is drawn.

    Attributes
    ----------
    angle : int
        Its place among the recording's angles.
    keypoints : (int, int, int)
        Before, at and behind the joint.
    from_straight : bool
        Whether 0 is the straight limb, else where both its parts lie on each other.
    side : int
        0 neither, 1 left, 2 right.
    """

    angle: int
    keypoints: tuple[int, int, int]
    from_straight: bool
    side: int


@dataclass(frozen=True, eq=False)
class AngleArcs:
    """Arcs and numbers of a playback's angles."""

    playback: Playback

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Angles that can be drawn, with their sides."""
        angles = self.playback.angles
        return () if angles is None else tuple(angles.names[arc.angle] for arc in self.arcs)

    @cached_property
    def arcs(self) -> tuple[Arc, ...]:
        """Where those of :attr:`names` are drawn."""
        playback = self.playback
        if playback.angles is None:
            return ()
        index = {name: i for i, name in enumerate(playback.skeleton.keypoints)}
        arcs = []
        for i, name in enumerate(playback.angles.names):
            given = [word for word in playback.angle_keypoints.get(name, ()) if word in index]
            base, _, side = name.rpartition("_")
            if len(given) == 3:
                ends, straight = given, False
            elif base in ARC_ANGLES and side in ("l", "r"):
                ends, straight = [side.upper() + end for end in ARC_ANGLES[base]], base in _BENT_FROM_STRAIGHT
            else:
                continue
            if all(end in index for end in ends):
                a, b, c = (index[end] for end in ends)
                arcs.append(Arc(i, (a, b, c), straight, int(playback.sides[b])))
        return tuple(arcs)

    def draw(self, row: int, who: IntArray, wanted: tuple[str, ...]) -> tuple[Lines, Labels]:
        """Draw the wanted angles of one row.

        Parameters
        ----------
        row : int
        who : (n,) indices of individuals
        wanted : tuple of str
            With or without the side.
        """
        playback, angles = self.playback, self.playback.angles
        chosen = [arc for arc, name in zip(self.arcs, self.names, strict=True) if _asked(name, wanted)]
        if angles is None or not chosen or not len(who):
            return Lines("arcs", np.zeros((0, 2, 3)), colours(palette.ANGLE, 1, 0)), Labels(
                np.zeros((0, 3)), (), colours(palette.TEXT, 1, 0)
            )
        at = np.array([arc.keypoints for arc in chosen])
        ends = playback.points.xyz[row, who][:, at].reshape(-1, 3, 3)
        before, joint, behind = ends[:, 0], ends[:, 1], ends[:, 2]
        straight = np.tile([arc.from_straight for arc in chosen], len(who))[:, None]
        u = _unit(np.where(straight, joint - before, before - joint))
        v = _unit(behind - joint)
        length = np.minimum(np.linalg.norm(behind - joint, axis=-1), np.linalg.norm(before - joint, axis=-1))
        radius = np.minimum(0.42 * length, 0.085 * playback.size_mm)
        arc = _between(u, v)
        path = joint[:, None] + radius[:, None, None] * arc
        pieces = np.stack([path[:, :-1], path[:, 1:]], axis=2).reshape(-1, 2, 3)
        spokes = np.stack([joint, joint + radius[:, None] * u], axis=1)
        lines = np.concatenate([pieces, spokes])
        rgba = colours(palette.ANGLE, 0.9, len(lines))
        rgba[len(pieces) :, 3] = 0.35
        kept = np.isfinite(lines[..., 0]).all(1)
        which = np.array([arc.angle for arc in chosen])
        deg = angles.deg[row, who][:, which].ravel()
        half = np.full(deg.shape, np.nan)
        if angles.low_deg is not None and angles.high_deg is not None:
            half = (angles.high_deg - angles.low_deg)[row, who][:, which].ravel() / 2
        shown = np.flatnonzero(np.isfinite(deg) & np.isfinite(joint[:, 0]))
        text = tuple(_text(deg[i], half[i]) for i in shown)
        return Lines("arcs", lines[kept], rgba[kept], 2.2), Labels(
            joint[shown], text, colours(palette.TEXT, 1, len(shown)), beside=True
        )


def _text(deg: float, half: float) -> str:
    return (
        f"{deg:.0f}°"
        if not np.isfinite(half)
        else f"{deg:.0f}° ±{half:.0f}"
        if half >= 1
        else f"{deg:.0f}° ±{half:.1f}"
    )


def _asked(name: str, wanted: tuple[str, ...]) -> bool:
    return name in wanted or name.rpartition("_")[0] in wanted


def _unit(v: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))


def _between(u: FloatArray, v: FloatArray) -> FloatArray:
    """Return unit vectors on the way from u to v, (n, pieces + 1, 3)."""
    part = np.linspace(0, 1, _PIECES + 1)[:, None]
    angle = np.arccos(np.clip((u * v).sum(-1), -1, 1))[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = (np.sin((1 - part) * angle) * u[:, None] + np.sin(part * angle) * v[:, None]) / np.sin(angle)
    return np.asarray(np.where(angle > 1e-3, way, u[:, None]))
