"""A view judged by what is known without it: the other views, or where these leave it open the frames around."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.reconstruction.association.swap_chain import Expected
from pose3d.reconstruction.association.swap_pairs import TRUNCATION, Pairs, Place
from pose3d.reconstruction.points.likelihood import Pull, step_points
from pose3d.reconstruction.points.views import Lenses

__all__ = ["judge_views"]


def judge_views(
    lenses: Lenses,
    own: Pairs,
    others: Pairs,
    camera: IntArray,
    points: tuple[FloatArray, FloatArray],
    around: tuple[Expected, Expected],
) -> FloatArray:
    """Return by how much less it costs to exchange the labels of one camera's view of each pair than to keep them.

    Parameters
    ----------
    lenses : Lenses
    own : Pairs
        The views that are judged, (n,) each.
    others : Pairs
        Views of all cameras, (n_cameras, n), labelled as the points are; those of the judged camera play no part.
    camera : (n,) int array
        Whose view of each pair is judged.
    points : tuple of (3, n) array, mm
        Of both partners; NaN where the frame does not tell.
    around : tuple of Expected
        Where the frames around expect the partners.
    """
    spots = []
    for pull, point, near in zip(others, points, around, strict=True):
        made, covariance = _without(lenses, pull, point, camera)
        alone = ~np.isfinite(made).all(0)
        covariance[alone] = np.where(np.eye(3) > 0, near.variance[alone, None, None], 0.0)
        spots.append(_Spot.of(lenses, camera, np.where(alone, near.points, made), covariance))
    p, q = spots
    return p.cost(own.a) + q.cost(own.b) - q.cost(own.a) - p.cost(own.b)


def _without(lenses: Lenses, pull: Pull, points: FloatArray, left_out: IntArray) -> tuple[FloatArray, FloatArray]:
    """Fit points (3, n) to the views that they explain, but for one camera each; NaN where one or none is left.

    Returns
    -------
    points : (3, n) array, mm
    covariance : (n, 3, 3) array, mm^2
    """
    inside = (pull.p11 > 0) & (Place.of(lenses, points).cost(pull) < TRUNCATION)
    inside[left_out, np.arange(len(left_out))] = False
    step = step_points(lenses, pull.only(inside), points)
    with np.errstate(all="ignore"):
        covariance = inverse_matrix(step.normal)
    return np.where(inside.sum(0) >= 2, step.points, np.nan), covariance


class _Spot(NamedTuple):
    """Where one camera each should see points; (n,) arrays in normalised coordinates."""

    u: FloatArray
    v: FloatArray
    depth: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, lenses: Lenses, camera: IntArray, points: FloatArray, covariance: FloatArray) -> "_Spot":
        """Project uncertain points (3, n) with covariance (n, 3, 3) into the cameras (n,)."""
        R = lenses.rotation[camera]
        x, y, z = np.einsum("nij,jn->in", R, points) + lenses.translation[camera].T
        with np.errstate(all="ignore"):
            u, v = x / z, y / z
            slopes = [(R[:, axis] - w[:, None] * R[:, 2]) / z[:, None] for axis, w in ((0, u), (1, v))]
            total = sum(np.einsum("ni,ni->n", np.matmul(d[:, None], covariance)[:, 0], d) for d in slopes)
        return cls(u, v, z, np.asarray(total) / 2)

    def cost(self, pull: Pull) -> FloatArray:
        """Return the truncated squared errors of views (n,); 0 without a view, the most without a point.

        The uncertainty of the point is added to the view's, and its logarithm is the price: an uncertain place is no
        explanation of everything around it.
        """
        with np.errstate(all="ignore"):
            du, dv = self.u - pull.x, self.v - pull.y
            squared = du * (pull.p11 * du + 2 * pull.p12 * dv) + pull.p22 * dv * dv
            widened = 1 + self.variance * np.sqrt(pull.p11 * pull.p22 - pull.p12 * pull.p12)
            error = np.fmin(squared / widened + 2 * np.log(widened), TRUNCATION)
        return np.where(pull.p11 > 0, np.where(self.depth > 0, error, TRUNCATION), 0.0)
