"""What the refinement minimises, in one run of frames: reprojection, smoothness in time, limb lengths.

Half the sum of

- the robust loss of every view's squared reprojection error over its noise, times the view's weight;
- the squared n-th differences in time of every track over their variance;
- the squared deviations of limbs from their lengths over their variance;
- the squared distance from the start over one metre, which holds what nothing else holds.

Points are track first, (n_tracks, n_frames, 3), relative to the cameras' centroid; views are camera first with the
points flattened in the same order.
"""

from dataclasses import dataclass, replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.reconstruction.points.likelihood import gradient_of, normal_of
from pose3d.reconstruction.points.views import Lenses, Views, reproject
from pose3d.reconstruction.refinement.differences import Differences
from pose3d.reconstruction.refinement.limbs import LimbFit, Limbs
from pose3d.reconstruction.refinement.losses import Loss, loss_weights

__all__ = ["HOLD_MM", "Linearized", "Problem", "flat", "tracks"]

HOLD_MM = 1e3
"""Standard deviation of the weak pull towards the start."""


@dataclass(frozen=True, eq=False)
class Linearized:
    """The problem around given points.

    Attributes
    ----------
    cost : float
    gradient : (n_tracks, n_frames, 3) array, 1/mm
    blocks : (6, n_tracks, n_frames) array, 1/mm^2
        Gauss-Newton matrix of the views of each point.
    limbs : LimbFit
    distance_px : (n_cameras, n_points) array, px
        Reprojection errors; NaN where there is no view.
    precision : (n_cameras, n_points) array, 1/px^2
        With which each view counts there: the problem's, as the loss shrinks it.
    """

    cost: float
    gradient: FloatArray
    blocks: FloatArray
    limbs: LimbFit
    distance_px: FloatArray
    precision: FloatArray


@dataclass(frozen=True, eq=False)
class Problem:
    """One run of frames.

    Attributes
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_points, 2) array, px
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
        Weight over squared noise; 0 for views that are left out.
    active : (n_tracks, n_frames) bool array
        Points that have a place; the others are held.
    differences : Differences
    limbs : Limbs
    start : (n_tracks, n_frames, 3) array, mm
    loss : str
    loss_scale : float
        In standard deviations of a view.
    """

    lenses: Lenses
    pixels: FloatArray
    views: Views
    precision: FloatArray
    active: BoolArray
    differences: Differences
    limbs: Limbs
    start: FloatArray
    loss: Loss
    loss_scale: float

    def seen_as(self, pixels: FloatArray, views: Views) -> "Problem":
        """Return the same problem with other detections of the same points."""
        return replace(self, pixels=pixels, views=views)

    def first(self, n_frames: int) -> "Problem":
        """Return the problem of the first frames."""
        n_tracks, whole = self.active.shape
        if n_frames >= whole:
            return self
        points = (np.arange(n_tracks)[:, None] * whole + np.arange(n_frames)).reshape(-1)
        rows = self.differences.weight[:, : max(n_frames - self.differences.order, 0)]
        return replace(
            self,
            pixels=self.pixels[:, points],
            views=self.views.take(points),
            precision=self.precision[:, points],
            active=self.active[:, :n_frames],
            differences=self.differences._replace(weight=rows, n_frames=n_frames),
            start=self.start[:, :n_frames],
        )

    def linearize(self, x: FloatArray) -> Linearized:
        """Return cost, gradient and curvature at points (n_tracks, n_frames, 3)."""
        seen = reproject(self.lenses, self.pixels, flat(x))
        with np.errstate(invalid="ignore", over="ignore"):
            z = (seen.across * seen.across + seen.down * seen.down) * self.precision
        used = self.precision > 0
        if self.loss == "linear":
            value, precision = np.where(used, z, 0.0), self.precision
        else:
            value, weight = loss_weights(self.loss, np.where(used, z, 0.0), self.loss_scale)
            precision = self.precision * weight
        shape = self.active.shape
        blocks = normal_of(self.lenses, self.views, precision, seen.at).reshape(6, *shape)
        gradient = tracks(gradient_of(self.lenses, self.views, precision, seen), shape)
        held = x - self.start
        rows = self.differences.rows(x)
        limbs = self.limbs.fit(x, self.active)
        gradient += self.differences.pull(rows) + held / HOLD_MM**2
        if len(self.limbs.ends):
            gradient += limbs.gradient()
        blocks[[0, 3, 5]] += 1 / HOLD_MM**2
        idle = ~self.active
        gradient[idle] = 0.0
        blocks[:, idle] = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])[:, None]
        cost = 0.5 * float(value.sum() + (rows * rows).sum() + (held * held).sum() / HOLD_MM**2) + limbs.cost
        return Linearized(cost, gradient, blocks, limbs, seen.distance_px, precision)


def flat(x: FloatArray) -> FloatArray:
    """Return points (n_tracks, n_frames, 3) as the kernels of the points have them, (3, n_points)."""
    return np.ascontiguousarray(x.reshape(-1, 3).T)


def tracks(points: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return points (3, n_points) as (n_tracks, n_frames, 3)."""
    return np.ascontiguousarray(points.T).reshape(*shape, 3)
