"""Clips that bear each other's names: known lenses or known places that fit the wrong cameras."""

from collections.abc import Mapping, Sequence

import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import angle_between, exp_so3
from pose3d.geometry.transforms import inverse, rigid

from ..findings import Finding
from ..solver.extrinsics import Link
from ..solver.intrinsics import calibrate_lenses, spread_views
from ..solver.motions import motion_jacobian
from ..solver.poses import board_poses
from .agreement import block_test

__all__ = ["find_exchanged", "find_exchanged_places"]

_CLEARLY = 4.0  # standard errors
_LENS_FACTOR = 1.03  # by which the squared residuals must fall with the other camera's lens
_OTHER_SIZE = 10.0  # what it counts that a clip has the other camera's size and not its own
_VIEWS = 48
_LEAST_VIEWS = 4
_ROUNDS = 4
_FLOOR, _HOPELESS = 1e-8, 1e12  # px^2: what is as good as exact, and what fits nothing
_PLACE = (np.deg2rad(5.0), 0.25)  # a pair is as it was: angle, and part of the baseline; another's lens bends both
_FAR, _AWAY, _THERE = 9.0, 2.0, 0.7  # squared distances in these units: as far as counts, elsewhere, in place


def find_exchanged(detections: BoardDetections, known: Rig) -> tuple[Finding, ...]:
    """Find two cameras whose clips fit each other's known lenses, and not their own.

    Parameters
    ----------
    detections : BoardDetections
    known : Rig
        Lenses from earlier, or from a clip of each camera's own; sizes need not agree.

    Returns
    -------
    tuple of Finding
        Empty where the lenses are too much alike to tell.
    """
    index = {name: i for i, name in enumerate(detections.cameras) if name in known}
    misfit: dict[tuple[str, str], FloatArray] = {}
    views: dict[str, IntArray] = {}
    for name, i in index.items():
        views[name] = spread_views(detections.xy[:, i], _VIEWS)
        fitting = [other for other in index if known[other].size == detections.sizes[i]]
        if fitting and len(views[name]) >= _LEAST_VIEWS:
            misfits = _lens_misfits(
                detections.xy[views[name], i], detections.board.points, [known[other] for other in fitting]
            )
            misfit |= {(name, other): m for other, m in zip(fitting, misfits, strict=True)}
    gains = {(a, b): _exchange_gain(misfit, a, b) for n, a in enumerate(index) for b in list(index)[n + 1 :]}
    out: list[Finding] = []
    told: set[str] = set()
    for a, b in sorted((pair for pair in gains if gains[pair] > 0), key=lambda pair: -gains[pair]):
        fits = not told & {a, b}
        for name, other in ((a, b), (b, a)):
            fits = fits and _explained_by(
                detections.xy[views[name], index[name]],
                detections.board.points,
                known[other],
                detections.sizes[index[name]],
                misfit.get((name, name)),
                misfit[name, other],
            )
        if fits:
            told |= {a, b}
            out.append(_exchanged((a, b), "each fits the known lens of the other, and not its own"))
    return tuple(out)


def _exchange_gain(misfit: Mapping[tuple[str, str], FloatArray], a: str, b: str) -> float:
    """Return how much better two clips fit when their lenses are exchanged; 0 unless both do so beyond doubt."""
    total = 0.0
    for name, other in ((a, b), (b, a)):
        if (name, other) not in misfit:
            return 0.0
        if (name, name) not in misfit:
            total += _OTHER_SIZE
            continue
        gain = np.log(misfit[name, name] / misfit[name, other])
        if not np.isfinite(gain).any() or np.nanmedian(gain) < np.log(_LENS_FACTOR) or block_test(gain) < _CLEARLY:
            return 0.0
        total += float(np.nanmedian(gain))
    return total


def _explained_by(
    xy: FloatArray,
    points: FloatArray,
    other: Camera,
    size: tuple[int, int],
    own: FloatArray | None,
    exchanged: FloatArray,
) -> bool:
    """Say whether a clip fits another camera's lens about as well as one estimated from the clip itself.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
    points : (n_corners, 3) array, mm
    other : Camera
        The other camera.
    size : (int, int), px
    own : (n_views,) array or None
        Misfit with the lens of the camera that has the clip's name; None if that is of another size.
    exchanged : (n_views,) array
        Misfit with the other camera's lens.
    """
    (lens,) = calibrate_lenses(xy[:, None], points, [size], known=[None], fisheye=other.fisheye)
    if lens is None:
        return False
    best = Camera(other.name, size, lens.matrix, lens.distortion, np.zeros(3), np.zeros(3), lens.fisheye)
    floor = _lens_misfits(xy, points, [best])[0]
    left = float(np.nanmean(exchanged - floor))
    if own is None:
        return left < float(np.nanmedian(floor))
    return left < 0.5 * float(np.nanmean(own - floor))


def _lens_misfits(xy: FloatArray, points: FloatArray, cameras: Sequence[Camera]) -> list[FloatArray]:
    first = cameras[0]
    poses, _ = board_poses(xy, points, first.matrix, first.distortion, fisheye=first.fisheye)
    out = []
    for camera in cameras:
        start = poses[:, 0].copy()
        start[:, 2, 3] *= camera.focal / first.focal
        out.append(_lens_misfit(xy, points, camera, start))
    return out


def _lens_misfit(xy: FloatArray, points: FloatArray, camera: Camera, pose: FloatArray) -> FloatArray:
    """Return the mean squared residual of each view (n_views, n_corners, 2) with a pose of its own, robustly, px^2."""
    out = np.full(len(xy), np.nan)
    placed = np.isfinite(pose[:, 0, 0])
    pose, xy = pose[placed], xy[placed]
    good = np.asarray(np.isfinite(xy).all(-1))
    middle = points.mean(0)
    squared = np.zeros(good.shape)
    with np.errstate(all="ignore"):  # a lens that is quite another's may throw the board behind the camera
        for turn in range(_ROUNDS + 1):
            turned = (points - middle) @ np.swapaxes(pose[:, :3, :3], -1, -2)
            center = pose[:, :3, :3] @ middle + pose[:, :3, 3]
            seen = project_camera_frame(
                turned + center[:, None], camera.matrix, camera.distortion, fisheye=camera.fisheye
            )
            r = np.where(good[..., None], xy - seen.pixels, 0.0)
            squared = np.nan_to_num((r * r).sum(-1), nan=_HOPELESS, posinf=_HOPELESS)
            typical = np.maximum(np.nanmedian(np.where(good, squared, np.nan), axis=1)[:, None], _FLOOR)
            weight = np.where(good, 1 / np.maximum(squared / (9 * typical), 1.0), 0.0)
            if turn == _ROUNDS:
                break
            J = motion_jacobian(seen.by_point, turned)
            J = np.where(good[..., None, None] & np.isfinite(J), J, 0.0)
            JtW = np.swapaxes(J * weight[..., None, None], -1, -2)
            H = np.einsum("vkid,vkdj->vij", JtW, J, optimize=True)
            H[:, range(6), range(6)] += 1e-9 * (1 + np.einsum("vii->v", H))[:, None]
            g = np.einsum("vkid,vkd->vi", JtW, np.nan_to_num(r), optimize=True)
            step = np.linalg.solve(H, g[..., None])[..., 0]
            R = exp_so3(step[:, :3]) @ pose[:, :3, :3]
            pose = rigid(R, center + step[:, 3:] - R @ middle)
        out[placed] = np.maximum((weight * squared).sum(1) / weight.sum(1), _FLOOR)
    return out


def _exchanged(names: Sequence[str], why: str) -> Finding:
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return Finding(
        "exchanged",
        "FAIL",
        tuple(names),
        f"the clips of cameras {listed} are exchanged: {why}",
        "rename the files so that each camera has its own clip",
    )


def find_exchanged_places(links: Mapping[tuple[str, str], Link], earlier: Rig) -> tuple[Finding, ...]:
    """Find two cameras that stand where an earlier calibration has each other.

    Parameters
    ----------
    links : mapping of (str, str) to Link
        Relative poses of pairs of cameras as the clips give them.
    earlier : Rig

    Returns
    -------
    tuple of Finding
        Empty unless the exchange of two names makes nearly everything agree that did not before.
    """
    known = {pair: link for pair, link in links.items() if pair[0] in earlier and pair[1] in earlier}
    names = sorted({name for pair in known for name in pair}, key=earlier.names.index)

    def misfit(touched: Mapping[tuple[str, str], Link], swapped: Mapping[str, str]) -> float:
        total = 0.0
        for (a, b), link in touched.items():
            there_a, there_b = (earlier[swapped.get(name, name)].cam_from_world for name in (a, b))
            was = there_b @ inverse(there_a)
            angle = float(angle_between(was[:3, :3], link.b_from_a[:3, :3])) / _PLACE[0]
            center, old = inverse(link.b_from_a)[:3, 3], inverse(was)[:3, 3]
            shift = float(np.linalg.norm(center - old)) / max(float(np.linalg.norm(old)), 1e-9) / _PLACE[1]
            total += link.agreeing * min(angle**2 + shift**2, _FAR)
        return total / sum(link.agreeing for link in touched.values())

    better: dict[tuple[str, str], float] = {}
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            touched = {pair: link for pair, link in known.items() if a in pair or b in pair}
            before, after = misfit(touched, {}), misfit(touched, {a: b, b: a})
            if before > _AWAY and after < _THERE:
                better[a, b] = before - after
    clear = [pair for pair in better if not any(set(pair) & set(rival) for rival in better if rival != pair)]
    return tuple(_exchanged(pair, "each stands where the earlier calibration has the other") for pair in clear)
