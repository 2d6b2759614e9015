"""All numbers of a gait report in full, for programs: a row an observation."""

from collections.abc import Iterator

import numpy as np

from pose3d.data.norms import Norms
from pose3d.kinematics.estimates import Estimate
from pose3d.kinematics.gait_findings import GaitStudy, Row
from pose3d.kinematics.strides import GAIT_PARAMETERS

from .document import DataTable, Value
from .gait_facts import GaitFacts
from .gait_tables import keypoint_rows, recording_rows
from .gait_words import SIDES

__all__ = ["data_tables", "listed_tables"]

_RECORDING_COLUMNS = (
    *("recording", "duration_s", "fps", "views", "off_px", "sd_mm", "filled_percent", "missing_percent"),
    *("events", "angles", "intervals"),
)
_UNITS = {"%": "percent", "m/s": "m_per_s", "steps/min": "per_min"}


def data_tables(study: GaitStudy, facts: GaitFacts) -> tuple[DataTable, ...]:
    """Return all numbers in full: always the same tables, so that none of an earlier report stays beside this one."""
    ends = ("mean", "sd", "low_95", "high_95", "n")
    columns = ("parameter", "unit", *(f"{side}_{end}" for side in SIDES.values() for end in ends))
    both = (*columns, "difference", "difference_low_95", "difference_high_95")
    parameters = [_numbers(row) for row in study.parameters]
    peaks = [[row.angle, *_numbers(row)] for row in study.peaks]
    score = study.profile.name if study.profile else ""
    return (
        DataTable("parameters", both, parameters),
        DataTable("peaks", ("angle", *both), peaks),
        DataTable(
            "curves",
            ("angle", "side", "percent", "mean", "low_95", "high_95", "sd", "n_cycles", "norm_mean", "norm_sd"),
            list(_curve_rows(study, study.norms)),
        ),
        DataTable("strides", _STRIDE_COLUMNS, list(_stride_rows(study))),
        DataTable("recordings", _RECORDING_COLUMNS, recording_rows(facts)),
        DataTable(
            "keypoints",
            ("keypoint", "views", "off_px", "sd_mm", "filled_percent", "missing_percent"),
            keypoint_rows(facts),
        ),
        DataTable("events", ("recording", "time_s", "limb", "kind"), list(_event_rows(study))),
        DataTable(
            "scores",
            ("score", "kind", "value_deg", "low_95", "high_95"),
            [[name, score, *_ends(each)] for name, each in study.scores.items()],
        ),
        DataTable("outlying", ("angle", "recording", "start_s"), [list(row) for row in study.outlying]),
        *listed_tables(facts),
    )


def listed_tables(facts: GaitFacts) -> tuple[DataTable, ...]:
    """Return the tables of what was refused, and of what a person corrected."""
    edits: list[list[Value]] = [[recording.name, line] for recording in facts.recordings for line in recording.edits]
    return (
        DataTable("refused", ("recording", "reason"), [list(row) for row in facts.refused]),
        DataTable("corrections", ("recording", "what"), edits),
    )


def _ends(estimate: Estimate) -> list[Value]:
    return [float(estimate.value), float(estimate.low), float(estimate.high)]


def _numbers(row: Row) -> list[Value]:
    cells: list[Value] = [row.name, row.unit]
    for measure in (row.sides[side] for side in SIDES):
        cells += [measure.value, measure.sd, float(measure.mean.low), float(measure.mean.high), measure.n]
    return [*cells, *_ends(row.difference)]


def _curve_rows(study: GaitStudy, norms: Norms | None) -> Iterator[list[Value]]:
    nothing = np.full(101, np.nan)
    for curve in study.curves.values():
        band = norms.bands.get(curve.variable) if norms is not None else None
        norm = (nothing, nothing) if band is None else band.at()
        columns = (curve.mean.value, curve.mean.low, curve.mean.high, curve.spread.sd, curve.spread.n_cycles, *norm)
        for percent, numbers in enumerate(np.stack(columns, axis=1).tolist()):
            yield [curve.variable, curve.side, percent, *numbers]


_STRIDE_COLUMNS = (
    "recording",
    "side",
    "start_s",
    "end_s",
    "counts",
    "reason",
    *(f"{parameter.name}_{_UNITS.get(parameter.unit, parameter.unit)}" for parameter in GAIT_PARAMETERS),
)


def _stride_rows(study: GaitStudy) -> Iterator[list[Value]]:
    for trial in study.trials:
        for side, own in trial.gait.sides.items():
            strides = own.strides
            numbers = np.stack([own.parameters[parameter.name] for parameter in GAIT_PARAMETERS], axis=-1).tolist()
            starts, ends = strides.start_s.tolist(), strides.end_s.tolist()
            for start, end, reason, values in zip(starts, ends, strides.reasons, numbers, strict=True):
                yield [trial.name, side, start, end, "no" if reason else "yes", reason, *values]


def _event_rows(study: GaitStudy) -> Iterator[list[Value]]:
    for trial in study.trials:
        events = trial.gait.events
        for time, limb, kind in zip(events.time_s.tolist(), events.limbs, events.kinds, strict=True):
            yield [trial.name, time, limb, kind]
