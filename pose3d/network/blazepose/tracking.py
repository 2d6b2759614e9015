"""People followed from image to image: each in the region that the last image foretold, new ones by the detector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.data import Skeleton
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.network.blazepose.detector import Detections
from pose3d.network.blazepose.landmarks import Pose

__all__ = ["SKELETON", "PeopleTracker", "Person", "TrackingSettings"]

SKELETON = "blazepose33"

_LEAST_PRESENCE = 0.5
_SAME_PLACE = 0.08  # of a region's side: a detection so near to a tracked person is not looked at
_SAME_POSE = 0.04  # of a region's side, mean over the landmarks: the same person twice
_LEAST_SIDE = 16.0  # px; nobody is to be seen in so few


@dataclass(frozen=True)
class TrackingSettings:
    """How people are followed.

    Attributes
    ----------
    most_people : int
        At once; the detector's surest are taken.
    detect_every : int
        Images after which the detector looks for more people. It also looks in each image in which nobody is followed,
        and for as many images after somebody was lost.
    """

    most_people: int = 6
    detect_every: int = 15

    def __post_init__(self) -> None:
        if not (1 <= self.most_people <= 10 and self.detect_every >= 1):
            raise ValueError("most_people is 1 to 10, detect_every at least 1")


class Person(NamedTuple):
    """Somebody in an image.

    Attributes
    ----------
    slot : int
        The same from image to image while the person is followed; then free for somebody else.
    pose : Pose
    """

    slot: int
    pose: Pose


class _Detector(Protocol):
    def find(self, image: NDArray[np.uint8]) -> Detections: ...


class _Landmarks(Protocol):
    def find(self, image: NDArray[np.uint8], region: FloatArray) -> Pose: ...


class PeopleTracker:
    """Finds all people in the images of a recording, one after the other.

    Parameters
    ----------
    detector : object
        :class:`~pose3d.network.blazepose.detector.Detector`, or what finds people as it does.
    landmarks : object
        :class:`~pose3d.network.blazepose.landmarks.LandmarkNetwork`, or what finds landmarks as it does.
    settings : TrackingSettings

    Attributes
    ----------
    n_detections : int
        Images that the detector has looked at.
    """

    def __init__(self, detector: _Detector, landmarks: _Landmarks, settings: TrackingSettings) -> None:
        self._detector, self._landmarks, self._settings = detector, landmarks, settings
        self._partner = _partners()
        self._tracked: list[tuple[int, FloatArray]] = []  # slot, region
        self._idle = 0  # images since the detector looked
        self._search = 0  # images for which somebody lost is still looked for
        self._wanted = 0  # people there were before
        self.n_detections = 0

    def find(self, image: NDArray[np.uint8]) -> list[Person]:
        """Find the people in the next image.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
            Red, green, blue.

        Returns
        -------
        list of Person
            In the order of their slots.
        """
        found: list[Person] = []
        for slot, region in self._tracked:
            self._take(slot, self._landmarks.find(image, region), found)
        if len(found) < len(self._tracked):
            self._search = self._settings.detect_every
            self._wanted = max(self._wanted, len(self._tracked))
        self._idle += 1
        if not found or self._search > 0 or self._idle >= self._settings.detect_every:
            self._look_for_more(image, found)
        found.sort(key=lambda person: person.slot)
        self._tracked = [(person.slot, person.pose.region) for person in found]
        return found

    def state(self) -> dict[str, ArrayLike]:
        """Return what is needed to go on after the last image."""
        return {
            "slots": np.array([slot for slot, _ in self._tracked], dtype=np.int64),
            "regions": np.array([region for _, region in self._tracked], dtype=np.float64).reshape(-1, 4),
            "counts": np.array([self._idle, self._search, self._wanted, self.n_detections], dtype=np.int64),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self._tracked = list(zip(state["slots"].tolist(), np.array(state["regions"]), strict=True))
        self._idle, self._search, self._wanted, self.n_detections = state["counts"].tolist()

    def _look_for_more(self, image: NDArray[np.uint8], found: list[Person]) -> None:
        self._idle, self._search = 0, max(self._search - 1, 0)
        self.n_detections += 1
        for region in self._detector.find(image).regions:
            if len(found) >= self._settings.most_people:
                break
            if any(_same_place(region, person.pose.region) for person in found):
                continue
            free = next(slot for slot in range(len(found) + 1) if all(slot != person.slot for person in found))
            self._take(free, self._landmarks.find(image, region), found)
        if self._search == 0 or len(found) >= self._wanted:
            self._search = self._wanted = 0

    def _take(self, slot: int, pose: Pose, found: list[Person]) -> None:
        """Add a person who is there, can be followed, and is not among those found already."""
        there = pose.presence >= _LEAST_PRESENCE and np.isfinite(pose.region).all() and pose.region[2] >= _LEAST_SIDE
        if there and not any(self._same_pose(pose, person.pose) for person in found):
            found.append(Person(slot, pose))

    def _same_pose(self, a: Pose, b: Pose) -> bool:
        """Tell whether two poses are one person, whose sides may be exchanged in one of them."""
        near = [np.linalg.norm(a.xy - other, axis=-1).mean() for other in (b.xy, b.xy[self._partner])]
        return bool(min(near) < _SAME_POSE * min(a.region[2], b.region[2]))


def _same_place(a: FloatArray, b: FloatArray) -> bool:
    small, large = sorted((a[2], b[2]))
    return bool(np.linalg.norm(a[:2] - b[:2]) < _SAME_PLACE * small and large < 1.4 * small)


def _partners() -> IntArray:
    skeleton = Skeleton.preset(SKELETON)
    at = {name: i for i, name in enumerate(skeleton.keypoints)}
    partner = np.arange(len(at))
    for left, right in skeleton.pairs:
        partner[at[left]], partner[at[right]] = at[right], at[left]
    return partner
