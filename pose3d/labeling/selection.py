"""Which instants of a recording are worth labelling: evenly spaced, unlike one another, or hard for the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = [
    "Choice",
    "Method",
    "Sights",
    "choose_different",
    "choose_evenly",
    "choose_uncertain",
    "make_candidates",
    "share_out",
]

Method: TypeAlias = Literal["kmeans", "uniform", "uncertain"]

_MOST_ALIKE = 10.0
"""Grey levels by which cells of two small images differ at most when they show the same, however noisy they are."""

_DARK = 12.0
"""Mean grey level below which a picture shows nothing."""

_ROUNDS = 50


@dataclass(frozen=True)
class Choice:
    """Chosen instants.

    Attributes
    ----------
    instants : (n,) int array
        Ascending.
    n_dark, n_alike : int
        How many were left out since a view is black, or since they look like another.
    """

    instants: IntArray
    n_dark: int = 0
    n_alike: int = 0


@dataclass(frozen=True)
class Sights:
    """Small grey images of instants, all views of each.

    Attributes
    ----------
    instants : (n,) int array
    views : tuple of (n, cells) uint8 arrays
        One a camera. Cameras may differ in size.
    """

    instants: IntArray
    views: tuple[NDArray[np.uint8], ...]

    def __post_init__(self) -> None:
        if not self.views or any(len(view) != len(self.instants) for view in self.views):
            raise ValueError("each view needs an image of each instant")


def share_out(n: int, available: Sequence[int]) -> list[int]:
    """Share a number among trials as evenly as what each has allows.

    Examples
    --------
    >>> share_out(20, [100, 3, 100]), share_out(2, [5, 5, 5]), share_out(9, [2, 2])
    ([9, 3, 8], [1, 0, 1], [2, 2])
    """
    shares = [0] * len(available)
    open_ = [i for i, count in enumerate(available) if count > 0]
    left = min(n, sum(available))
    while left and open_:
        if left < len(open_):  # too few for all: those that get one lie evenly among them
            for i in np.linspace(0, len(open_) - 1, left).round().astype(int):
                shares[open_[i]] += 1
            break
        each = left // len(open_)
        for i in open_:
            extra = min(each, available[i] - shares[i])
            shares[i] += extra
            left -= extra
        open_ = [i for i in open_ if shares[i] < available[i]]
    return shares


def choose_evenly(instants: IntArray, n: int) -> IntArray:
    """Choose evenly spaced ones.

    Parameters
    ----------
    instants : (m,) int array
        Ascending.
    n : int

    Returns
    -------
    (n,) int array
        Fewer if there are fewer.

    Examples
    --------
    >>> choose_evenly(np.arange(100), 4)
    array([12, 37, 62, 87])
    """
    if n >= len(instants):
        return instants
    # The middles of equal parts: the first and last frames of recordings show people at the camera.
    return instants[((np.arange(n) + 0.5) * len(instants) / n - 0.5).round().astype(np.int64)]


def make_candidates(instants: IntArray, most: int, cost: FloatArray) -> IntArray:
    """Choose the instants that are looked at: one in each of equal parts, where it costs least to decode.

    Parameters
    ----------
    instants : (m,) int array
    most : int
    cost : (m,) array
        Of each instant.

    Returns
    -------
    (n,) int array
    """
    if len(instants) <= most:
        return instants
    part = np.arange(len(instants)) * most // len(instants)
    # Of equal cost the middle of the part.
    middle = np.abs(np.arange(len(instants)) - (part + 0.5) * len(instants) / most)
    order = np.lexsort((middle, cost, part))
    return np.sort(instants[order[np.unique(part[order], return_index=True)[1]]])


def choose_different(sights: Sights, n: int, *, known: Sights | None = None, seed: int = 0) -> Choice:
    """Choose instants that look as different as the recording allows: k-means on all views together.

    Of each cluster the instant nearest to its middle is taken; where that looks like one that is chosen already, the
    next, and what is missing then is made up by those farthest from all that is chosen. An instant is never chosen
    that looks the same in all views as another.

    Parameters
    ----------
    sights : Sights
    n : int
    known : Sights, optional
        Of instants that are labelled or waiting to be: nothing that looks like them is chosen.
    seed : int

    Returns
    -------
    Choice
        Fewer than `n` where there are no more that differ.
    """
    light = ~_is_dark(sights)
    rows = np.flatnonzero(light)
    if n < 1 or not len(rows):
        return Choice(np.zeros(0, dtype=np.int64), int((~light).sum()))
    features = _features(sights, rows)
    limits = [_noise_limit(view) for view in sights.views]
    group, centers = _cluster(features, min(n, len(rows)), np.random.default_rng(seed))
    distance = ((features - centers[group]) ** 2).sum(1)
    free = np.ones(len(rows), dtype=np.bool_)
    if known is not None:
        free &= ~_look_alike(sights, rows, known, limits)
    chosen: list[int] = []
    for cluster in range(len(centers)):
        members = np.flatnonzero((group == cluster) & free)
        if len(members):
            pick = members[np.argmin(distance[members])]
            chosen.append(int(pick))
            free &= ~_same(sights, rows, [view[rows[pick]] for view in sights.views], limits)
    nearest = np.full(len(rows), np.inf)
    for pick in chosen:
        nearest = np.minimum(nearest, ((features - features[pick]) ** 2).sum(1))
    while len(chosen) < n and free.any():
        pick = int(np.argmax(np.where(free, nearest, -1.0)))
        chosen.append(pick)
        nearest = np.minimum(nearest, ((features - features[pick]) ** 2).sum(1))
        free &= ~_same(sights, rows, [view[rows[pick]] for view in sights.views], limits)
    n_alike = len(rows) - len(chosen) if len(chosen) < n else 0
    return Choice(np.sort(sights.instants[rows[chosen]]), int((~light).sum()), n_alike)


def choose_uncertain(instants: IntArray, uncertainty: FloatArray, n: int) -> IntArray:
    """Choose the instants of which a network is least certain, spread over the recording.

    Parameters
    ----------
    instants : (m,) int array
        Ascending.
    uncertainty : (m,) array
        NaN where it is not known; such instants come last.
    n : int

    Returns
    -------
    (n,) int array
        Ascending; fewer if there are fewer. Neighbours of a chosen one follow only when everything farther away than
        half the distance of evenly spaced ones is used up, and so on with half of that.
    """
    if n >= len(instants):
        return instants
    value = np.where(np.isfinite(uncertainty), uncertainty, -np.inf)
    span = float(instants[-1] - instants[0] + 1)
    gap = span / (2 * n)
    chosen = np.zeros(len(instants), dtype=np.bool_)
    while chosen.sum() < n:
        far = ~chosen
        for at in instants[chosen]:
            far &= np.abs(instants - at) >= gap
        while chosen.sum() < n and far.any():
            pick = int(np.argmax(np.where(far, value, -np.inf))) if np.isfinite(value[far]).any() else int(far.argmax())
            chosen[pick] = True
            far &= np.abs(instants - instants[pick]) >= max(gap, 1)
        gap = gap / 2 if gap > 1 else 0.0
    return instants[chosen]


def _is_dark(sights: Sights) -> BoolArray:
    """Tell of which instants a view is black that is not black as a rule."""
    if not len(sights.instants):
        return np.zeros(0, dtype=np.bool_)
    dark = np.stack([view.mean(1) < _DARK for view in sights.views], axis=1)
    return np.asarray((dark & (dark.mean(0) < 0.5)).any(1))


def _features(sights: Sights, rows: IntArray) -> NDArray[np.float32]:
    """Put all views side by side, each without what does not change, and with equal weight."""
    parts = []
    for view in sights.views:
        part = view[rows].astype(np.float32)
        part -= np.median(part, axis=0)
        parts.append(part / max(float(part.std()), 1.0))
    return np.concatenate(parts, axis=1)


def _cluster(features: NDArray[np.float32], n: int, rng: np.random.Generator) -> tuple[IntArray, NDArray[np.float32]]:
    """Find clusters by Lloyd's algorithm from k-means++; clusters that lose all their members keep their centre."""
    square = (features**2).sum(1)
    first = int(rng.integers(len(features)))
    centers = features[[first]]
    nearest = _distances(features, square, centers)[:, 0]
    for _ in range(n - 1):
        total = float(nearest.sum(dtype=np.float64))
        pick = int(rng.choice(len(features), p=nearest.astype(np.float64) / total)) if total > 0 else first
        centers = np.concatenate([centers, features[[pick]]])
        nearest = np.minimum(nearest, _distances(features, square, features[[pick]])[:, 0])
    group = np.full(len(features), -1)
    for _ in range(_ROUNDS):
        latest = _distances(features, square, centers).argmin(1)
        if (latest == group).all():
            break
        group = latest
        member = (group[:, None] == np.arange(len(centers))).astype(np.float32)
        count = member.sum(0)
        sums = member.T @ features
        centers = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], centers)
    return group, centers


def _distances(
    features: NDArray[np.float32], square: NDArray[np.float32], centers: NDArray[np.float32]
) -> NDArray[np.float32]:
    distance = square[:, None] - 2 * features @ centers.T + (centers**2).sum(1)
    # What is left of a difference of large numbers is no distance.
    return np.where(distance < 1e-5 * square.max(initial=1.0), 0.0, distance).astype(np.float32)


def _noise_limit(view: NDArray[np.uint8]) -> float:
    """Return the grey levels by which cells differ where nothing has moved: most cells show what stands still."""
    change = np.diff(view.astype(np.float32), axis=0)
    change -= np.median(change, axis=1, keepdims=True)
    noise = 1.4826 * float(np.median(np.abs(change))) if change.size else 0.0
    low, high = np.percentile(view, [1, 99])
    return float(min(_MOST_ALIKE, max(6 * noise, np.clip(0.04 * (high - low), 1, 5))))


def _look_alike(sights: Sights, rows: IntArray, known: Sights, limits: Sequence[float]) -> BoolArray:
    alike = np.zeros(len(rows), dtype=np.bool_)
    for other in range(len(known.instants)):
        alike |= _same(sights, rows, [view[other] for view in known.views], limits)
    return alike


def _same(sights: Sights, rows: IntArray, images: Sequence[NDArray[np.uint8]], limits: Sequence[float]) -> BoolArray:
    """Tell which instants look the same in all views; a change of the light alone is none."""
    same = np.ones(len(rows), dtype=np.bool_)
    for view, image, limit in zip(sights.views, images, limits, strict=True):
        change = view[rows[same]].astype(np.float32) - image
        change -= np.median(change, axis=1, keepdims=True)
        same[same] = np.abs(change).max(1, initial=0.0) < limit
    return same
