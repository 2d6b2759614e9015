"""A person who moves in a room with the demo's cameras: what is there, and what the cameras see of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.skeleton import Skeleton
from pose3d.demo.clothes import Outfit
from pose3d.demo.figure import FigurePainter, body_limbs
from pose3d.demo.furniture import Box, hidden_by_boxes, paint_boxes
from pose3d.demo.noise import SensorNoise
from pose3d.demo.person import Frames, Person
from pose3d.demo.room import Room
from pose3d.demo.sight import hidden_by_limbs, keypoint_thickness
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["BodyScene"]

_NOISE = 2.0  # grey levels, standard deviation


class BodyScene:
    """A moving body between four walls.

    Parameters
    ----------
    seed : int
        Of the room and of the cameras' noise.
    rig : Rig
        World in mm, X forward, Z up, floor at 0.
    person : Person
    frames : Frames
        The motion.
    outfit : Outfit
    boxes : sequence of Box
        What stands in the room.

    Attributes
    ----------
    seed : int
    rig : Rig
    skeleton : Skeleton
    xyz : (n_frames, n_keypoints, 3) array, mm
    """

    def __init__(
        self, seed: int, rig: Rig, person: Person, frames: Frames, outfit: Outfit, *, boxes: Sequence[Box] = ()
    ) -> None:
        self.seed = seed
        self.rig: Rig = rig
        self.skeleton = Skeleton.preset("halpe26")
        self._height = person.height
        self._outfit = outfit
        self._limbs = body_limbs(person, frames, hair_long=outfit.hair_long)
        self._room = Room.around(rig, seed=seed, floor_mm=0.0)
        self._boxes = tuple(boxes)
        self.xyz: FloatArray = frames.keypoints(self.skeleton)

    @property
    def xy(self) -> FloatArray:
        """(n_frames, n_cameras, n_keypoints, 2) array, px: where the keypoints are in the images, seen or not."""
        return np.moveaxis(self.rig.project(self.xyz), 2, 1)

    def hidden(self, frames: IntArray) -> BoolArray:
        """Tell which keypoints body and furniture hide in some frames, (n, n_cameras, n_keypoints)."""
        thickness = keypoint_thickness(self.skeleton.keypoints, self._height)
        now = [
            replace(limb, low=limb.low[frames], high=limb.high[frames], axes=limb.axes[frames]) for limb in self._limbs
        ]
        views = [
            hidden_by_limbs(now, camera.center, self.xyz[frames], thickness)
            | hidden_by_boxes(self._boxes, camera.center, self.xyz[frames])
            for camera in self.rig
        ]
        return np.stack(views, axis=1)

    def background(self, number: int) -> np.ndarray:
        """Return what a camera sees of the empty room, without furniture, (h, w, 3) uint8."""
        return self._room.paint(self.rig.cameras[number])

    def frames(self, number: int, indices: Iterable[int], *, background: np.ndarray) -> Iterator[np.ndarray]:
        """Give what a camera sees, (h, w, 3) uint8, blue, green, red."""
        camera = self.rig.cameras[number]
        depth = None
        if self._boxes:
            background, depth = paint_boxes(background, camera, self._boxes)
        painter = FigurePainter(camera, self._limbs, self._outfit, scene=depth)
        sensor = SensorNoise(camera.size, sigma=_NOISE, rng=np.random.default_rng([self.seed, 24, number]))
        for frame in indices:
            image = background.copy()
            painter.paint(image, frame)
            yield sensor.add(image)
