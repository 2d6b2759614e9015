"""Norms: what people without complaints do, as a mean and a spread over the gait cycle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["NormBand", "Norms"]


@dataclass(frozen=True, eq=False)
class NormBand:
    """The norm of one variable.

    Attributes
    ----------
    percent : (n,) array, %
        Of the cycle, rising from 0 to 100.
    mean, sd : (n,) array
    n_people : int or None
        None where the source does not say.
    unit : str
    """

    percent: FloatArray
    mean: FloatArray
    sd: FloatArray
    n_people: int | None = None
    unit: str = "deg"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "percent", frozen_array(self.percent, shape=(None,), what="percent"))
        for name in ("mean", "sd"):
            put(self, name, frozen_array(getattr(self, name), shape=self.percent.shape, what=name))
        rises = len(self.percent) >= 2 and (np.diff(self.percent) > 0).all()
        if not rises or self.percent[0] != 0 or self.percent[-1] != 100:
            raise ValueError("percent must rise from 0 to 100")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.sd).all() and (self.sd >= 0).all()):
            raise ValueError("mean and sd must be numbers, sd not below 0")

    def at(self, n: int = 101) -> tuple[FloatArray, FloatArray]:
        """Return mean and SD at n instants from 0 to 100 %."""
        places = np.linspace(0, 100, n)
        return np.interp(places, self.percent, self.mean), np.interp(places, self.percent, self.sd)


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of one group of people.

    Attributes
    ----------
    bands : mapping of str to NormBand
        By variable, without a side, as in :data:`pose3d.kinematics.segments.CARDAN_JOINTS`.
    source : str
        Who measured whom; printed wherever the norm is shown.
    licence : str
    """

    bands: Mapping[str, NormBand] = field(default_factory=dict)
    source: str = "unknown"
    licence: str = "unknown"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", MappingProxyType(dict(self.bands)))

    def means(self, n: int = 101) -> dict[str, FloatArray]:
        """Return the mean cycles, (n,) each, by variable."""
        return {name: band.at(n)[0] for name, band in self.bands.items()}
