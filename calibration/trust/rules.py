"""What a calibration must fulfil: each rule with its limits, what to say when it is broken, and the remedy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..findings import Finding, Grade
from .coverage import CameraCoverage, Coverage
from .quality import CameraQuality, EdgeErrors

if TYPE_CHECKING:  # rig.py asks for verdicts
    from ..rig import Calibration

__all__ = ["LIMITS", "Limit", "Reason", "camera_reasons", "finding_reason", "rig_reasons", "unlinked_reason"]

_NEVER = math.inf


class Limit(NamedTuple):
    """From where on a value earns a WARN and a FAIL.

    Attributes
    ----------
    unit : str
    warn, fail : float
        Infinite (or minus infinite) where there is no such grade.
    too_low : bool
        Values below the limits are bad, not values above.
    """

    unit: str
    warn: float
    fail: float
    too_low: bool = False

    def grade(self, value: float) -> Grade:
        """Return the grade of a value; NaN, which says nothing, passes."""
        sign = -1.0 if self.too_low else 1.0
        if sign * value > sign * self.fail:
            return "FAIL"
        return "WARN" if sign * value > sign * self.warn else "PASS"


_PX = "px per 1000 px of image width"

LIMITS: dict[str, Limit] = {
    "unlinked": Limit("cameras", _NEVER, 0),
    "pairs": Limit("% of the shared instants", 70, 30, True),
    "shared": Limit("instants", 10, 3, True),
    "weakest_link": Limit("instants", 10, 3, True),
    "edges": Limit("% of a square", 15, 50),
    "stretch": Limit("%", 0.5, 2),
    "scale": Limit("%", 0.5, 2),
    "misfit": Limit("times the cameras' own noise", 2, _NEVER),
    "reprojection": Limit(_PX, 0.7, 3),
    "dropped": Limit("% of the views", 20, 60),
    "left_out_error": Limit(_PX, _NEVER, 5),
    "left_out": Limit("times the expected error", 1.4, _NEVER),
    "views": Limit("views", 10, 4, True),
    "views_of_known_lens": Limit("views", 5, 2, True),
    "held_out_error": Limit(_PX, _NEVER, 3),
    "held_out": Limit("times the fitted instants' error", 1.5, _NEVER),
    "focal_length": Limit("% standard deviation", 1, 10),
    "principal_point": Limit("% of the image width", 1, _NEVER),
    "tilt": Limit("degrees", 5, -_NEVER, True),
    "systematic": Limit(_PX, 0.15, _NEVER),
    "outliers": Limit("% of the corners", 5, 40),
    "expected_error": Limit("of the volume", 1 / 1000, 1 / 50),
    "coverage": Limit("% of the image", 20, -_NEVER, True),
    "convergence": Limit("", 0, _NEVER),
}
"""What each rule allows; where several are broken, the first tells most about the cause.

A FAIL is for what would mislead whoever uses the result. Pixels count per 1000 px of the image's longer side.
"""

_NOTABLE = 0.1  # px per 1000 px of width: disagreements below this do no harm, however sure one is of them
_SURE = 4.0  # standard errors


@dataclass(frozen=True)
class Reason:
    """A rule that was broken.

    Attributes
    ----------
    rule : str
        A key of :data:`LIMITS`, or the kind of a finding.
    value, limit : float
        NaN for a finding.
    unit : str
    grade : {"WARN", "FAIL"}
    says, fix : str
        What is the matter and what to do, a sentence each without its full stop.
    """

    rule: str
    value: float
    limit: float
    unit: str
    grade: Grade
    says: str
    fix: str

    def line(self) -> str:
        """Return what is the matter and what to do in one line."""
        return f"{self.says}; {self.fix}"


def finding_reason(finding: Finding) -> Reason:
    """Turn a finding into a reason."""
    return Reason(finding.kind, math.nan, math.nan, "", finding.grade, finding.says, finding.fix)


def unlinked_reason(name: str, why: str) -> Reason:
    """Return the reason against a camera that is not in the rig."""
    says = f"camera {name} is not in the calibration: {why}"
    return Reason("unlinked", 1, 0, "cameras", "FAIL", says, "show the board to it and to a neighbour at the same time")


def camera_reasons(calibration: "Calibration", index: int) -> Iterator[Reason]:
    """Yield the rules that a camera breaks, findings apart.

    Parameters
    ----------
    calibration : Calibration
    index : int
        Of the camera in the rig.
    """
    quality = calibration.quality.cameras[index]
    coverage = calibration.quality.coverage
    covered = None if coverage is None else coverage.cameras[index]
    width = max(calibration.rig.cameras[index].size)
    name, per_mille = f"camera {quality.name}", 1000 / width
    lens_estimated = quality.focal_sd_percent != 0
    total = quality.views + quality.dropped
    few = [
        *_check(
            "views" if lens_estimated else "views_of_known_lens",
            quality.views,
            f"{name} saw the board at {_count(total, 'instant')} only"
            if not quality.dropped
            else f"{quality.views} of {_count(total, 'view')} of {name} can be used",
            "record it again with the board at more places and angles in front of it",
        )
    ]
    yield from few
    if total:
        alone = len(calibration.rig) < 2
        yield from _check(
            "dropped",
            100 * quality.dropped / total,
            f"{quality.dropped} of {_count(total, 'view')} of {name} "
            + ("fit no pose of the board" if alone else "do not fit what the others saw"),
            "look at the frames that were dropped for blur, reflections or a second board"
            + ("" if alone else ", and check that the clip shows the same moments as the others"),
        )
    yield from _link_reasons(calibration, quality.name, covered)
    if few and few[0].grade == "FAIL":
        return  # nothing else is known well enough to be judged
    yield from _check(
        "outliers",
        100 * quality.outliers,
        f"{100 * quality.outliers:.0f} % of the corners of {name} are wrong",
        "avoid blur, reflections and views along the board, and move the board slowly",
    )
    yield from _check(
        "reprojection",
        quality.median_px * per_mille,
        f"{name} sees the corners {quality.median_px:.2f} px (median) from where they should be",
        "check that this clip shows the same moments as the others, that the board is flat and that its size is right",
    )
    if quality.systematic_px > quality.own_sigma_px / 2:
        lens = "its lens may be a fisheye or the board not flat; try --fisheye or another board"
        yield from _check(
            "systematic",
            quality.systematic_px * per_mille,
            f"corners of {name} are off by {quality.systematic_px:.2f} px in the same direction in parts of its image",
            lens if lens_estimated else "its lens is not the one that was given, or the board is not flat",
        )
    yield from _prediction_reasons(quality, name, per_mille)
    if lens_estimated:
        yield from _lens_reasons(quality, covered, name, width)


def _prediction_reasons(quality: CameraQuality, name: str, per_mille: float) -> Iterator[Reason]:
    held, fitted = quality.held_out_px, quality.median_px
    if (held - fitted) * per_mille > _NOTABLE:
        says = f"{name} is off by {held:.2f} px at instants it was not fitted to, against {fitted:.2f} px"
        fix = "record more views of the board with it, at other places and angles"
        failed = [*_check("held_out_error", held * per_mille, says, fix)]
        yield from failed or _check("held_out", held / fitted, says, fix)
    left, expected = quality.left_out_px, quality.left_out_expected_px
    if (left - expected) * per_mille > _NOTABLE:
        says = f"{name} is off by {left:.2f} px from what the others predict, {expected:.2f} px would be expected"
        fix = "check that it did not move, runs in step with the others and has the lens that was given"
        if quality.focal_sd_percent:
            fix = "check that it did not move and runs in step with the others, and move the board slowly"
        much = LIMITS["left_out"].grade(quality.left_out_ratio) != "PASS"
        failed = [*_check("left_out_error", left * per_mille, says, fix)] if much else []
        yield from failed or _check("left_out", quality.left_out_ratio, says, fix)


def _link_reasons(calibration: "Calibration", camera: str, covered: CameraCoverage | None) -> Iterator[Reason]:
    if len(calibration.rig) < 2:
        return
    links = [link for pair, link in calibration.links.items() if camera in pair and link.shared]
    if covered is not None:
        shared = covered.shared
        yield from _check(
            "shared",
            shared,
            f"camera {camera} hangs on {_count(shared, 'instant')} at which another camera saw the board as well",
            "record more of the board where it and its neighbours see it together",
        )
    if links:
        best = max(100 * link.agreeing / link.shared for link in links)
        yield from _check(
            "pairs",
            best,
            f"camera {camera} and its neighbours agree on where they stand at {best:.0f} % of their shared instants",
            "check that its clip is not mirrored, not another camera's and runs in step, and that it did not move",
        )


def _lens_reasons(quality: CameraQuality, covered: CameraCoverage | None, name: str, width: int) -> Iterator[Reason]:
    turn = "record the board tilted by 30 to 45 degrees in several directions, and near as well as far"
    yield from _check(
        "focal_length",
        quality.focal_sd_percent,
        f"the focal length of {name} is known to {quality.focal_sd_percent:.1f} % only",
        turn,
    )
    center = 100 * quality.center_sd_px / width
    yield from _check(
        "principal_point",
        center,
        f"the principal point of {name} is known to {quality.center_sd_px:.0f} px only",
        turn,
    )
    if covered is None:
        return
    yield from _check(
        "tilt",
        covered.tilt_spread_deg,
        f"{name} saw the board always at the same angle, to {covered.tilt_spread_deg:.1f} degrees",
        turn,
    )
    yield from _check(
        "coverage",
        100 * covered.covered,
        f"the board has reached {100 * covered.covered:.0f} % of the image of {name}",
        "show the board in all parts of its image, or trust its lens only where the board has been",
    )


def rig_reasons(calibration: "Calibration") -> Iterator[Reason]:
    """Yield the rules that a rig as a whole breaks, findings apart.

    Parameters
    ----------
    calibration : Calibration
    """
    if not calibration.solution.converged:
        yield from _check(
            "convergence", 1, "the refinement has not come to rest", "record again; the views determine too little"
        )
    if len(calibration.rig) < 2:
        return
    yield from _misfit_reasons(calibration)
    coverage = calibration.quality.coverage
    if coverage is not None:
        yield from _weakest_reasons(coverage)
    volume = calibration.volume
    size = float(np.ptp(volume.xyz, axis=0).max()) if len(volume.xyz) else 0.0
    if size > 0 and (coverage is None or len(coverage.groups) == 1):
        yield from _check(
            "expected_error",
            volume.rms_mm / size,
            f"points are expected to be off by {_short(volume.rms_mm)} mm in a volume of {size:.0f} mm",
            "record more views of the board, spread over the volume and seen by several cameras at once",
        )
    yield from _board_reasons(calibration.quality.edges, calibration.board.square_mm)


def _weakest_reasons(coverage: Coverage) -> Iterator[Reason]:
    """Yield what separates groups of cameras; single cameras are judged by the instants that they share."""
    groups = [group for group in coverage.groups if len(group) > 1]
    weakest = coverage.weakest
    if len(groups) > 1:
        says = f"no view that fits links {' with '.join(', '.join(group) for group in groups)}"
        yield from _check("weakest_link", 0, says, "record more of the board between them")
    elif weakest is not None and min(map(len, weakest.groups)) > 1:
        yield from _check(
            "weakest_link",
            weakest.instants,
            f"{' and '.join(', '.join(group) for group in weakest.groups)} are linked by "
            f"{_count(weakest.instants, 'instant')} only",
            f"record more of the board between {' and '.join(weakest.pair.cameras)}",
        )


def _misfit_reasons(calibration: "Calibration") -> Iterator[Reason]:
    cameras = calibration.quality.cameras
    widths = np.array([max(camera.size) for camera in calibration.rig])
    together = np.array([camera.sigma_px for camera in cameras])
    own = np.array([camera.own_sigma_px for camera in cameras])
    if np.nanmedian(1000 * (together - own) / widths) > _NOTABLE:
        ratio = float(np.nanmedian(together / np.maximum(own, 1e-9)))
        yield from _check(
            "misfit",
            ratio,
            f"the cameras together fit {ratio:.1f} times worse than each by itself",
            "check that they run in step, that none moved, that the board is flat, and move it slowly",
        )


def _board_reasons(edges: EdgeErrors, square_mm: float) -> Iterator[Reason]:
    yield from _check(
        "edges",
        100 * edges.rms_mm / square_mm,
        f"the board's edges, triangulated, are off by {_short(edges.rms_mm)} mm",
        "check that each clip is of its own camera, and that they run in step",
    )
    if abs(edges.scale_percent) > _SURE * edges.scale_se_percent:
        yield from _check(
            "scale",
            abs(edges.scale_percent),
            f"edges of the board come out {edges.scale_percent:+.2f} % from their true length",
            "check the lenses that were given, and that the cameras run in step",
        )
    longer, shorter = "xy" if edges.stretch_percent > 0 else "yx"
    if abs(edges.stretch_percent) > _SURE * edges.stretch_se_percent:
        yield from _check(
            "stretch",
            abs(edges.stretch_percent),
            f"the board's squares are {abs(edges.stretch_percent):.2f} % longer along {longer} than along {shorter}",
            "measure the printed board in both directions, and print it without fitting it to the page",
        )


def _check(rule: str, value: float, says: str, fix: str) -> Iterator[Reason]:
    limit = LIMITS[rule]
    grade = limit.grade(value)
    if grade != "PASS":
        yield Reason(rule, float(value), limit.fail if grade == "FAIL" else limit.warn, limit.unit, grade, says, fix)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
