"""The head of the calibration report: a grade, a sentence, one number, what to do, and the table of cameras."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pose3d.calibration import Calibration

from .calibration_measures import CameraViews, coverage
from .calibration_tables import value_and_sd
from .drawing import number

__all__ = ["SIGNS", "Advice", "camera_rows", "head"]

SIGNS = {"PASS": "✔", "WARN": "▲", "FAIL": "✖"}
_ORDER = {"PASS": 0, "WARN": 1, "FAIL": 2}
_MEANS = {
    "PASS": "This calibration can be used",
    "WARN": "This calibration can be used with care",
    "FAIL": "Do not measure with this calibration",
}


class Advice(NamedTuple):
    """One thing that was found, and what to do about it.

    Attributes
    ----------
    grade : {"WARN", "FAIL"}
    says, fix : str
    also : tuple of str
        Other cameras of which the same is true.
    """

    grade: str
    says: str
    fix: str
    also: tuple[str, ...] = ()


def head(calibration: Calibration, rows: list[dict[str, Any]], verdict: Any) -> dict[str, Any]:
    """Return the banner, the figures below it and the advice."""
    if verdict is not None:
        grade, says, advice = str(verdict.grade), str(verdict.says), _verdict_advice(verdict)
    else:
        advice = [Advice(finding.grade, finding.says, finding.fix) for finding in calibration.findings]
        advice += _lost_advice(calibration)
        grade = _worst([*(row["grade"] for row in rows), *(item.grade for item in advice)])
        says = ""
    advice.sort(key=lambda item: -_ORDER.get(item.grade, 0))  # stable: causes stay before their symptoms
    says = says.removeprefix(f"{grade}, ") or (advice[0].says if advice else "nothing was found that speaks against it")
    volume, quality = calibration.volume, calibration.quality
    some = len(volume.xyz) > 0
    noise = float(np.sqrt(np.mean(volume.noise_mm**2))) if some else float("nan")
    scale = f"{round(quality.edges.scale_percent, 2) + 0.0:+.2f}" if quality.edges.n else "-"  # no -0
    n_lost = len(calibration.unlinked)
    return {
        "grade": grade,
        "means": _MEANS.get(grade, ""),
        "says": says,
        "expected": _expected(calibration),
        "caveat": _caveat(calibration),
        "extent": " x ".join(f"{side:.0f}" for side in np.ptp(volume.xyz, axis=0)) if some else "",
        "merits": [
            ("a single point", number(noise, 2), "mm", "expected for one that is seen as sharply as a board corner"),
            ("reprojection", number(quality.error_px, 2), "px", "median over the cameras"),
            ("scale", scale, "%", "error of the board's edges, mean"),
            ("cameras", str(len(calibration.rig)), f"of {n_lost + len(calibration.rig)}", "calibrated"),
            ("instants", str(len(calibration.detections.frames)), "", "at which the board was seen"),
        ],
        "advice": advice,
    }


def _undetermined(calibration: Calibration) -> bool:
    """Tell whether the expected error is as large as the recorded volume itself."""
    volume = calibration.volume
    return len(volume.xyz) > 1 and not volume.rms_mm < float(np.ptp(volume.xyz, axis=0).max())


def _expected(calibration: Calibration) -> str:
    if _undetermined(calibration):
        return f"> {np.ptp(calibration.volume.xyz, axis=0).max():.0f}"
    return number(calibration.volume.rms_mm, 2)


def _caveat(calibration: Calibration) -> str:
    """Say what the expected error leaves out: lenses that were held are taken for exact, and they are not."""
    held = np.asarray(~(calibration.uncertainty.lens_sd > 0).any(axis=1))
    if not held.any():
        return ""
    whose = "the lenses were" if held.all() else f"{int(held.sum())} of {len(held)} lenses were"
    return f"{whose} held and taken for exact: the true error is larger, perhaps by far"


def _worst(grades: Iterable[str]) -> str:
    return max(grades, key=lambda grade: _ORDER.get(grade, 0), default="PASS")


def _reasons(judged: Any) -> tuple[Any, ...]:
    """Return the rules that a camera broke: its own reasons, or the one rule that its grade names."""
    if getattr(judged, "reasons", None) is not None:
        return tuple(judged.reasons)
    return (judged,) if judged.grade != "PASS" and getattr(judged, "rule", "") else ()


def _verdict_advice(verdict: Any) -> list[Advice]:
    """List what a verdict holds against the rig and its cameras, one item a rule: the worst camera's words."""
    broken: dict[str, list[tuple[str, Any]]] = {}
    for reason in getattr(verdict, "reasons", ()):
        broken.setdefault(f"rig: {reason.rule}: {reason.says}", []).append(("", reason))
    for camera in verdict.cameras:
        for reason in _reasons(camera):
            broken.setdefault(str(reason.rule), []).append((str(camera.camera), reason))
    out = []
    # findings, which have no number, name causes; broken limits are their symptoms
    for cases in sorted(broken.values(), key=lambda cases: bool(np.isfinite(getattr(cases[0][1], "value", 0.0)))):
        cases.sort(key=lambda case: -_ORDER.get(case[1].grade, 0))
        first, worst = cases[0]
        says = str(getattr(worst, "says", "") or f"camera {first}: {worst.rule}")
        also = tuple(name for name, reason in cases[1:] if getattr(reason, "says", None) != says)
        out.append(Advice(str(worst.grade), says, str(worst.fix), tuple(dict.fromkeys(also))))
    return out


def _lost_advice(calibration: Calibration) -> list[Advice]:
    """List what no finding says: cameras that are not in the rig, and a rig of which nothing is known."""
    out = [
        Advice(
            "FAIL", f"camera {name} is not in the calibration: {why}", "show the board to it and a neighbour at once"
        )
        for name, why in calibration.unlinked.items()
    ]
    if _undetermined(calibration):
        out.append(
            Advice(
                "FAIL",
                "the recording does not tell where the cameras stand: the expected error exceeds the volume itself",
                "record the board where two cameras at a time see it, and see that all clips start at one moment",
            )
        )
    return out


def camera_rows(calibration: Calibration, every: list[CameraViews], verdict: Any) -> list[dict[str, Any]]:
    """Return the table of cameras: those of the rig, then those that could not be calibrated."""
    judged = {} if verdict is None else {str(camera.camera): camera for camera in verdict.cameras}
    focal_sd = calibration.uncertainty.lens_sd[:, :2].mean(axis=1)
    rows: list[dict[str, Any]] = []
    for i, (camera, views) in enumerate(zip(calibration.rig, every, strict=True)):
        quality = calibration.quality.cameras[i]
        if verdict is None:
            accused = [finding for finding in calibration.findings if camera.name in finding.cameras]
            grade, rules = _worst(finding.grade for finding in accused), [_words(finding.kind) for finding in accused]
        elif camera.name in judged:
            grade, rules = str(judged[camera.name].grade), [_rule(r) for r in _reasons(judged[camera.name])]
        else:
            grade, rules = "PASS", []
        rows.append(
            {
                "name": camera.name,
                "grade": grade,
                "rules": rules,
                "views": quality.views,
                "dropped": quality.dropped,
                "median": _px(quality.median_px),
                "p95": _px(quality.p95_px),
                "held_out": _px(quality.held_out_px),
                "left_out": _left_out(quality.left_out_px, quality.left_out_ratio),
                "covered": f"{(coverage(views) > 0).mean():.0%}",
                "focal": value_and_sd(camera.focal, float(focal_sd[i])),
                "lost": "",
            }
        )
    for name, reason in calibration.unlinked.items():
        rows.append({"name": name, "grade": "FAIL", "rules": [], "lost": reason})
    return rows


def _px(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _left_out(px: float, ratio: float) -> str:
    return _px(px) + (f" ({ratio:.1f} ×)" if np.isfinite(px) and np.isfinite(ratio) else "")


def _words(rule: str) -> str:
    return rule.replace("_", " ")


def _rule(reason: Any) -> str:
    """Return a rule with its number and the limit that it broke."""
    value, limit = (getattr(reason, key, None) for key in ("value", "limit"))
    if not (isinstance(value, int | float) and isinstance(limit, int | float) and np.isfinite([value, limit]).all()):
        return _words(str(reason.rule))
    unit = str(getattr(reason, "unit", ""))
    return f"{_words(str(reason.rule))}: {number(float(value), 2)}, limit {number(float(limit), 2)} {unit}".rstrip()
