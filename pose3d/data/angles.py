"""Joint angles over time."""

from dataclasses import dataclass

from pose3d.data.names import different_names, recording_summary
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["JointAngles"]


@dataclass(frozen=True, eq=False, repr=False)
class JointAngles:
    """Named angles of one recording.

    Attributes
    ----------
    deg : (n_frames, n_individuals, n_angles) array, degrees
        NaN where a keypoint of the angle is missing or the angle is not defined.
    names : tuple of str
    individuals : tuple of str
    sd_deg : (n_frames, n_individuals, n_angles) array, degrees, optional
        Standard deviation.
    fps : float, optional
    start : int
    low_deg, high_deg : (n_frames, n_individuals, n_angles) array, degrees, optional
        Between them the truth lies with 95 % probability; both or none.
    """

    deg: FloatArray
    names: tuple[str, ...]
    individuals: tuple[str, ...]
    sd_deg: FloatArray | None = None
    fps: float | None = None
    start: int = 0
    low_deg: FloatArray | None = None
    high_deg: FloatArray | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "names", different_names("angles", self.names))
        put(self, "individuals", different_names("individuals", self.individuals))
        shape = (None, len(self.individuals), len(self.names))
        put(self, "deg", frozen_array(self.deg, shape=shape, what="deg (frame, individual, angle)"))
        for name in ("sd_deg", "low_deg", "high_deg"):
            values = getattr(self, name)
            if values is not None:
                put(self, name, frozen_array(values, shape=self.deg.shape, what=name))
        if (self.low_deg is None) != (self.high_deg is None) or (self.high_deg is not None and self.sd_deg is None):
            raise ValueError("low_deg and high_deg belong together, and with sd_deg")

    def __repr__(self) -> str:
        nouns = {"individual": self.individuals, "angle": self.names}
        return f"JointAngles({recording_summary(self.deg, nouns, self.fps)})"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.deg.shape[0])
