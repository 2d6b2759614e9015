"""Left and right partners by their names, for detections that come without a skeleton."""

import re
from collections.abc import Sequence

__all__ = ["guess_pairs"]

_LEFT = (
    (re.compile(r"left"), "right"),
    (re.compile(r"Left"), "Right"),
    (re.compile(r"LEFT"), "RIGHT"),
    (re.compile(r"^L(?=[A-Z][a-z])"), "R"),  # LKnee
    (re.compile(r"(?<=[a-z0-9])L$"), "R"),  # kneeL
    (re.compile(r"(?<![A-Za-z])L(?![A-Za-z])"), "R"),  # knee_L, L.knee, L1
    (re.compile(r"(?<![A-Za-z])l(?![A-Za-z])"), "r"),
)


def guess_pairs(keypoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the left and right partners among named keypoints, in the order of the left ones.

    A pair is two names that differ in one mark of the side alone: `left` and `right`, or a lone `L` and `R` at either
    end or between separators.

    Parameters
    ----------
    keypoints : sequence of str

    Examples
    --------
    >>> guess_pairs(["Nose", "LKnee", "RKnee", "Leg", "haunch_right", "haunch_left", "Ear_L", "Ear_R", "left_paw"])
    (('LKnee', 'RKnee'), ('haunch_left', 'haunch_right'), ('Ear_L', 'Ear_R'))
    """
    there = set(keypoints)
    pairs = []
    for name in keypoints:
        mirrored = (pattern.sub(right, name, count=1) for pattern, right in _LEFT)
        partner = next((other for other in mirrored if other != name and other in there), None)
        if partner is not None:
            pairs.append((name, partner))
    return tuple(pairs)
