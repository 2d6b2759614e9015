"""What has changed between two calibrations of a rig, in numbers and in sentences."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from pose3d.geometry.arrays import FloatArray

from ..findings import Finding

__all__ = ["CameraChange", "Comparison", "Verdict"]

Verdict: TypeAlias = Literal["same", "moved", "unclear"]


@dataclass(frozen=True)
class CameraChange:
    """How one camera differs from an earlier calibration.

    Attributes
    ----------
    name : str
    verdict : {"same", "moved", "unclear"}
    shift_mm, shift_sd_mm : float
        Way of its optical centre, in units of the new calibration.
    turn_deg, turn_sd_deg : float
    focal_percent : float
        New focal length against the old one.
    zoomed : bool
        Whether that is more than the calibrations' errors.
    effect_px : float
        Root mean square distance, in this camera's image, between where the new and the old calibration see points of
        the scene.
    """

    name: str
    verdict: Verdict
    shift_mm: float
    shift_sd_mm: float
    turn_deg: float
    turn_sd_deg: float
    focal_percent: float
    zoomed: bool
    effect_px: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """A rig against an earlier one.

    Attributes
    ----------
    cameras : tuple of CameraChange
        Those that both have.
    new_from_old : (4, 4) array, mm
        Takes points of the old world, times `scale`, into the new one, as the cameras that stayed have it.
    scale : float
        1 unless the scales clearly differ.
    added, gone : tuple of str
        Cameras that only the new, only the old rig has.
    alternatives : tuple of tuple of str
        Sets of cameras that may have moved instead of those that are called so.
    """

    cameras: tuple[CameraChange, ...]
    new_from_old: FloatArray
    scale: float
    added: tuple[str, ...]
    gone: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the cameras that have moved."""
        return tuple(camera.name for camera in self.cameras if camera.verdict == "moved")

    @property
    def unclear(self) -> tuple[str, ...]:
        """Names of the cameras of which it cannot be told."""
        return tuple(camera.name for camera in self.cameras if camera.verdict == "unclear")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What there is to say, for the report and the verdict."""
        found = []
        for c in self.cameras:
            if c.verdict == "moved":
                says = (
                    f"camera {c.name} has moved by {c.shift_mm:.1f} mm (+- {c.shift_sd_mm:.1f}) and {c.turn_deg:.2f} "
                    f"degrees (+- {c.turn_sd_deg:.2f}) since the earlier calibration, {c.effect_px:.1f} px in its image"
                )
                fix = "use the new calibration for what was recorded since, and fasten the camera"
                found.append(Finding("moved_since", "WARN", (c.name,), says, fix))
            if c.zoomed:
                says = f"the focal length of camera {c.name} has changed by {c.focal_percent:+.2f} %"
                fix = "its zoom or focus was touched, or its clip is another camera's; fix the lens, check the names"
                found.append(Finding("zoomed_since", "WARN", (c.name,), says, fix))
        if self.unclear:
            found.append(Finding("moved_since", "WARN", self.unclear, self._unclear(), "compare again with more views"))
        if self.scale != 1:
            larger = "larger" if self.scale > 1 else "smaller"
            says = f"the new calibration is {abs(100 * (self.scale - 1)):.2f} % {larger} than the earlier one"
            found.append(Finding("scaled_since", "WARN", (), says, "check the board's square size in both"))
        return tuple(found)

    def _unclear(self) -> str:
        far = ", ".join(f"{c.name} {c.shift_mm:.1f} mm {c.turn_deg:.2f} deg" for c in self.cameras)
        if len(self.cameras) == 2:
            return f"cameras {' and '.join(self.unclear)} have moved against each other, which of them cannot be told"
        if self.alternatives:
            if len(self.alternatives) > 3:
                return f"some of the cameras {', '.join(self.unclear)} have moved, which cannot be told ({far})"
            sets = " or ".join(" and ".join(names) for names in self.alternatives)
            return f"some cameras have moved: {sets}, which cannot be told from these alone"
        return f"the cameras agree too little with the earlier calibration to tell who moved ({far})"

    def lines(self) -> list[str]:
        """Return lines for people: a table of the cameras, then sentences."""
        width = max(len("camera"), *(len(camera.name) for camera in self.cameras))
        heads = ("shift mm", "+-", "turn deg", "+-", "focal %", "effect px", "verdict")
        out = ["  ".join([f"{'camera':<{width}}", *heads])]
        for c in self.cameras:
            cells = (
                f"{c.shift_mm:.2f}",
                f"{c.shift_sd_mm:.1f}",
                f"{c.turn_deg:.3f}",
                f"{c.turn_sd_deg:.2f}",
                f"{c.focal_percent:+.2f}",
                f"{c.effect_px:.2f}",
                c.verdict + (", zoomed" if c.zoomed else ""),
            )
            padded = [f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True)]
            out.append("  ".join([f"{c.name:<{width}}", *padded]))
        out += [finding.line() for finding in self.findings]
        if not self.findings:
            out.append("no camera has moved")
        for names, where in ((self.added, "earlier"), (self.gone, "new")):
            if names:
                out.append(f"not in the {where} calibration: {', '.join(names)}")
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json file."""
        return {
            "moved": self.moved,
            "unclear": self.unclear,
            "cameras": [asdict(camera) for camera in self.cameras],
            "scale": self.scale,
            "new_from_old": self.new_from_old.tolist(),
            "added": self.added,
            "gone": self.gone,
            "alternatives": self.alternatives,
            "findings": [finding.to_dict() for finding in self.findings],
        }
