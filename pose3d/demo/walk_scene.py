"""The demo's walking person in a room with four cameras."""

import numpy as np

from pose3d.data.angles import JointAngles
from pose3d.demo.body_scene import BodyScene
from pose3d.demo.clothes import make_outfit
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.walk import joint_truth, walk_body

__all__ = ["WALK_FPS", "WalkScene"]

WALK_FPS = 50.0


class WalkScene(BodyScene):
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
    angles : JointAngles
        Of the model that makes the motion.
    """

    def __init__(self, seed: int, n_frames: int, *, size: tuple[int, int]) -> None:
        rng = np.random.default_rng([seed, 41])
        person = make_person(rng)
        _, pose, frames = walk_body(person, n_frames=n_frames, fps=WALK_FPS, rng=rng)
        super().__init__(seed, make_rig(seed=seed, size=size), person, frames, make_outfit(rng))
        model = joint_truth(pose, frames)
        deg = np.stack(list(model.values()), axis=-1)[:, None]
        self.angles = JointAngles(deg, tuple(model), ("person",), fps=WALK_FPS)
