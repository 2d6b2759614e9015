"""The demo's walking person in a room with four cameras: what is there, and what the cameras see of it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from pose3d.data.angles import JointAngles
from pose3d.data.camera import Rig
from pose3d.data.skeleton import Skeleton
from pose3d.demo.clothes import make_outfit
from pose3d.demo.figure import FigurePainter, body_limbs
from pose3d.demo.noise import SensorNoise
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.room import Room
from pose3d.demo.sight import hidden_by_limbs, keypoint_thickness
from pose3d.demo.walk import joint_truth, walk_body
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["WALK_FPS", "WalkScene"]

WALK_FPS = 50.0
_NOISE = 2.0  # grey levels, standard deviation


class WalkScene:
    """A person who walks through a room.

    Parameters
    ----------
    seed : int
        Another seed is another person, walk, room and rig; the same seed is the same scene.
    n_frames : int
        Of the walk, at 50 fps.
    size : (int, int), px

    Attributes
    ----------
    rig : Rig
        World in mm, X along the walkway, Z up.
    skeleton : Skeleton
    xyz : (n_frames, n_keypoints, 3) array, mm
    angles : JointAngles
        Of the model that makes the motion.
    """

    def __init__(self, seed: int, n_frames: int, *, size: tuple[int, int]) -> None:
        self.seed = seed
        self.rig: Rig = make_rig(seed=seed, size=size)
        self.skeleton = Skeleton.preset("halpe26")
        rng = np.random.default_rng([seed, 41])
        person = make_person(rng)
        _, pose, frames = walk_body(person, n_frames=n_frames, fps=WALK_FPS, rng=rng)
        self._height = person.height
        self._outfit = make_outfit(rng)
        self._limbs = body_limbs(person, frames, hair_long=self._outfit.hair_long)
        self._room = Room.around(self.rig, seed=seed, floor_mm=0.0)
        self.xyz: FloatArray = frames.keypoints(self.skeleton)
        model = joint_truth(pose, frames)
        deg = np.stack(list(model.values()), axis=-1)[:, None]
        self.angles = JointAngles(deg, tuple(model), ("person",), fps=WALK_FPS)

    @property
    def xy(self) -> FloatArray:
        """(n_frames, n_cameras, n_keypoints, 2) array, px: where the keypoints are in the images, seen or not."""
        return np.moveaxis(self.rig.project(self.xyz), 2, 1)

    def hidden(self, frames: IntArray) -> BoolArray:
        """Tell which keypoints the body hides in some frames, (n, n_cameras, n_keypoints)."""
        thickness = keypoint_thickness(self.skeleton.keypoints, self._height)
        now = [
            replace(limb, low=limb.low[frames], high=limb.high[frames], axes=limb.axes[frames]) for limb in self._limbs
        ]
        views = [hidden_by_limbs(now, camera.center, self.xyz[frames], thickness) for camera in self.rig]
        return np.stack(views, axis=1)

    def background(self, number: int) -> np.ndarray:
        """Return what a camera sees of the empty room, (h, w, 3) uint8."""
        return self._room.paint(self.rig.cameras[number])

    def frames(self, number: int, indices: Iterable[int], *, background: np.ndarray) -> Iterator[np.ndarray]:
        """Give what a camera sees, (h, w, 3) uint8, blue, green, red."""
        camera = self.rig.cameras[number]
        painter = FigurePainter(camera, self._limbs, self._outfit)
        sensor = SensorNoise(camera.size, sigma=_NOISE, rng=np.random.default_rng([self.seed, 24, number]))
        for frame in indices:
            image = background.copy()
            painter.paint(image, frame)
            yield sensor.add(image)
