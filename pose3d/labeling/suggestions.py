"""What the clicks in some views tell about the others: epipolar curves, suggested places, and which click is wrong."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.camera import Camera, Rig
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.lenses import distort
from pose3d.geometry.projection import pixels_from_normalized, project_camera_frame
from pose3d.geometry.transforms import inverse
from pose3d.geometry.triangulation import triangulate_svd

__all__ = ["Agreement", "Views"]

_MARGIN = 0.02
"""How far curves are drawn beyond the image, as a part of its width."""
_N_SAMPLES = 49
_SUSPECT_PX = 4.0
"""Views that disagree by less, in images 1000 px wide, hold no suspect: fingers and lenses are no better."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well placed keypoints fit one point in space, and where that point is in every view.

    Attributes
    ----------
    xyz : (n_points, 3) array, mm
        From all placed views but a suspect one; NaN where they are fewer than two.
    xy : (n_points, n_cameras, 2) array, px
        Where each camera sees the point; NaN where it does not.
    error_px : (n_points, n_cameras) array, px
        From a placed view to `xy`; NaN in the others.
    left_out_px : (n_points, n_cameras) array, px
        From a placed view to the point that the other placed views make; NaN where those are fewer than two.
    remaining_px : (n_points, n_cameras) array, px
        Root mean square error of the other placed views without this one; NaN likewise.
    suspect : (n_points,) int array
        The view that disagrees with the others; -1 where all agree, -2 where some disagree but it cannot be said which.
    """

    xyz: FloatArray
    xy: FloatArray
    error_px: FloatArray
    left_out_px: FloatArray
    remaining_px: FloatArray
    suspect: IntArray


class Views:
    """The calibrated cameras that look at an instant.

    Parameters
    ----------
    rig : Rig
        The cameras in the order of the views.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._from_world = rig.cam_from_world
        self._to_world = inverse(self._from_world)

    @cached_property
    def _bounds(self) -> FloatArray:
        """(n_cameras, 4) least x, least y, largest x, largest y of what an image can show, normalised."""
        return np.stack([_field_of_view(camera) for camera in self.rig])

    def epipolar_curves(self, xy: ArrayLike) -> dict[tuple[str, str], list[FloatArray]]:
        """Return where each camera's pixel may lie in the others: the images of its ray, bent by both lenses.

        Parameters
        ----------
        xy : (n_cameras, 2) array, px
            NaN where nothing is placed.

        Returns
        -------
        dict
            (placed camera, other camera) to the pieces of the curve that the other's image shows, each (n, 2) px.
        """
        rays = self.rig.undistort(xy)
        part = np.linspace(0.0, 1.0, _N_SAMPLES)[:, None]
        curves: dict[tuple[str, str], list[FloatArray]] = {}
        for b, other in enumerate(self.rig):
            sources, lines = [], []
            for a in np.flatnonzero(np.isfinite(rays).all(-1)):
                segment = None if a == b else self._ray_image(int(a), b, rays[a])
                if segment is not None:
                    sources.append(self.rig.names[a])
                    lines.append(segment[0] * (1 - part) + segment[1] * part)
            if lines:
                pieces = _visible_pieces(other, np.stack(lines))
                curves |= {(name, other.name): found for name, found in zip(sources, pieces, strict=True) if found}
        return curves

    def _ray_image(self, a: int, b: int, ray: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the ends of one camera's ray in what another sees, normalised; None where it sees nothing of it."""
        b_from_a = self._from_world[b] @ self._to_world[a]
        start = b_from_a[:3, 3]  # the ray runs from here, the centre of a ...
        end = b_from_a[:3, :3] @ np.append(ray, 1.0)  # ... to here, the point at infinity
        if np.linalg.norm(start) < 1e-9:
            return None
        return _clip(start / np.linalg.norm(start), end / np.linalg.norm(end), self._bounds[b])

    def agree(self, xy: ArrayLike) -> Agreement:
        """Triangulate what is placed, and hold every view against the point.

        Parameters
        ----------
        xy : (n_points, n_cameras, 2) array, px
            NaN where nothing is placed.
        """
        xy = np.asarray(xy, dtype=np.float64)
        n, n_cameras = xy.shape[:2]
        rays = self.rig.undistort(xy)
        placed = np.asarray(np.isfinite(rays).all(-1))
        # All points from all placed views, then each time without one of them: one stack, one call.
        without = np.concatenate([np.zeros((1, n_cameras), dtype=bool), np.eye(n_cameras, dtype=bool)])
        used = placed[None] & ~without[:, None, :]
        points = self._triangulate(
            np.where(used[..., None], rays[None], np.nan).reshape(-1, n_cameras, 2),
            np.broadcast_to(xy, (*used.shape, 2)).reshape(-1, n_cameras, 2),
        ).reshape(n_cameras + 1, n, 3)
        seen = self.rig.project(points)  # (left out, point, camera, 2)
        error = np.linalg.norm(seen - xy[None], axis=-1)
        left_out = np.stack([error[c + 1, :, c] for c in range(n_cameras)], axis=-1)
        rest = np.where(used[1:] & np.isfinite(error[1:]), error[1:], 0.0)
        remaining = np.sqrt((rest**2).sum(-1) / np.maximum(used[1:].sum(-1), 1)).T
        enough = (placed.sum(-1) >= 3)[:, None] & placed & np.isfinite(left_out)
        left_out = np.where(enough, left_out, np.nan)
        remaining = np.where(enough, remaining, np.nan)
        own = np.where(placed, error[0], np.nan)
        suspect = self._suspects(own, left_out, remaining)
        best = np.where(suspect >= 0, suspect + 1, 0), np.arange(n)
        own = np.where(placed, error[best], np.nan)
        return Agreement(points[best], seen[best], own, left_out, remaining, suspect)

    def _triangulate(self, rays: FloatArray, xy: FloatArray) -> FloatArray:
        """Triangulate by least reprojection error; rays (n, n_cameras, 2), xy the same in px."""
        X = triangulate_svd(rays, self._from_world, weights=np.broadcast_to(self.rig.focals, rays.shape[:-1]))
        used = np.asarray(np.isfinite(rays).all(-1))
        for _ in range(2):  # clicks are good starts: Gauss-Newton converges at once
            normal, right = np.zeros((len(X), 3, 3)), np.zeros((len(X), 3))
            for c, camera in enumerate(self.rig):
                R, t = self._from_world[c][:3, :3], self._from_world[c][:3, 3]
                inside = X @ R.T + t
                ahead = used[:, c] & (inside[:, 2] > 1e-6)
                if not ahead.any():
                    continue
                seen = project_camera_frame(inside[ahead], camera.matrix, camera.distortion, fisheye=camera.fisheye)
                J = seen.by_point @ R
                normal[ahead] += np.einsum("nij,nik->njk", J, J)
                right[ahead] += np.einsum("nij,ni->nj", J, xy[ahead, c] - seen.pixels)
            known = np.isfinite(X).all(-1) & np.isfinite(normal).all((-1, -2)) & (np.linalg.det(normal) > 1e-12)
            if not known.any():
                break
            step = np.linalg.solve(normal[known], right[known][..., None])[..., 0]
            depth = np.linalg.norm(X[known, None] - self.rig.centers, axis=-1).min(-1)
            size = np.linalg.norm(step, axis=-1)
            # a step as long as the distance comes of rays that are nearly parallel: there the start is as good
            X[known] += np.where((size < 0.5 * depth)[:, None], step, 0.0)
        return X

    def _suspects(self, own: FloatArray, left_out: FloatArray, remaining: FloatArray) -> IntArray:
        """Return for each point the view whose click is wrong; see :class:`Agreement`."""
        limit = _SUSPECT_PX * np.array([camera.size[0] for camera in self.rig]) / 1000
        with np.errstate(invalid="ignore"):
            beyond = (own > limit).any(-1) | (left_out > 2 * limit).any(-1)
        candidates = np.where(np.isfinite(remaining), remaining, np.inf)
        order = np.sort(candidates, axis=-1)
        best = candidates.argmin(-1)
        n_views = np.isfinite(candidates).sum(-1)
        next_best = np.where(n_views > 1, order[:, 1] if order.shape[-1] > 1 else np.inf, np.inf)
        clear = (n_views >= 3) & (order[:, 0] < limit[best]) & (order[:, 0] < 0.4 * next_best)
        return np.where(beyond, np.where(clear, best, -2), -1)

    def inside(self, xy: ArrayLike, *, margin_px: float = 0.0) -> BoolArray:
        """Tell which places (..., n_cameras, 2) lie in their images."""
        size = np.array([camera.size for camera in self.rig])
        xy = np.asarray(xy)
        with np.errstate(invalid="ignore"):
            return np.asarray(((xy >= -0.5 - margin_px) & (xy <= size - 0.5 + margin_px)).all(-1))


def _field_of_view(camera: Camera) -> FloatArray:
    """Return what the image shows, (4,): the least and largest normalised x and y."""
    w, h = camera.size
    across, down = np.linspace(-_MARGIN * w, (1 + _MARGIN) * w, 41), np.linspace(-_MARGIN * w, h + _MARGIN * w, 41)
    border = np.concatenate(
        [
            *(np.stack([across, np.full(41, y)], -1) for y in (down[0], down[-1])),
            *(np.stack([np.full(41, x), down], -1) for x in (across[0], across[-1])),
        ]
    )
    rays = camera.undistort(border)
    rays = rays[np.isfinite(rays).all(-1)]
    if len(rays) < len(border) // 2:  # the lens has no answer at the border: as far as a fisheye's line can run
        return np.array([-20.0, -20.0, 20.0, 20.0])
    return np.concatenate([rays.min(0), rays.max(0)])


def _clip(start: FloatArray, end: FloatArray, bounds: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Cut the image of ``start + u (end - start)``, u from 0 to 1 in homogeneous coordinates, to a rectangle.

    Each bound is linear in u, so that points behind the camera and at infinity need no care.
    """
    planes = np.array(
        [
            [0.0, 0.0, 1.0],
            [1.0, 0.0, -bounds[0]],
            [0.0, 1.0, -bounds[1]],
            [-1.0, 0.0, bounds[2]],
            [0.0, -1.0, bounds[3]],
        ]
    )
    a, b = planes @ start, planes @ end
    a[0] -= 1e-6
    b[0] -= 1e-6
    low, high = 0.0, 1.0
    for at_start, at_end in zip(a, b, strict=True):
        if at_start < 0 and at_end < 0:
            return None
        if (at_start < 0) != (at_end < 0):
            u = at_start / (at_start - at_end)
            low, high = (max(low, u), high) if at_start < 0 else (low, min(high, u))
    if low >= high:
        return None
    first, last = (start + u * (end - start) for u in (low, high))
    return first[:2] / first[2], last[:2] / last[2]


def _visible_pieces(camera: Camera, lines: FloatArray) -> list[list[FloatArray]]:
    """Bend lines (n_lines, n, 2) by a lens, and keep the pieces of each that the image shows."""
    with np.errstate(over="ignore", invalid="ignore"):
        pixels = pixels_from_normalized(distort(lines, camera.distortion, fisheye=camera.fisheye), camera.matrix)
        w, h = camera.size
        edge = _MARGIN * w
        shown = (pixels > -edge).all(-1) & (pixels[..., 0] < w + edge) & (pixels[..., 1] < h + edge)
        # beyond its fold a lens model brings far points back into the image: those do not come back by themselves
        back = camera.undistort(np.where(shown[..., None], pixels, np.nan))
        shown &= np.linalg.norm(back - lines, axis=-1) < 1e-3 * (1 + np.linalg.norm(lines, axis=-1))
    found = []
    for line, mask in zip(pixels, shown, strict=True):
        ends = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))).reshape(-1, 2)
        found.append([line[first:last] for first, last in ends if last - first >= 2])
    return found
