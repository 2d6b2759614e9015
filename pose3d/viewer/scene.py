"""What is drawn in space at one instant, as few merged shapes in the world's mm: for whoever draws it."""

from dataclasses import dataclass

import numpy as np

from pose3d.geometry.arrays import IntArray
from pose3d.viewer import palette
from pose3d.viewer.playback import Playback
from pose3d.viewer.scene_parts import Parts
from pose3d.viewer.shapes import Ellipsoids, Labels, Lines, Markers
from pose3d.viewer.view_camera import ViewCamera, frame_camera

__all__ = ["Scene", "SceneSettings", "ViewCamera", "build_scene", "frame_camera"]

_THIN = 0.4


@dataclass(frozen=True)
class SceneSettings:
    """What is shown.

    Attributes
    ----------
    skeleton, trails, ellipsoids, floor, frusta, shadow, centre_of_mass, events, raw, names : bool
    angles : tuple of str
        Angles that are drawn at their joint, without the side, such as ``knee_flexion``; or with it.
    trail_s : float, s
        How long trails are.
    probability : float
        With which a point lies in its ellipsoid.
    magnify : float
        How many times larger than true ellipsoids are drawn, which of good recordings are too small to see.
    second_shift_mm : float, mm
        How far a second recording is drawn to the left of the first.
    individuals : tuple of str
        Who is shown; empty for all.
    """

    skeleton: bool = True
    trails: bool = True
    ellipsoids: bool = False
    floor: bool = True
    frusta: bool = True
    shadow: bool = True
    centre_of_mass: bool = False
    events: bool = True
    raw: bool = False
    names: bool = False
    angles: tuple[str, ...] = ()
    trail_s: float = 1.0
    probability: float = 0.95
    magnify: float = 1.0
    second_shift_mm: float = 0.0
    individuals: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is drawn of one instant, from back to front where depth does not tell.

    Attributes
    ----------
    lines : tuple of Lines
        ``floor``, ``frusta`` and ``axes`` are the same objects in every frame.
    markers : tuple of Markers
    ellipsoids : Ellipsoids or None
    labels : tuple of Labels
    row : int
    """

    lines: tuple[Lines, ...]
    markers: tuple[Markers, ...]
    ellipsoids: Ellipsoids | None
    labels: tuple[Labels, ...]
    row: int

    def line(self, name: str) -> Lines | None:
        """Return the lines of one name."""
        return next((lines for lines in self.lines if lines.name == name), None)

    def marker(self, name: str) -> Markers | None:
        """Return the markers of one name."""
        return next((markers for markers in self.markers if markers.name == name), None)


def build_scene(
    playback: Playback, row: int, settings: SceneSettings | None = None, *, second: Playback | None = None
) -> Scene:
    """Build what is drawn of one row.

    Parameters
    ----------
    playback : Playback
    row : int
        Of the arrays; beyond the ends it is the first or the last.
    settings : SceneSettings, optional
    second : Playback, optional
        Another recording, such as the one before a treatment, at the same time after its beginning.
    """
    settings = settings or SceneSettings()
    parts = _parts_of(playback)
    if playback.n_frames == 0:
        return Scene((parts.floor,), (), None, (), 0)
    row = min(max(int(row), 0), playback.n_frames - 1)
    who = _who(playback, settings.individuals)
    lines: list[Lines] = []
    markers: list[Markers] = []
    labels: list[Labels] = []
    thin = _THIN if settings.ellipsoids else 1.0  # so that what lies about the joints is seen
    bones = parts.bones(row, who, thin=thin)
    if settings.floor:
        lines += [parts.floor, parts.axes]
    if settings.shadow:
        lines.append(parts.shadow(bones))
    if settings.events and playback.events is not None:
        markers += parts.events(row)
    if settings.trails:
        lines.append(parts.trails(row, who, settings.trail_s))
    if settings.frusta and playback.rig is not None:
        lines.append(parts.frusta[0])
        labels.append(parts.frusta[1])
    if settings.raw and playback.raw is not None:
        raw = _parts_of(_raw_of(playback))
        lines.append(raw.bones(row, who, name="raw", colour=palette.RAW, alpha=0.8))
        markers.append(raw.joints(row, who, name="raw_joints", colour=palette.RAW, alpha=0.8))
    if second is not None and second.n_frames:
        other = _second(playback, second, row, settings)
        lines.append(other[0])
        markers.append(other[1])
    if settings.skeleton:
        lines.append(bones)
        markers.append(parts.joints(row, who, thin=thin))
    mass = parts.mass(row, who) if settings.centre_of_mass else None
    if mass is not None:
        markers.append(mass[0])
        lines.append(mass[1])
    if settings.angles:
        arcs, numbers = parts.arcs.draw(row, who, settings.angles)
        lines.append(arcs)
        labels.append(numbers)
    if settings.names:
        labels.append(parts.names(row, who))
    ellipsoids = parts.ellipsoids(row, who, settings.probability, settings.magnify) if settings.ellipsoids else None
    return Scene(tuple(lines), tuple(markers), ellipsoids, tuple(labels), row)


def _parts_of(playback: Playback) -> Parts:
    """Return the playback's parts, which live as long as it does."""
    kept = vars(playback)
    if "_parts" not in kept:
        kept["_parts"] = Parts(playback)
    parts: Parts = kept["_parts"]
    return parts


def _raw_of(playback: Playback) -> Playback:
    kept = vars(playback)
    if "_raw" not in kept:
        assert playback.raw is not None
        kept["_raw"] = Playback(playback.name, playback.raw, playback.skeleton)
    raw: Playback = kept["_raw"]
    return raw


def _who(playback: Playback, wanted: tuple[str, ...]) -> IntArray:
    names = playback.points.individuals
    chosen = [i for i, name in enumerate(names) if not wanted or name in wanted]
    return np.array(chosen, dtype=np.int64)


def _second(playback: Playback, second: Playback, row: int, settings: SceneSettings) -> tuple[Lines, Markers]:
    own = min(round(row / playback.fps * second.fps), second.n_frames - 1)
    parts, who = _parts_of(second), _who(second, ())
    bones = parts.bones(own, who, name="second", colour=palette.SECOND, alpha=0.85)
    joints = parts.joints(own, who, name="second_joints", colour=palette.SECOND, alpha=0.85)
    shift = settings.second_shift_mm * playback.ground.axes[1]
    return (
        Lines(bones.name, bones.xyz + shift, bones.rgba, bones.width_px, bones.radius_mm),
        Markers(joints.name, joints.xyz + shift, joints.rgba, joints.radius_px, joints.radius_mm),
    )
