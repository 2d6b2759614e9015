"""What a motion-capture system recorded of one individual: points, and what its own software computed from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pose3d.data.events import LimbEvents
from pose3d.data.keypoints import Keypoints3D
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["ForcePlate", "MocapRecording", "StoredValue"]


class StoredValue(NamedTuple):
    """A single value that the system's own software computed, such as a cadence."""

    name: str
    side: str
    """``L``, ``R``, or nothing."""
    value: float
    unit: str


@dataclass(frozen=True, eq=False)
class ForcePlate:
    """A force plate in the floor.

    Attributes
    ----------
    corners : (4, 3) array, mm
    force : (n_samples, 3) array, N
        What the ground pushes with, in the world.
    centre : (n_samples, 3) array, mm
        Centre of pressure; NaN where there is none.
    rate : float
        Samples per second.
    """

    corners: FloatArray
    force: FloatArray
    centre: FloatArray
    rate: float

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "corners", frozen_array(self.corners, shape=(4, 3), what="corners"))
        put(self, "force", frozen_array(self.force, shape=(None, 3), what="force"))
        put(self, "centre", frozen_array(self.centre, shape=self.force.shape, what="centre"))


@dataclass(frozen=True, eq=False, repr=False)
class MocapRecording:
    """One trial of one individual, as a motion-capture system wrote it.

    Attributes
    ----------
    points : Keypoints3D
        Markers and points of the model, one individual.
    angles : mapping of str to (n_frames, 3) array, degrees
        Angles that the system computed, under its own names and in its own signs; NaN where it gives none.
    events : LimbEvents
    values : tuple of StoredValue
    plates : tuple of ForcePlate
    """

    points: Keypoints3D
    angles: Mapping[str, FloatArray] = field(default_factory=dict)
    events: LimbEvents = field(default_factory=lambda: LimbEvents(np.zeros(0), (), ()))
    values: tuple[StoredValue, ...] = ()
    plates: tuple[ForcePlate, ...] = ()

    def __post_init__(self) -> None:
        if len(self.points.individuals) != 1:
            raise ValueError(f"one individual is expected, not {len(self.points.individuals)}")
        shape = (self.points.n_frames, 3)
        held = {name: frozen_array(value, shape=shape, what=f"angle {name}") for name, value in self.angles.items()}
        object.__setattr__(self, "angles", MappingProxyType(held))

    def __repr__(self) -> str:
        parts = f"{len(self.angles)} stored angles, {len(self.events)} events, {len(self.plates)} force plates"
        return f"MocapRecording({self.points!r}, {parts})"

    def named(self) -> dict[str, FloatArray]:
        """Return the points by name, each an (n_frames, 3) array in mm."""
        return {name: self.points.xyz[:, 0, i] for i, name in enumerate(self.points.keypoints)}
