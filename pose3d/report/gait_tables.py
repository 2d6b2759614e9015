"""Tables of a gait report: those that people read, and the same numbers in full for programs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from pose3d.data.norms import Norms
from pose3d.data.recording_facts import RecordingFacts
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.gait_findings import GaitStudy, Measure, Row
from pose3d.kinematics.strides import GaitParameter
from pose3d.kinematics.symmetry import (
    coefficient_of_multiple_correlation,
    symmetry_angle,
    symmetry_index,
    symmetry_ratio,
    waveform_symmetry,
)

from .document import Cell, Table, Value
from .gait_facts import GaitFacts
from .gait_words import SIDES, decimals, interval_text, is_apart, measure_text, number_text, readable

__all__ = [
    "edit_table",
    "keypoint_rows",
    "keypoint_table",
    "left_out_table",
    "parameter_table",
    "parameter_words",
    "peak_table",
    "profile_table",
    "recording_rows",
    "recording_table",
    "refused_table",
    "symmetry_table",
    "variability_table",
    "waveform_table",
]

_WORDS = {
    "foot_off": "Stance (foot off)",
    "heading_change": "Turn since the stride before",
    "opposite_foot_off": "Other foot off",
    "opposite_foot_contact": "Other foot's strike",
}
_PEAK_WORDS = {
    "range": "range",
    "maximum": "maximum",
    "minimum": "minimum",
    "at_strike": "at foot strike",
    "at_off": "at foot off",
    "maximum_at": "maximum, when",
}
_VARIABILITY = "%: coefficient of variation, SD of the mean. °: mean over the cycle of the SD between cycles."
_RECORDINGS = (
    "Strides: those that count, of those found. Views: cameras that see a point, on average. Off: median distance of "
    "the points, seen by a camera, from where it saw them. SD: median expected error of a point in space. Filled: by "
    "the neighbouring frames. All are means over the keypoints."
)
_WAVEFORMS = (
    "RMSD: root mean square distance of the sides' mean cycles, each from its own strike. Left − right: mean over the "
    "cycle. Right later: shift, in % of the cycle, at which they are most alike; alike: their correlation there. "
    "Repeats: coefficient of multiple correlation between cycles of a side (Kadaba 1989); a dash where cycles differ "
    "by more than the angle moves."
)
_T = TypeVar("_T")
_MOST_KEYPOINTS = 40
_SYMMETRIC = (
    "stride_time",
    "step_time",
    "foot_off",
    "single_support",
    "double_support",
    "stride_length",
    "step_length",
)


def parameter_words(parameter: Row | GaitParameter) -> str:
    """Return what people call a number of every stride, and its unit."""
    unit = "°" if parameter.unit == "deg" else parameter.unit
    return f"{_WORDS.get(parameter.name, readable(parameter.name))}, {unit}"


def _difference(row: Row) -> Cell:
    """Return left minus right, marked where its interval leaves zero out."""
    text = interval_text(row.difference, row.unit, with_value=True)
    apart, known = is_apart(row.difference, row.unit), row.difference.is_known
    return Cell(text or "–", flag="strong" if apart else "soft" if known else "")


def parameter_table(study: GaitStudy) -> Table:
    """Return times, lengths and phases: left, right, difference, norm."""
    norms = study.norms
    has_norm = norms is not None and any(row.name in norms.bands for row in study.parameters)
    rows = []
    for row in study.parameters:
        cells: list[Cell | str] = [parameter_words(row)]
        cells += [*(_shown(measure, row.unit) for measure in _both(row)), _difference(row)]
        if has_norm and norms is not None:
            cells.append(_norm_text(norms, row))
        rows.append((*cells, " / ".join(str(row.sides[side].n) for side in SIDES)))
    header = ("", "left", "right", "left − right", *(("norm",) if has_norm else ()), "strides L / R")
    note = (
        "Mean ± SD between strides [95 % interval of the measurement]."
        if (study.n_samples)
        else "Mean ± SD between strides. Without posterior samples there is no interval of the measurement."
    )
    bold = " Bold: the interval of the difference does not hold zero." if study.n_samples else ""
    return Table(header, tuple(rows), note=note + bold)


def _norm_text(norms: Norms, row: Row) -> str:
    """Return the norm of a number, which a file of norms holds as a curve that does not change."""
    if row.name not in norms.bands:
        return ""
    band = norms.bands[row.name]
    mean, sd = band.at(2)
    places = decimals(row.unit)
    unit = "" if band.unit in (row.unit, "deg") else f" {band.unit}"  # of a file that names none it is deg
    return f"{mean[0]:.{places}f} ± {sd[0]:.{places}f}{unit}"


def peak_table(study: GaitStudy, angles: Sequence[str]) -> Table:
    """Return peaks and ranges of some angles."""
    rows: list[tuple[Cell | str, ...]] = []
    before = ""
    known = [row for angle in angles for row in study.peaks if row.angle == angle and any(m.n for m in _both(row))]
    for row in known:
        angle = "" if row.angle == before else readable(row.angle)
        before = row.angle
        cells = [_shown(measure, row.unit) for measure in _both(row)]
        what = f"{_PEAK_WORDS.get(row.name, readable(row.name).lower())}, {'°' if row.unit == 'deg' else row.unit}"
        rows.append((Cell(angle, flag="strong"), what, *cells, _difference(row)))
    note = "Mean ± SD between strides" + (" [95 % interval of the measurement]." if study.n_samples else ".")
    if study.n_samples:
        note += (
            " Noise makes extremes larger; their intervals are turned about the measured value and may lie below it."
        )
    return Table(("angle", "what", "left", "right", "left − right"), tuple(rows), alignment="llrrr", note=note)


def _shown(measure: Measure, unit: str) -> str:
    return f"{measure_text(measure, unit)} {interval_text(measure.mean, unit)}".strip()


def _both(row: Row) -> tuple[Measure, Measure]:
    return row.sides["L"], row.sides["R"]


def recording_table(study: GaitStudy, facts: GaitFacts) -> Table:
    """Return what each recording gave, and how well it was seen."""
    gaits = {trial.name: trial.gait for trial in study.trials}
    rows: list[tuple[Cell | str, ...]] = []
    for recording, numbers in zip(facts.recordings, recording_rows(facts), strict=True):
        counts = []
        for side in SIDES:
            strides = gaits[recording.name].sides[side].strides
            kept = int(strides.kept.sum())
            counts.append(Cell(f"{kept} of {len(strides)}", flag="" if kept else "warn"))
        seen = [_cell(float(number), 1) for number in numbers[3:8] if isinstance(number, float)]
        length, rate = f"{recording.duration_s:.1f}", f"{recording.fps:g}"
        rows.append((recording.name, length, rate, *counts, *seen, recording.events))
    header = (
        *("recording", "s", "frames/s", "strides, left", "strides, right"),
        *("views", "off, px", "SD, mm", "filled, %", "missing, %", "events"),
    )
    return _without_empty(Table(header, tuple(rows), alignment="lrrrrrrrrrl", title="Recordings", note=_RECORDINGS))


def recording_rows(facts: GaitFacts) -> list[list[Value]]:
    """Return of each recording name, s, frames/s, means over the keypoints, events, angles and what made intervals."""
    rows: list[list[Value]] = []
    for each in facts.recordings:
        seen = each.coverage
        means = [_mean(seen.n_cameras), _mean(seen.error_px), _mean(seen.sd_mm), 100 * _mean(seen.filled)]
        told = [each.events, each.angles, each.intervals]
        rows.append([each.name, each.duration_s, each.fps, *means, 100 * _mean(seen.missing), *told])
    return rows


def edit_table(facts: GaitFacts) -> Table | None:
    """Return what a person corrected; None where nothing was."""
    rows = tuple((recording.name, line) for recording in facts.recordings for line in recording.edits)
    if not rows:
        return None
    return Table(("recording", "what"), rows, alignment="ll", title="Corrected by a person")


def keypoint_table(facts: GaitFacts) -> Table:
    """Return how well each keypoint was seen, over all recordings; two stand side by side."""
    rows: list[tuple[Cell | str, ...]] = []
    found = keypoint_rows(facts)
    shown, note = found, ""
    if len(found) > _MOST_KEYPOINTS:
        lost = np.array([row[4] + row[5] for row in found if isinstance(row[4], float) and isinstance(row[5], float)])
        shown = [found[i] for i in np.argsort(-lost, kind="stable")[:_MOST_KEYPOINTS]]
        note = f"Of {len(found)} points those that are missed most; all are in gait-keypoints.csv and gait.xlsx."
    for name, *numbers in shown:
        cells = [_cell(float(number), 1) for number in numbers if isinstance(number, float)]
        often = any(cell.value is not None and float(cell.value) > 20 for cell in cells[3:])
        rows.append((str(name), *cells[:3], *(replace(cell, flag="warn" if often else "") for cell in cells[3:])))
    header = ("keypoint", "views", "off, px", "SD, mm", "filled, %", "missing, %")
    return _folded(Table(header, tuple(rows), title="Keypoints, over all recordings", note=note))


def keypoint_rows(facts: GaitFacts) -> list[list[Value]]:
    """Return name, views, px, mm, and percent filled and missing, of each keypoint."""
    names = dict.fromkeys(name for recording in facts.recordings for name in recording.coverage.keypoints)
    rows: list[list[Value]] = []
    for name in names:
        own = [recording for recording in facts.recordings if name in recording.coverage.keypoints]
        views, error, sd, filled, missing = (
            _weighted(own, name, measure) for measure in ("n_cameras", "error_px", "sd_mm", "filled", "missing")
        )
        rows.append([name, views, error, sd, 100 * filled, 100 * missing])
    return rows


def _folded(table: Table) -> Table:
    """Put parts of a narrow table side by side, and leave out columns that are empty throughout."""
    table = _without_empty(table)
    rows, header, letters = list(table.cells()), table.header, table.alignment
    n = 3 if len(header) <= 3 else 2
    high = -(-len(rows) // n)
    rows += [tuple(Cell("") for _ in header)] * (n * high - len(rows))
    parts = [rows[i * high : (i + 1) * high] for i in range(n)]
    joined = tuple(_beside(row, Cell("")) for row in zip(*parts, strict=True))
    return replace(table, header=_beside([header] * n, ""), rows=joined, alignment="c".join([letters] * n))


def _without_empty(table: Table) -> Table:
    used = [i for i in range(len(table.header)) if i == 0 or any(row[i].text != "–" for row in table.cells())]
    rows = tuple(tuple(row[i] for i in used) for row in table.cells())
    letters = "".join(table.alignment[i] for i in used)
    return replace(table, header=tuple(table.header[i] for i in used), rows=rows, alignment=letters)


def _beside(parts: Sequence[tuple[_T, ...]], gap: _T) -> tuple[_T, ...]:
    return tuple(each for part in parts for each in (*part, gap))[:-1]


def _weighted(recordings: Sequence[RecordingFacts], name: str, measure: str) -> float:
    """Return the mean over recordings, each by its frames."""
    values = np.array([getattr(r.coverage, measure)[r.coverage.keypoints.index(name)] for r in recordings])
    frames = np.array([r.n_frames for r in recordings], dtype=np.float64)
    known = np.isfinite(values)
    return float((values[known] * frames[known]).sum() / frames[known].sum()) if frames[known].sum() else np.nan


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _cell(value: float, places: int) -> Cell:
    return Cell(f"{value:.{places}f}", value) if np.isfinite(value) else Cell("–", np.nan)


def left_out_table(study: GaitStudy) -> Table | None:
    """Return why strides do not count, and how many of each side; None where all count."""
    if not study.left_out:
        return None
    reasons = dict.fromkeys(out.reason for out in study.left_out)
    counted = {(out.reason, out.side): 0 for out in study.left_out}
    for out in study.left_out:
        counted[out.reason, out.side] += 1
    rows = tuple((reason, *(str(counted.get((reason, side), 0)) for side in SIDES)) for reason in reasons)
    return Table(
        ("A stride does not count that ...", *SIDES.values()),
        rows,
        title="Strides left out",
        note="At the beginning and the end of each recording one stride a side often lacks an event: that is no fault.",
    )


def refused_table(facts: GaitFacts) -> Table | None:
    """Return the recordings that could not be used; None where all could."""
    if not facts.refused:
        return None
    rows = tuple((Cell(name, flag="warn"), reason) for name, reason in facts.refused)
    return Table(("recording", "why"), rows, alignment="ll", title="Recordings that could not be used")


def profile_table(study: GaitStudy) -> Table | None:
    """Return Gait Variable Scores and the scores of the gait; None without norms."""
    profile = study.profile
    if profile is None or not profile.scores:
        return None
    variables = dict.fromkeys(name[:-2] for name in profile.scores)
    rows: list[tuple[Cell | str, ...]] = [
        (readable(name), *(_score(study, f"{name}_{side.lower()}") for side in SIDES), "") for name in variables
    ]
    rows.append(
        (
            Cell(profile.name, flag="strong"),
            *(_score(study, side) for side in SIDES.values()),
            _score(study, "overall"),
        )
    )
    return Table(("", "left", "right", "overall"), tuple(rows), title="Scores, °")


def _score(study: GaitStudy, name: str) -> Cell:
    score = study.scores.get(name)
    if score is None or not np.isfinite(score.value):
        return Cell("–")
    return Cell(interval_text(score, "deg", with_value=True))


def symmetry_table(study: GaitStudy) -> Table:
    """Return ratios and symmetry indices of numbers that are positive by nature."""
    rows: list[tuple[Cell | str, ...]] = []
    for name in _SYMMETRIC:
        row = study.row(name)
        left, right = (measure.value for measure in _both(row))
        ratio, index, angle = (
            float(measure(left, right)) for measure in (symmetry_ratio, symmetry_index, symmetry_angle)
        )
        rows.append(
            (
                parameter_words(row),
                *(measure_text(measure, row.unit) for measure in _both(row)),
                _difference(row),
                number_text(ratio, 3),
                number_text(index, 1),
                number_text(angle, 1),
            )
        )
    return Table(
        ("", "left", "right", "left − right", "ratio R/L", "index, %", "angle, %"),
        tuple(rows),
        title="Symmetry of times and lengths",
        note="Index: 100 (right − left) / mean of both (Robinson 1987). Angle: 100 (45° − arctan(left / right)) / 90° "
        "(Zifchock 2008). Both are 0 where the sides are alike, and positive where the right is larger. They are for "
        "numbers that are positive by nature, and so not for angles.",
    )


def waveform_table(study: GaitStudy, angles: Sequence[str]) -> Table | None:
    """Return how alike the mean cycles of both sides are, and the cycles of each; None without complete cycles."""
    rows: list[tuple[Cell | str, ...]] = []
    for variable in angles:
        own = [study.curves.get(f"{variable}_{side.lower()}") for side in SIDES]
        repeat = [np.nan if c is None else float(coefficient_of_multiple_correlation(c.cycles)) for c in own]
        left, right = own
        if left is None or right is None:
            continue
        alike = waveform_symmetry(left.mean.value, right.mean.value)
        numbers = [(alike.rmsd, 1), (-alike.difference, 1), (alike.lag_percent, 1), (alike.correlation, 3)]
        cells = [number_text(float(value), places) for value, places in numbers]
        if any(cell != "–" for cell in cells):
            rows.append((readable(variable), *cells, *(number_text(value, 3) for value in repeat)))
    if not rows:
        return None
    header = ("", "RMSD, °", "left − right, °", "right later, %", "alike", "repeats, left", "repeats, right")
    return Table(header, tuple(rows), title="Symmetry and repeatability of the curves", note=_WAVEFORMS)


def variability_table(study: GaitStudy, angles: Sequence[str]) -> Table | None:
    """Return how much strides differ; None where no side has two."""
    rows: list[tuple[Cell | str, ...]] = []
    for name in (*_SYMMETRIC, "step_width", "cadence", "speed"):
        row = study.row(name)
        cells = [f"{m.cv:.1f} %" if np.isfinite(m.cv) else "–" for m in _both(row)]
        rows.append((parameter_words(row), *cells))
    for variable in angles:
        cells = []
        for side in SIDES:
            curve = study.curves.get(f"{variable}_{side.lower()}")
            spread = float(curve.spread.mean_sd) if curve is not None else np.nan
            cells.append(f"{spread:.1f}°" if np.isfinite(spread) else "–")
        rows.append((readable(variable), *cells))
    if all(cell == "–" for row in rows for cell in row[1:3]):
        return None
    return _folded(Table(("", "left", "right"), tuple(rows), title="Variability between strides", note=_VARIABILITY))
