"""What was selected among several people, said for people and for programs; where a selection goes on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.data import Keypoints2D
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.people_in_frames import People
from pose3d.reconstruction.association.tracks import Reach, Tracks
from pose3d.reconstruction.association.tracks_chain import Build, Chain, LastSeen

__all__ = ["OtherPerson", "SubjectHint", "SubjectSelection", "SubjectState", "describe_others"]

_MOST_OTHERS = 5
_MENTIONED = 0.02  # of the frames: shorter appearances are not worth a line


@dataclass(frozen=True)
class SubjectHint:
    """Where the subject is at one frame: a place in space, or a pixel in one camera.

    Attributes
    ----------
    frame : int
        Number of the frame, as the detections count.
    place_mm : (float, float, float), optional
        In the world of the calibration, within about a body's length of the subject.
    camera : str, optional
    pixel : (float, float), optional
        On or near the subject in the image of `camera`, px.

    Raises
    ------
    ConfigError
        If neither a place nor both of camera and pixel are given.
    """

    frame: int
    place_mm: tuple[float, float, float] | None = None
    camera: str | None = None
    pixel: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.place_mm is None and (self.camera is None or self.pixel is None):
            raise ConfigError("hint: says neither a place nor camera and pixel; give one of them")
        numbers = [*(self.place_mm or ()), *(self.pixel or ())]
        if not np.isfinite(numbers).all():
            raise ConfigError("hint: a coordinate is no finite number; give numbers")


@dataclass(frozen=True)
class OtherPerson:
    """Somebody else who was there for a while.

    Attributes
    ----------
    first, last : int
        Frames.
    n_frames : int
        Frames in which several views agreed.
    mean_views : float
    place_mm : (float, float, float)
        Median of the centre.
    """

    first: int
    last: int
    n_frames: int
    mean_views: float
    place_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False, repr=False)
class SubjectState:
    """What the next run of frames must know to go on with the same person.

    Attributes
    ----------
    threshold_px : (n_cameras,) array
    reach : Reach or None
        None until anybody was found.
    context : People or None
        Last frames.
    is_subject : (n_frames, n_hypotheses) bool array or None
        Which hypotheses of `context` are the subject.
    last_frame : int or None
        Where the subject was last found.
    pose : (n_keypoints, 3) array or None
        There.
    build : Build or None
    """

    threshold_px: FloatArray
    reach: Reach | None = None
    context: People | None = None
    is_subject: BoolArray | None = None
    last_frame: int | None = None
    pose: FloatArray | None = None
    build: Build | None = None

    def last_seen(self, number: int) -> LastSeen | None:
        """Return where the subject was last, counted from the frame of that number."""
        if self.last_frame is None or self.pose is None or self.build is None:
            return None
        return LastSeen(self.last_frame - number, self.pose, self.build)


@dataclass(frozen=True, eq=False, repr=False)
class SubjectSelection:
    """Detections of one person, and how they were chosen.

    Attributes
    ----------
    keypoints : Keypoints2D
        One individual.
    chosen : (n_frames, n_cameras) int array
        Index of the individual in the detections; -1 where the view does not show the subject, or it is not known.
    joined : (n_frames, n_cameras) bool array
        Where keypoints of further detections, pieces of the same person, were added.
    offered : (n_frames, n_cameras) int array
        Number of detections.
    lone : (n_frames, n_cameras) int array
        Number of detections of somebody whom no second view shows there.
    others : tuple of OtherPerson
    returns : tuple of (int, int)
        Last frame before and first frame after an absence from which the subject is known by build alone.
    state : SubjectState or None
        For the frames that follow; None where nothing was to be chosen.
    """

    keypoints: Keypoints2D
    chosen: IntArray
    joined: BoolArray
    offered: IntArray
    lone: IntArray
    others: tuple[OtherPerson, ...] = ()
    returns: tuple[tuple[int, int], ...] = ()
    state: SubjectState | None = None

    @classmethod
    def alone(cls, keypoints: Keypoints2D) -> "SubjectSelection":
        """Take the only individual that there is."""
        there = np.isfinite(keypoints.xy[:, :, 0, :, 0]).any(-1)
        offered = np.asarray(there, dtype=np.int64)
        joined = np.zeros(there.shape, dtype=bool)
        return cls(keypoints, np.asarray(offered - 1), joined, offered, np.zeros_like(offered))

    def __repr__(self) -> str:
        found = int((self.chosen >= 0).any(1).sum())
        return f"SubjectSelection(found in {found} of {len(self.chosen)} frames, {len(self.others)} others)"

    @property
    def unresolved(self) -> IntArray:
        """Frames in which two views or more show somebody and none is taken for the subject."""
        missing = ((self.offered > 0).sum(1) >= 2) & (self.chosen < 0).all(1)
        return np.flatnonzero(missing) + self.keypoints.start

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        cameras = {
            name: {
                "frames_chosen": int((self.chosen[:, c] >= 0).sum()),
                "frames_with_several": int((self.offered[:, c] > 1).sum()),
                "frames_joined": int(self.joined[:, c].sum()),
                "frames_with_somebody_alone": int((self.lone[:, c] > 0).sum()),
            }
            for c, name in enumerate(self.keypoints.cameras)
        }
        others = [
            {
                "first": other.first,
                "last": other.last,
                "n_frames": other.n_frames,
                "mean_views": other.mean_views,
                "place_mm": list(other.place_mm),
            }
            for other in self.others
        ]
        return {
            "n_frames": len(self.chosen),
            "frames_chosen": int((self.chosen >= 0).any(1).sum()),
            "frames_unresolved": self.unresolved.tolist(),
            "returns": [list(pair) for pair in self.returns],
            "cameras": cameras,
            "others": others,
        }

    def lines(self) -> list[str]:
        """Return what was chosen as lines for people; none where there was nothing to choose."""
        if self.state is None and not (self.offered > 1).any():
            return []
        n = len(self.chosen)
        out = [f"subject found in {int((self.chosen >= 0).any(1).sum())} of {n} frames"]
        width = max(len(name) for name in self.keypoints.cameras)
        for c, name in enumerate(self.keypoints.cameras):
            line = f"{name:<{width}}  shows it in {int((self.chosen[:, c] >= 0).sum())} frames"
            line += f", several people in {int((self.offered[:, c] > 1).sum())}"
            if self.joined[:, c].any():
                line += f", it in pieces in {int(self.joined[:, c].sum())}"
            if (self.lone[:, c] > 0).any():
                line += f", somebody whom no other view shows in {int((self.lone[:, c] > 0).sum())}"
            out.append(line)
        missing = self.unresolved
        if len(missing):
            out.append(f"nobody chosen in {len(missing)} frames in which views show people: {_runs(missing)}")
        for before, after in self.returns:
            out.append(f"away from frame {before} to {after}: who comes back is taken for the same person; check")
        for other in self.others:
            place = ", ".join(f"{value / 1000:.1f}" for value in other.place_mm)
            out.append(
                f"somebody else in {other.n_frames} frames ({other.first} to {other.last}), seen by "
                f"{other.mean_views:.1f} views, near {place} m; a hint (frame and place) chooses it"
            )
        return out


def _runs(frames: IntArray) -> str:
    """Write frame numbers as ranges, the first few of them."""
    breaks = np.flatnonzero(np.diff(frames) > 1)
    first, last = frames[np.r_[0, breaks + 1]], frames[np.r_[breaks, len(frames) - 1]]
    words = [str(a) if a == b else f"{a} to {b}" for a, b in zip(first[:5], last[:5], strict=True)]
    return ", ".join(words) + (" and more" if len(first) > 5 else "")


def describe_others(
    people: People, tracks: Tracks, chain: Chain, *, frames: slice, number: int, origin: FloatArray
) -> tuple[OtherPerson, ...]:
    """List who else is there, the longest first.

    Who for the most part claims detections of somebody better is nobody.

    Parameters
    ----------
    people : People
    tracks : Tracks
    chain : Chain
    frames : slice
        Of `people`, that are spoken of.
    number : int
        Of the first frame of `people`.
    origin : (3,) array, mm
    """
    track = tracks.label[frames]
    there = track >= 0
    label = np.where(there, np.append(chain.person, -1)[track], -1)
    start = frames.indices(len(tracks.label))[0]
    count = np.bincount(label[there], minlength=1)
    mine = np.isin(track, chain.tracks) & there
    count[label[mine]] = 0
    claimed = np.where(mine[..., None], people.detection[frames], -1).max(1)
    taken = [claimed]
    out: list[OtherPerson] = []
    for person in np.argsort(-count, kind="stable"):
        if count[person] <= max(2, _MENTIONED * len(label)) or len(out) == _MOST_OTHERS:
            break
        f, h = np.nonzero(label == person)
        own = people.detection[frames][f, h]
        shared = np.any([((own == some[f]) & (own >= 0)).any(-1) for some in taken], axis=0)
        if shared.mean() > 0.5:
            continue
        held = np.full_like(claimed, -1)
        held[f] = own
        taken.append(held)
        x, y, z = np.median(people.center[frames][f, h], axis=0) + origin
        first, last = int(f.min()) + start + number, int(f.max()) + start + number
        views = float((own >= 0).sum(-1).mean())
        out.append(OtherPerson(first, last, int(count[person]), views, (float(x), float(y), float(z))))
    return tuple(out)
