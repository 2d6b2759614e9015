"""PASS, WARN or FAIL: may a calibration be used, by which rule not, and what to do about it."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..findings import Grade
from .rules import LIMITS, Reason, camera_reasons, finding_reason, rig_reasons, unlinked_reason

if TYPE_CHECKING:  # rig.py asks for verdicts
    from ..rig import Calibration

__all__ = ["CameraVerdict", "Verdict", "judge"]

_ORDER: dict[Grade, int] = {"PASS": 0, "WARN": 1, "FAIL": 2}
_TELLING = {rule: i for i, rule in enumerate(LIMITS)}  # findings, which are not among them, come first


@dataclass(frozen=True)
class CameraVerdict:
    """One camera's grade and its main figures; NaN where there is none.

    Attributes
    ----------
    camera : str
    grade : {"PASS", "WARN", "FAIL"}
    reasons : tuple of Reason
        The rules that it broke, the worst first.
    median_px, held_out_px, left_out_px : float
    covered : float
        Part of the image that the board has reached.
    """

    camera: str
    grade: Grade
    reasons: tuple[Reason, ...]
    median_px: float = math.nan
    held_out_px: float = math.nan
    left_out_px: float = math.nan
    covered: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """Whether a calibration may be used.

    Attributes
    ----------
    grade : {"PASS", "WARN", "FAIL"}
        The worst of the cameras' and the rig's.
    says : str
        The rig's verdict in one sentence.
    cameras : tuple of CameraVerdict
        Those that are not in the rig come last.
    reasons : tuple of Reason
        Rules that concern the rig as a whole.
    expects : str
        How far off points are expected to be; empty where that is not known.
    """

    grade: Grade
    says: str
    cameras: tuple[CameraVerdict, ...]
    reasons: tuple[Reason, ...] = ()
    expects: str = ""

    def lines(self) -> list[str]:
        """Return lines for people: a table of the cameras, each broken rule with its remedy, and the verdict."""
        width = max(len("camera"), *(len(camera.camera) for camera in self.cameras))
        heads = ("verdict", "median px", "held out", "left out", "image covered")
        out = ["  ".join([f"{'camera':<{width}}", *heads, "why"])]
        for c in self.cameras:
            pixels = (_number(value, "{:.2f}") for value in (c.median_px, c.held_out_px, c.left_out_px))
            cells = (c.grade, *pixels, _number(100 * c.covered, "{:.0f} %"))
            padded = (f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
            why = ", ".join(reason.rule.replace("_", " ") for reason in c.reasons)
            out.append("  ".join([f"{c.camera:<{width}}", *padded, why]).rstrip())
        out += self._broken_rules()
        if self.grade != "PASS" and self.expects:
            out.append(self.expects)
        out.append(f"verdict: {self.grade}" + (f", {self.says}" if self.grade == "PASS" else ""))
        return out

    def _broken_rules(self) -> list[str]:
        """Return a line for each broken rule: the worst camera's sentence, the others' names, the remedy."""
        broken: dict[str, list[tuple[str, Reason]]] = {}
        for name, reasons in [("", self.reasons), *((camera.camera, camera.reasons) for camera in self.cameras)]:
            for reason in reasons:
                broken.setdefault(reason.rule, []).append((name, reason))
        worst_of = {rule: min(cases, key=lambda case: _badness(case[1])) for rule, cases in broken.items()}
        out = []
        for worst in _sorted(reason for _, reason in worst_of.values()):
            name = worst_of[worst.rule][0]
            others = dict.fromkeys(n for n, reason in broken[worst.rule] if reason.says != worst.says and n != name)
            also = f" (also {', '.join(others)})" if others else ""
            out.append(f"{worst.grade} {worst.says}{also}; {worst.fix}")
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json file; None where there is no number."""
        return dict(_plain(asdict(self)))


def judge(calibration: "Calibration") -> Verdict:
    """Judge a calibration by the rules of :data:`~pose3d.calibration.trust.rules.LIMITS` and its findings.

    Parameters
    ----------
    calibration : Calibration

    Returns
    -------
    Verdict
    """
    coverage = calibration.quality.coverage
    found = [(finding.cameras, finding_reason(finding)) for finding in calibration.findings]
    cameras = []
    for i, quality in enumerate(calibration.quality.cameras):
        mine = [reason for names, reason in found if quality.name in names]
        reasons = _sorted([*mine, *camera_reasons(calibration, i)])
        pixels = (quality.median_px, quality.held_out_px, quality.left_out_px)
        covered = math.nan if coverage is None else coverage.cameras[i].covered
        cameras.append(CameraVerdict(quality.name, _worst(reasons), reasons, *pixels, covered))
    for name, why in calibration.unlinked.items():
        mine = [reason for names, reason in found if name in names]
        cameras.append(CameraVerdict(name, "FAIL", _sorted([*mine, unlinked_reason(name, why)])))
    judged = {camera.camera for camera in cameras}
    rig = _sorted([*(reason for names, reason in found if not judged & set(names)), *rig_reasons(calibration)])
    every = _sorted([*rig, *(reason for camera in cameras for reason in camera.reasons)])
    return Verdict(_worst(every), _sentence(calibration, every), tuple(cameras), rig, _expectation(calibration))


def _badness(reason: Reason) -> tuple[int, float]:
    """Return a key that sorts the worst case of one rule first."""
    too_low = reason.rule in LIMITS and LIMITS[reason.rule].too_low
    value = 0.0 if math.isnan(reason.value) else reason.value
    return -_ORDER[reason.grade], value if too_low else -value


def _worst(reasons: tuple[Reason, ...]) -> Grade:
    return max((reason.grade for reason in reasons), key=_ORDER.__getitem__, default="PASS")


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Sort the worst first, and among equals what tells most about the cause."""
    return tuple(sorted(reasons, key=lambda reason: (-_ORDER[reason.grade], _TELLING.get(reason.rule, -1))))


def _sentence(calibration: "Calibration", reasons: tuple[Reason, ...]) -> str:
    if reasons:
        more = len({reason.rule for reason in reasons} - {reasons[0].rule})
        return reasons[0].line() + (f" (and {more} other rule{'s' if more > 1 else ''})" if more else "")
    error = calibration.quality.error_px
    if len(calibration.rig) < 2:
        return f"the camera sees corners {error:.2f} px from where they should be"
    expects = _expectation(calibration)
    return f"the {len(calibration.rig)} cameras agree to {error:.2f} px" + (f"; {expects}" if expects else "")


def _expectation(calibration: "Calibration") -> str:
    """Say the one number: how far off points are expected to be."""
    volume = calibration.volume
    if not len(volume.xyz) or not math.isfinite(volume.rms_mm):
        return ""
    size = " x ".join(f"{side:.0f}" for side in np.ptp(volume.xyz, axis=0))
    return f"points are expected within {volume.rms_mm:.2g} mm in {size} mm"


def _number(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
