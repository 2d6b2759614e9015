"""Which keypoints a body has and how they hang together."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

__all__ = ["Skeleton"]


@dataclass(frozen=True)
class Skeleton:
    """Keypoints, edges between them and left-right pairs.

    Attributes
    ----------
    name : str
    keypoints : tuple of str
        In the order in which networks of this skeleton number them.
    edges : tuple of (str, str)
    pairs : tuple of (str, str)
        Left and right partners.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name}: a keypoint is named twice")
        for what, links in (("edge", self.edges), ("pair", self.pairs)):
            for link in links:
                strangers = set(link) - set(self.keypoints)
                if strangers:
                    raise ValueError(
                        f"skeleton {self.name}: {what} {link} names unknown {', '.join(sorted(strangers))}"
                    )

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Names of the skeletons that come with pose3d."""
        folder = resources.files("pose3d.data") / "presets"
        return tuple(
            sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
        )

    @classmethod
    def preset(cls, name: str) -> "Skeleton":
        """Load a skeleton that comes with pose3d.

        Parameters
        ----------
        name : str
            ``coco17``, ``halpe26``, ``body25``, ``body25b`` or ``blazepose33``; case, ``-`` and ``_`` do not matter.

        Raises
        ------
        KeyError
            If there is no such preset.
        """
        key = name.lower().replace("_", "").replace("-", "")
        if key not in cls.presets():
            raise KeyError(f"no skeleton {name!r}; there are {', '.join(cls.presets())}")
        text = (resources.files("pose3d.data") / "presets" / f"{key}.toml").read_text(encoding="utf-8")
        table = tomllib.loads(text)

        def links(items: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
            return tuple((a, b) for a, b in items)

        return cls(
            table["name"],
            tuple(table["keypoints"]),
            links(table.get("edges", [])),
            links(table.get("pairs", [])),
        )
