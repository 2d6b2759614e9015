"""What is linked to what, and left or right, of any keypoints: by a preset's names or, failing that, by a guess."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from pose3d.data import Keypoints3D, Skeleton
from pose3d.errors import DataError
from pose3d.geometry.arrays import IntArray

__all__ = ["choose_skeleton", "edges_of", "guess_pairs", "sides_of", "trailed"]

_LEAST_EDGES = 3
_MOST_GUESSED = 45  # keypoints: the bones that one sees in a laboratory's markers are none
# How a left name becomes the right one: words, capitals before or behind a name, and the legs of animals.
_LEFT_TO_RIGHT = (
    (re.compile(r"left"), "right"),
    (re.compile(r"Left"), "Right"),
    (re.compile(r"LEFT"), "RIGHT"),
    (re.compile(r"^L(?=[A-Z])"), "R"),
    (re.compile(r"(?<=[a-z0-9])L$"), "R"),
    (re.compile(r"(?<![A-Za-z0-9])l(?![A-Za-z0-9])"), "r"),
    (re.compile(r"(?<![A-Za-z0-9])L(?![A-Za-z0-9])"), "R"),
    (re.compile(r"(?<![A-Za-z0-9])l(?=[fhm](?![A-Za-z0-9]))"), "r"),
    (re.compile(r"(?<![A-Za-z0-9])L(?=[FHM](?![A-Za-z0-9]))"), "R"),
    (re.compile(r"(?<=[a-z])l(?=[0-9]+$)"), "r"),
)
_HEAD = re.compile(r"eye|ear|nose|head|mouth|snout", re.IGNORECASE)


def guess_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Find left-right partners by their names: ``LKnee``, ``left_knee``, ``knee_l``, ``paw_lf`` and the like.

    Examples
    --------
    >>> guess_pairs(["nose", "paw_lf", "paw_rf", "earL", "earR", "tail"])
    (('paw_lf', 'paw_rf'), ('earL', 'earR'))
    """
    known, found = set(names), {}
    for name in names:
        for pattern, right in _LEFT_TO_RIGHT:
            partner = pattern.sub(right, name, count=1)
            if partner != name and partner in known:
                found[name] = partner
                break
    return tuple(found.items())


def choose_skeleton(points: Keypoints3D, given: Skeleton | None = None) -> tuple[Skeleton, str]:
    """Return a skeleton of exactly the points' keypoints, and a remark where it was guessed.

    Parameters
    ----------
    points : Keypoints3D
    given : Skeleton, optional
        Taken as far as its names are there.

    Returns
    -------
    skeleton : Skeleton
    remark : str
        Empty where nothing needs to be said.
    """
    names, remark = set(points.keypoints), ""
    if given is not None:
        if len(_kept(given.edges, names)) or not given.edges:
            return _restricted(given, points.keypoints), ""
        remark = f"skeleton {given.name} does not fit these keypoints; "
    presets = [Skeleton.preset(name) for name in Skeleton.presets()]
    best = max(presets, key=lambda preset: (len(_kept(preset.edges, names)), -len(preset.keypoints)))
    if len(_kept(best.edges, names)) >= min(_LEAST_EDGES, len(names) - 1) and len(names) > 1:
        return _restricted(best, points.keypoints), remark.removesuffix("; ")
    skeleton = Skeleton("guessed", points.keypoints, _bones(points), guess_pairs(points.keypoints))
    return skeleton, f"{remark}bones are guessed from what keeps its length" if skeleton.edges else ""


def _bones(points: Keypoints3D) -> tuple[tuple[str, str], ...]:
    from pose3d.kinematics.armature import body_bones

    if not 1 < len(points.keypoints) <= _MOST_GUESSED:
        return ()
    try:
        links = body_bones(points)
    except (DataError, ValueError, IndexError):
        return ()
    return _kept(links, set(points.keypoints))


def _kept(links: Iterable[tuple[str, str]], names: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple((a, b) for a, b in links if a in names and b in names)


def _restricted(skeleton: Skeleton, keypoints: tuple[str, ...]) -> Skeleton:
    names = set(keypoints)
    pairs = _kept(skeleton.pairs, names)
    paired = {name for pair in pairs for name in pair}
    more = tuple(pair for pair in guess_pairs(keypoints) if not paired & set(pair))
    return Skeleton(skeleton.name, keypoints, _kept(skeleton.edges, names), (*pairs, *more))


def edges_of(skeleton: Skeleton) -> IntArray:
    """Return the edges as indices, (n_edges, 2)."""
    index = {name: i for i, name in enumerate(skeleton.keypoints)}
    return np.array([(index[a], index[b]) for a, b in skeleton.edges], dtype=np.int64).reshape(-1, 2)


def sides_of(skeleton: Skeleton) -> IntArray:
    """Return each keypoint's side, (n_keypoints,): 0 neither, 1 left, 2 right."""
    side = {name: which + 1 for pair in skeleton.pairs for which, name in enumerate(pair)}
    return np.array([side.get(name, 0) for name in skeleton.keypoints], dtype=np.int64)


def trailed(skeleton: Skeleton) -> IntArray:
    """Choose the keypoints that draw a trail, (n,) indices: the ends of limbs, not the face."""
    names = skeleton.keypoints
    people = [i for i, name in enumerate(names) if re.fullmatch(r"[LR](Wrist|Ankle)", name)]
    if people:
        return np.array(people, dtype=np.int64)
    edges, sides = edges_of(skeleton), sides_of(skeleton)
    degree = np.bincount(edges.ravel(), minlength=len(names))
    ends = np.flatnonzero((degree <= 1) & (sides > 0)).tolist()
    limbs = [i for i in ends if not _HEAD.search(names[i])]
    chosen = limbs or [i for i in range(len(names)) if not _HEAD.search(names[i])]
    return np.array(chosen[:8], dtype=np.int64)
