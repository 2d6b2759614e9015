"""A walk of a given body: the joint curves of normal gait, bent as little as keeps the stance foot on its spot."""

from dataclasses import dataclass

import numpy as np

from pose3d.demo.gait import gait_curve
from pose3d.demo.person import Frames, Person, Pose, axis_rotation, leg_frames, place_body
from pose3d.geometry.arrays import FloatArray

__all__ = ["Stride", "fit_stride", "joint_truth", "make_pose", "walk_body"]

_PHASES = 80
_JOINTS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_flexion", "ankle_dorsiflexion")
_HARMONICS = {"hip_flexion": 5, "hip_adduction": 4, "hip_rotation": 3, "knee_flexion": 7, "ankle_dorsiflexion": 8}
_SPREAD_DEG = {  # how far a curve may leave the normal one, 1 SD; about the scatter between healthy adults
    "hip_flexion": 3.0,
    "hip_adduction": 2.5,
    "hip_rotation": 3.0,
    "knee_flexion": 3.0,
    "ankle_dorsiflexion": 3.0,
}
_PELVIS_HARMONICS = ((2, 4), (1, 3), (2, 4))  # x, y, z: a symmetric gait has even ones along and odd ones across
_PELVIS_SPREAD = (15.0, 20.0, 20.0)  # mm


@dataclass(frozen=True, eq=False)
class Stride:
    """One cycle of a symmetric gait, as Fourier coefficients.

    Attributes
    ----------
    length : float
        mm a cycle.
    period : float
        s.
    joints : dict of str to (2 n + 1,) array, degrees
        Mean, then cosine and sine of each harmonic, over the cycle of the leg itself.
    pelvis : tuple of three arrays, mm
        Cosine and sine of the harmonics of x, y and z over the right leg's cycle.
    pelvis_height : float
        Mean height of the middle of the hips, mm.
    """

    length: float
    period: float
    joints: dict[str, FloatArray]
    pelvis: tuple[FloatArray, FloatArray, FloatArray]
    pelvis_height: float

    @property
    def speed(self) -> float:
        """Mean speed, mm/s."""
        return self.length / self.period


def _basis(phase: FloatArray, harmonics: tuple[int, ...], *, mean: bool) -> FloatArray:
    """Return columns 1 (if `mean`), cos, sin of each harmonic, (..., n)."""
    angle = 2 * np.pi * phase[..., None] * np.array(harmonics)
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(*phase.shape, -1)
    return np.concatenate([np.ones((*phase.shape, 1)), waves], axis=-1) if mean else waves


def _joint_basis(name: str, phase: FloatArray) -> FloatArray:
    return _basis(phase, tuple(range(1, _HARMONICS[name] + 1)), mean=True)


def _pelvis_axes(phase: FloatArray) -> FloatArray:
    """Return the attitude of the pelvis over the right leg's cycle, (..., 3, 3)."""
    return np.asarray(
        axis_rotation(2, gait_curve("pelvis_rotation", phase))
        @ axis_rotation(0, -gait_curve("pelvis_obliquity", phase))
        @ axis_rotation(1, gait_curve("pelvis_tilt", phase))
    )


def _window(phase: FloatArray, start: float, end: float, ramp: float = 0.03) -> FloatArray:
    return np.clip((phase - start) / ramp, 0, 1) * np.clip((end - phase) / ramp, 0, 1)


class _Fit:
    """Residuals of one leg's cycle, for Gauss-Newton over Fourier coefficients."""

    def __init__(self, person: Person, length: float) -> None:
        self.person, self.length = person, length
        self.phase = np.arange(_PHASES) / _PHASES
        self.axes = _pelvis_axes(self.phase)
        self.bases = [_joint_basis(name, self.phase) for name in _JOINTS]
        self.targets = [gait_curve(name, self.phase) for name in _JOINTS]
        self.pelvis_bases = [_basis(self.phase, h, mean=False) for h in _PELVIS_HARMONICS]
        sizes = [b.shape[1] for b in self.bases] + [b.shape[1] for b in self.pelvis_bases] + [1]
        self.cuts = np.cumsum(sizes)[:-1]
        # when heel, ball and tip bear the foot; together they cover stance
        self.bears = np.stack(
            [_window(self.phase, -0.02, 0.36), _window(self.phase, 0.07, 0.52), _window(self.phase, 0.50, 0.62)], -1
        )
        self.swings = _window(self.phase, 0.66, 0.97)

    def start(self) -> FloatArray:
        """Return the curves of normal gait as parameters (n,)."""
        joints = [np.linalg.lstsq(b, t, rcond=None)[0] for b, t in zip(self.bases, self.targets, strict=True)]
        zeros = [np.zeros(b.shape[1]) for b in self.pelvis_bases]
        height = 0.97 * (self.person.thigh + self.person.shank) + self.person.ankle_height
        return np.concatenate([*joints, *zeros, [height]])

    def residuals(self, parameters: FloatArray) -> FloatArray:
        """Return residuals in standard deviations, (batch, m), of parameters (batch, n)."""
        parts = np.split(parameters, self.cuts, axis=-1)
        curves = [part @ basis.T for part, basis in zip(parts[:5], self.bases, strict=True)]
        flexion, adduction, rotation, knee, ankle = curves
        axes = np.broadcast_to(self.axes, (*flexion.shape, 3, 3))
        _, _, sole = leg_frames(self.person, 1, axes, (flexion, adduction, rotation, knee, ankle))
        moves = [part @ basis.T for part, basis in zip(parts[5:8], self.pelvis_bases, strict=True)]
        pelvis = np.stack(moves, axis=-1)
        pelvis[..., 0] += self.length * self.phase
        pelvis[..., 2] += parts[8]
        sole = sole + pelvis[..., None, :]
        share = np.sqrt(1 / _PHASES)
        out = [
            1.6 * share * (curve - target) / _SPREAD_DEG[name]
            for name, curve, target in zip(_JOINTS, curves, self.targets, strict=True)
        ]
        out += [part / spread / 3 for part, spread in zip(parts[5:8], _PELVIS_SPREAD, strict=True)]
        weight = self.bears[..., None]
        spot = (sole * weight).sum(-3, keepdims=True) / weight.sum(0)
        slide = (sole - spot)[..., :2] * weight / 2.0
        height = sole[..., 2]
        out.append(share * slide.reshape(*flexion.shape[:-1], -1))
        out.append(share * (height * self.bears / 2.0).reshape(*flexion.shape[:-1], -1))
        out.append(share * (np.minimum(height, 0) / 1.0).reshape(*flexion.shape[:-1], -1))
        out.append(share * (np.minimum(height - 14.0, 0) * self.swings[:, None] / 1.5).reshape(*flexion.shape[:-1], -1))
        return np.concatenate(out, axis=-1)


def fit_stride(person: Person, *, length: float, period: float) -> Stride:
    """Bend the curves of normal gait so that the stance foot stays where it stands.

    Least squares (Gauss-Newton with a numerical Jacobian) between those curves, the floor and a foot that
    does not slide; a few degrees are enough.

    Parameters
    ----------
    person : Person
    length : float
        mm a cycle.
    period : float
        s.

    Returns
    -------
    Stride
    """
    fit = _Fit(person, length)
    x = fit.start()
    damping = 1e-3
    r = fit.residuals(x[None])[0]
    for _ in range(25):
        step = 1e-4
        J = (fit.residuals(x + step * np.eye(len(x))) - fit.residuals(x - step * np.eye(len(x)))).T / (2 * step)
        A = J.T @ J
        delta = np.linalg.solve(A + damping * np.diag(np.diag(A) + 1e-9), -J.T @ r)
        trial = fit.residuals((x + delta)[None])[0]
        if trial @ trial < r @ r:
            small = np.abs(delta).max() < 1e-4
            x, r, damping = x + delta, trial, max(damping / 5, 1e-8)
            if small:
                break
        else:
            damping *= 10
    parts = np.split(x, fit.cuts)
    joints = dict(zip(_JOINTS, parts[:5], strict=True))
    return Stride(length, period, joints, (parts[5], parts[6], parts[7]), float(parts[8][0]))


def make_pose(stride: Stride, phase: FloatArray, *, rng: np.random.Generator, y_mm: float = 0.0) -> Pose:
    """Return the pose at phases of the right leg's cycle; the walk passes x = 0 at the middle phase.

    Parameters
    ----------
    stride : Stride
    phase : (n_frames,) array
        Cycles; any real numbers.
    rng : numpy Generator
        For how much the arms swing and the trunk leans.
    y_mm : float
        Where the walkway lies.

    Returns
    -------
    Pose
    """
    moves = [
        _basis(phase, harmonics, mean=False) @ part
        for harmonics, part in zip(_PELVIS_HARMONICS, stride.pelvis, strict=True)
    ]
    pelvis = np.stack(moves, axis=-1)
    pelvis += np.array([0.0, y_mm, stride.pelvis_height])
    pelvis[:, 0] += stride.length * (phase - phase[[0, -1]].mean())
    swing, lean, bend = rng.uniform(0.75, 1.25), rng.uniform(1.0, 5.0), rng.uniform(0, 10)
    spread = rng.uniform(6, 10)

    def both(name: str) -> tuple[FloatArray, FloatArray]:
        left, right = (_joint_basis(name, phase + shift) @ stride.joints[name] for shift in (0.5, 0.0))
        return left, right

    def arms(name: str, scale: float, offset: float) -> tuple[FloatArray, FloatArray]:
        left, right = (scale * gait_curve(name, phase + shift) + offset for shift in (0.5, 0.0))
        return left, right

    hip, adduction, rotation, knee, ankle = (both(name) for name in _JOINTS)
    return Pose(
        pelvis=pelvis,
        pelvis_tilt=gait_curve("pelvis_tilt", phase),
        pelvis_obliquity=gait_curve("pelvis_obliquity", phase),
        pelvis_rotation=gait_curve("pelvis_rotation", phase),
        hip_flexion=hip,
        hip_adduction=adduction,
        hip_rotation=rotation,
        knee_flexion=knee,
        ankle_dorsiflexion=ankle,
        trunk_lean=lean + 1.2 * np.cos(4 * np.pi * (phase - 0.02)),
        trunk_sway=-1.5 * np.sin(2 * np.pi * (phase - 0.02)),
        thorax_rotation=-0.9 * gait_curve("pelvis_rotation", phase),
        shoulder_flexion=arms("shoulder_flexion", swing, 0.0),
        shoulder_abduction=(np.full_like(phase, spread), np.full_like(phase, spread)),
        elbow_flexion=arms("elbow_flexion", 1.0, bend),
    )


def walk_body(person: Person, *, n_frames: int, fps: float, rng: np.random.Generator) -> tuple[Stride, Pose, Frames]:
    """Make a person walk past the origin along x.

    Stride length and cadence are drawn around what adults choose (about 0.8 of the height, 110 steps a minute).

    Parameters
    ----------
    person : Person
    n_frames : int
    fps : float
    rng : numpy Generator

    Returns
    -------
    stride : Stride
    pose : Pose
    frames : Frames
    """
    length = person.height * rng.uniform(0.76, 0.84)
    period = 120 / rng.uniform(104, 117)
    stride = fit_stride(person, length=length, period=period)
    phase = rng.uniform(0, 1) + np.arange(n_frames) / fps / period
    pose = make_pose(stride, phase, rng=rng, y_mm=float(rng.uniform(-150, 150)))
    return stride, pose, place_body(person, pose)


def joint_truth(pose: Pose, frames: Frames) -> dict[str, FloatArray]:
    """Return the joint angles of the model itself, degrees, (n_frames,) each.

    `hip_flexion_trunk` is the thigh against the long axis of the trunk, in the plane across the line between the
    hips; `hip_flexion` is the thigh against the pelvis, which keypoints do not show.
    """
    out = {}
    for index, letter in enumerate(("l", "r")):
        z = frames.axes["trunk"][:, :, 2]
        y = frames.axes["pelvis"][:, :, 1]
        y = y - (y * z).sum(-1, keepdims=True) * z
        y = y / np.linalg.norm(y, axis=-1, keepdims=True)
        t = frames.axes[letter.upper() + "thigh"][:, :, 2]
        forward = (t * np.cross(y, z)).sum(-1)
        out[f"knee_flexion_{letter}"] = pose.knee_flexion[index]
        out[f"hip_flexion_trunk_{letter}"] = np.degrees(np.arctan2(-forward, (t * z).sum(-1)))
        out[f"ankle_dorsiflexion_{letter}"] = pose.ankle_dorsiflexion[index]
        out[f"hip_flexion_{letter}"] = pose.hip_flexion[index]
    return out
