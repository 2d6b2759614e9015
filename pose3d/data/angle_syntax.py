"""How an angle is defined by the names of keypoints: anipose's syntax."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

__all__ = ["AngleDefinition", "AngleType", "parse_angle"]

AngleType = Literal["flex", "axis", "cross-axis", "chain"]


class AngleDefinition(NamedTuple):
    """An angle's type and keypoints.

    Attributes
    ----------
    kind : {"flex", "axis", "cross-axis", "chain"}
    keypoints : tuple of str
    signs : tuple of int
        1, or -1 for a joint of a chain that bends the other way.
    """

    kind: AngleType
    keypoints: tuple[str, ...]
    signs: tuple[int, ...]


def parse_angle(words: Sequence[str], *, known: Collection[str] = ()) -> AngleDefinition:
    """Read a definition.

    Parameters
    ----------
    words : sequence of str
        Three keypoints, or a type and its keypoints; what they mean stands at :func:`pose3d.kinematics.joint_angles`.
    known : collection of str, optional
        Keypoints that there are: where one bears the name of a type, three words are three keypoints.

    Returns
    -------
    AngleDefinition

    Raises
    ------
    ValueError
        If the type is unknown, or it is followed by too few or too many keypoints.

    Examples
    --------
    >>> parse_angle(["chain", "hip", "knee/", "ankle"])
    AngleDefinition(kind='chain', keypoints=('hip', 'knee', 'ankle'), signs=(1, -1, 1))
    """
    kinds: tuple[AngleType, ...] = get_args(AngleType)
    kind = next((kind for kind in kinds if words and words[0] == kind), None)
    if len(words) == 3 and (kind is None or words[0] in known):
        return AngleDefinition("flex", tuple(words), (1, 1, 1))
    if kind is None:
        if len(words) == 4:
            raise ValueError(f'type "{words[0]}" is unknown; types are {", ".join(kinds)}')
        raise ValueError(
            f"must be three keypoints, or a type ({', '.join(kinds)}) and keypoints, not {len(words)} names"
        )
    parts = tuple(words[1:])
    if kind == "chain":
        if len(parts) < 3:
            raise ValueError(f'"chain" is followed by at least three keypoints, not {len(parts)}')
        signs = tuple(-1 if part.endswith("/") else 1 for part in parts)
        return AngleDefinition(kind, tuple(part.removesuffix("/") for part in parts), signs)
    if len(parts) != 3:
        raise ValueError(f'"{kind}" is followed by three keypoints, not {len(parts)}')
    return AngleDefinition(kind, parts, (1, 1, 1))
