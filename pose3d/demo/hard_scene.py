"""A scene that is hard for a network: furniture in front, blurred limbs in plain clothes, something else that moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.data.labels import Mark
from pose3d.data.skeleton import Skeleton
from pose3d.demo.clothes import Outfit, make_plain_outfit
from pose3d.demo.figure import FigurePainter, Limb, body_limbs
from pose3d.demo.furniture import Box, hidden_by_boxes, paint_boxes, place_boxes
from pose3d.demo.noise import SensorNoise
from pose3d.demo.person import Frames, Person, Pose, axis_rotation, make_person, place_body
from pose3d.demo.rig import look_at
from pose3d.demo.room import Room
from pose3d.demo.sight import hidden_by_limbs, keypoint_thickness
from pose3d.demo.trials import TRIAL_SKELETON
from pose3d.demo.walk import fit_stride, make_pose
from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["HARD_CAMERAS", "HARD_SKELETON", "HardScene"]

HARD_CAMERAS = ("cam1", "cam2", "cam3", "cam4")
HARD_SKELETON: Skeleton = TRIAL_SKELETON
_EXPOSURE_S = 0.012
_MOMENTS = (-1 / 3, 0.0, 1 / 3)  # of the exposure, rendered and averaged where limbs are fast
_STILL_PX = 3.5  # during an exposure; of what moves less one moment does
_TEXELS = 800


@dataclass(frozen=True, eq=False)
class _Motion:
    """Body parts and keypoints at all moments."""

    limbs: list[Limb]
    xyz: FloatArray
    person: Person


def _make_rig(rng: np.random.Generator, size: tuple[int, int]) -> Rig:
    """Stand four cameras around the middle, from hip height to above the head."""
    cameras = []
    start = rng.uniform(0, 2 * np.pi)
    for i, name in enumerate(HARD_CAMERAS):
        angle = start + np.pi / 2 * i + rng.normal(0, 0.2)
        away = rng.uniform(3500, 4100)
        center = [away * np.cos(angle), away * np.sin(angle), rng.uniform(1000, 2400)]
        target = np.array([0.0, 0.0, 880.0]) + rng.normal(0, 60, 3)
        rotation, translation = look_at(center, target, roll_deg=float(rng.normal(0, 3)))
        focal = size[0] * rng.uniform(0.84, 0.92)
        cx, cy = (np.array(size) - 1) / 2 + rng.normal(0, 0.006 * size[0], 2)
        matrix = np.array([[focal, 0.0, cx], [0.0, focal, cy], [0.0, 0.0, 1.0]])
        lens = np.array([rng.uniform(-0.14, -0.05), rng.uniform(0.01, 0.05), *rng.normal(0, 5e-4, 2), 0.0])
        cameras.append(Camera(name, size, matrix, lens, rotation, translation))
    return Rig(tuple(cameras))


def _walk_path(distance: FloatArray, *, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Follow a figure of eight around the origin.

    Returns
    -------
    place : (n, 3) array, mm
    heading_deg : (n,) array
    """
    long, wide, turn = rng.uniform(620, 800), rng.uniform(420, 560), rng.uniform(0, 2 * np.pi)
    first = rng.uniform(0, 1)
    u = np.linspace(0, 2 * np.pi, 721)
    curve = np.stack([long * np.sin(u), wide * np.sin(2 * u)], axis=-1)
    curve = curve @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=-1))])
    step = np.gradient(curve, axis=0)
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    s = (distance + first * along[-1]) % along[-1]
    place = np.stack([np.interp(s, along, curve[:, 0]), np.interp(s, along, curve[:, 1]), np.zeros(len(s))], axis=-1)
    return place, np.asarray(np.degrees(np.interp(s, along, heading)))


def _wave(times: FloatArray, rng: np.random.Generator, low: float, high: float) -> FloatArray:
    """Return a slow random swing between two values."""
    rates, phases = rng.uniform(0.25, 0.7, 2), rng.uniform(0, 2 * np.pi, 2)
    wave = np.sin(2 * np.pi * rates[0] * times + phases[0]) + 0.7 * np.sin(2 * np.pi * rates[1] * times + phases[1])
    return np.asarray(low + (high - low) * (0.5 + wave / 3.4))


def _gesture(pose: Pose, times: FloatArray, rng: np.random.Generator) -> Pose:
    """Let the arms do something else than swing, and the trunk bend."""

    def both(part: tuple[FloatArray, FloatArray], low: float, high: float) -> tuple[FloatArray, FloatArray]:
        left, right = (angle + _wave(times, rng, low, high) for angle in part)
        return left, right

    return replace(
        pose,
        shoulder_flexion=both(pose.shoulder_flexion, -10, 95),
        shoulder_abduction=both(pose.shoulder_abduction, 0, 35),
        elbow_flexion=both(pose.elbow_flexion, 0, 75),
        trunk_lean=pose.trunk_lean + _wave(times, rng, -3, 16),
        thorax_rotation=pose.thorax_rotation + _wave(times, rng, -20, 20),
    )


def _walk(times: FloatArray, rng: np.random.Generator, hair_long: bool) -> _Motion:
    person = make_person(rng)
    stride = fit_stride(person, length=person.height * rng.uniform(0.55, 0.68), period=120 / rng.uniform(92, 112))
    phase = rng.uniform(0, 1) + times / stride.period
    pose = make_pose(stride, phase, rng=rng)
    pose.pelvis[:, 0] -= stride.length * (phase - phase[[0, -1]].mean())  # on the spot, to be carried along the path
    body = place_body(person, _gesture(pose, times, rng))
    place, heading = _walk_path(stride.speed * times, rng=rng)
    turn = axis_rotation(2, heading)
    points = {name: np.einsum("nij,nj->ni", turn, at) + place for name, at in body.points.items()}
    frames = Frames(points, {name: turn @ axes for name, axes in body.axes.items()}, body.soles)
    return _Motion(body_limbs(person, frames, hair_long=hair_long), frames.keypoints(HARD_SKELETON), person)


def _distractor(times: FloatArray, rng: np.random.Generator) -> list[Limb]:
    """Let a clothes stand roll around the walk, with a ball that swings on it: nothing of it is a person."""
    angle = _wave(0.3 * times, rng, 0, 2 * np.pi) + rng.uniform(0, 2 * np.pi)
    away = rng.uniform(1150, 1280)
    foot = away * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    height, up = rng.uniform(900, 1500), np.array([0.0, 0.0, 1.0])
    level = np.broadcast_to(np.eye(3), (len(times), 3, 3))
    swing = _wave(times, rng, -1, 1)[:, None] * np.array([120.0, 90.0, 0.0])
    ball = foot + (height + 90) * up + swing
    thick = rng.uniform(60, 110)
    return [
        Limb("thigh", foot + 60 * up, foot + 0.5 * height * up, level, (thick, thick)),
        Limb("upper_arm", foot + 0.5 * height * up, foot + height * up, level, (thick, 0.5 * thick)),
        Limb("distractor", ball, ball + 20 * up, level, (105.0, 105.0)),
    ]


class HardScene:
    """A person who walks between furniture, at chosen times, and four cameras.

    Parameters
    ----------
    seed : int
        Another seed is another person, clothes and motion, and another laboratory unless that is given.
    times : (n_frames,) array, s
    size : (int, int), px
    laboratory : int, optional
        Another number is another room, furniture, rig and lamps; by default the seed.

    Attributes
    ----------
    rig : Rig
    boxes : tuple of Box
    xyz : (n_frames, n_keypoints, 3) array, mm
        True keypoints of :data:`HARD_SKELETON`; world in mm, Z up, origin on the floor.
    """

    def __init__(
        self, seed: int, times: FloatArray, *, size: tuple[int, int] = (640, 480), laboratory: int | None = None
    ) -> None:
        self.seed, self.size = seed, size
        place = seed if laboratory is None else laboratory
        self._times = np.asarray(times, dtype=np.float64)
        streams = [np.random.default_rng([place if part < 2 else seed, 61, part]) for part in range(6)]
        self.rig = _make_rig(streams[0], size)
        room = Room.around(self.rig, seed=place, floor_mm=0.0, texels=_TEXELS)
        self._room = replace(room, samples=1)  # the lens is soft enough to hide the steps
        self.boxes: tuple[Box, ...] = place_boxes(self.rig, rng=streams[1], n=int(streams[1].integers(3, 6)))
        outfit = make_plain_outfit(streams[2])
        color = outfit.textures["skin"] if streams[2].random() < 0.5 else outfit.textures["foot"]
        self._outfit = Outfit(outfit.textures | {"distractor": color}, outfit.hair_long)
        moments = (self._times[:, None] + _EXPOSURE_S * np.array(_MOMENTS)).ravel()
        motion = _walk(moments, streams[3], outfit.hair_long)
        self._limbs = motion.limbs + _distractor(moments, streams[4])
        self._person, self._moments = motion.person, motion.xyz.reshape(len(self._times), len(_MOMENTS), -1, 3)
        self.xyz: FloatArray = self._moments[:, 1]
        self._look = [_Look(seed, place, number) for number in range(len(self.rig))]

    def place(self) -> tuple[FloatArray, np.ndarray]:
        """Return where the keypoints are in the images, and what of them is seen.

        Returns
        -------
        xy : (n_frames, n_cameras, n_keypoints, 2) array, px
            NaN where out of the image.
        mark : (n_frames, n_cameras, n_keypoints) uint8 array
            Of :class:`~pose3d.data.labels.Mark`: visible, occluded, or absent where out of the image.
        """
        xy = np.moveaxis(self.rig.project(self.xyz), 2, 1).copy()
        w, h = self.size
        inside = np.isfinite(xy).all(-1) & (xy >= 0).all(-1) & (xy <= (w - 1, h - 1)).all(-1)
        thickness = keypoint_thickness(HARD_SKELETON.keypoints, self._person.height)
        now = [replace(limb, low=limb.low[1::3], high=limb.high[1::3], axes=limb.axes[1::3]) for limb in self._limbs]
        hidden = [
            hidden_by_limbs(now, camera.center, self.xyz, thickness)
            | hidden_by_boxes(self.boxes, camera.center, self.xyz)
            for camera in self.rig
        ]
        mark = np.where(np.stack(hidden, axis=1), np.uint8(Mark.OCCLUDED), np.uint8(Mark.VISIBLE))
        mark[~inside] = Mark.ABSENT
        xy[~inside] = np.nan
        return xy, mark

    def painter(self, camera_number: int) -> "HardPainter":
        """Prepare what one camera sees."""
        camera = self.rig.cameras[camera_number]
        background, depth = paint_boxes(self._room.paint(camera), camera, self.boxes)
        moved = np.diff(camera.project(self._moments), axis=1)
        with np.errstate(invalid="ignore"):
            fast = np.nan_to_num(np.linalg.norm(moved, axis=-1)).max(axis=(1, 2)) * len(_MOMENTS) > _STILL_PX
        figure = FigurePainter(camera, self._limbs, self._outfit, scene=depth)
        return HardPainter(background, figure, fast, self._look[camera_number], self._times)


class _Look:
    """Light, colours, softness and noise of one camera."""

    def __init__(self, seed: int, laboratory: int, camera_number: int) -> None:
        light = np.random.default_rng([laboratory, 62])  # the lamps are the same for all cameras
        self._rate, self._phase = light.uniform(0.15, 0.4), light.uniform(0, 2 * np.pi)
        self._swing, self._dim = light.uniform(0.08, 0.2), light.uniform(0.55, 0.8)
        self._switch_s = light.uniform(2.0, 5.0, 2)
        rng = np.random.default_rng([laboratory, 63, camera_number])
        self._gamma, self._gain = rng.uniform(0.8, 1.25), rng.uniform(0.85, 1.15)
        self._white = 1 + rng.normal(0, 0.05, 3)
        self._seed, self._number = seed, camera_number
        self.softness_px, self.noise = rng.uniform(0.4, 0.9), rng.uniform(2.0, 5.0)

    def sensor(self, size: tuple[int, int]) -> SensorNoise:
        """Make the noise."""
        return SensorNoise(size, sigma=self.noise, rng=np.random.default_rng([self._seed, 64, self._number]))

    def frame_rng(self, time_s: float) -> np.random.Generator:
        """Return the random numbers of the frame at a time."""
        return np.random.default_rng([self._seed, 65, self._number, round(time_s * 1e4) + 10_000_000])

    def table(self, time_s: float) -> np.ndarray:
        """Return (256, 1, 3) uint8: what becomes of each grey level at a time."""
        on, off = self._switch_s
        lamp = 1.0 if time_s % (on + off) < on else self._dim
        gain = self._gain * lamp * (1 + self._swing * np.sin(2 * np.pi * self._rate * time_s + self._phase))
        level = (np.arange(256) / 255)[:, None, None] ** self._gamma * gain * self._white
        return np.asarray(np.clip(255 * level + 0.5, 0, 255), dtype=np.uint8)


class HardPainter:
    """Renders the frames of one camera of a :class:`HardScene`, in any order.

    Parameters
    ----------
    background : (h, w, 3) uint8 array
    figure : FigurePainter
        Of three moments a frame.
    fast : (n_frames,) bool array
        Whether limbs blur.
    look : light, colours and noise of the camera
    times : (n_frames,) array, s
    """

    def __init__(
        self, background: np.ndarray, figure: FigurePainter, fast: np.ndarray, look: _Look, times: FloatArray
    ) -> None:
        self._background, self._figure, self._fast, self._look, self._times = background, figure, fast, look, times
        h, w = background.shape[:2]
        self._sensor = look.sensor((w, h))

    def render(self, frame: int) -> np.ndarray:
        """Return one frame, (h, w, 3) uint8, blue, green, red."""
        moments = range(3 * frame, 3 * frame + 3) if self._fast[frame] else (3 * frame + 1,)
        images = []
        for moment in moments:
            images.append(self._background.copy())
            self._figure.paint(images[-1], moment)
        image = images[0]
        if len(images) == 3:
            image = cv2.addWeighted(cv2.addWeighted(images[0], 0.5, images[2], 0.5, 0), 2 / 3, images[1], 1 / 3, 0)
        time_s = float(self._times[frame])
        image = cv2.LUT(image, self._look.table(time_s))
        image = cv2.GaussianBlur(image, (5, 5), self._look.softness_px)
        return self._sensor.add(np.asarray(image), rng=self._look.frame_rng(time_s))

    def frames(self, indices: Sequence[int] | IntArray) -> np.ndarray:
        """Return frames, (n, h, w, 3) uint8."""
        return np.stack([self.render(int(i)) for i in indices])
