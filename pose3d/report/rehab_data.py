"""All numbers of a rehabilitation report in full, for programs: a row an observation."""

from collections.abc import Iterator

from pose3d.kinematics.exercises import QUANTITIES

from .document import DataTable, Value
from .gait_data import listed_tables
from .gait_tables import keypoint_rows
from .rehab_facts import PARTS, RehabContents

__all__ = ["exercise_data"]


def exercise_data(contents: RehabContents) -> tuple[DataTable, ...]:
    """Return all numbers in full: always the same tables, so that none of an earlier report stays beside this one."""
    ends = [f"{each.name}_{each.unit}{end}" for each in QUANTITIES for end in ("", "_low_95", "_high_95")]
    lead = ("recording", "exercise", "side", "repetition", "counted", "start_s", "turn_s", "end_s")
    return (
        DataTable("repetitions", (*lead, *ends), list(_repetitions(contents))),
        DataTable(
            "summary",
            (
                *_WHAT, "mean", "sd", "cv_percent", "low_95", "high_95", "n", "slope_each_repetition", "slope_se",
            ),
            list(_summaries(contents)),
        ),
        DataTable(
            "sides",
            (
                "recording", "exercise", "quantity", "unit", "left", "right", "left_minus_right", "low_95", "high_95",
                "symmetry_index_percent", "n",
            ),
            list(_sides(contents)),
        ),
        DataTable(
            "keypoints",
            ("keypoint", "views", "off_px", "sd_mm", "filled_percent", "missing_percent"),
            keypoint_rows(contents.facts),
        ),
        DataTable("changes", _CHANGE_COLUMNS, list(_changes(contents))),
        DataTable(
            "trends",
            ("exercise", "side", "quantity", "slope_a_week", "se", "low_95", "high_95", "sessions"),
            [
                [name, PARTS[part], quantity, trend.slope, trend.se, trend.low, trend.high, trend.n]
                for (name, part, quantity), trend in contents.trends.items()
            ],
        ),
        *listed_tables(contents.facts),
    )  # fmt: skip


_WHAT = ("recording", "exercise", "side", "quantity", "unit")
_CHANGE_COLUMNS = (
    "exercise", "side", "quantity", "unit", "before", "before_n", "after", "after_n", "difference", "mdc", "change",
    "sem_source",
)  # fmt: skip


def _repetitions(contents: RehabContents) -> Iterator[list[Value]]:
    for each in contents.recordings:
        for part in each.study.parts.values():
            own = part.repetitions
            for i in range(len(own)):
                numbers: list[Value] = []
                for quantity in QUANTITIES:
                    value = part.values[quantity.name]
                    numbers += [float(value.value[i]), float(value.low[i]), float(value.high[i])]
                lead: list[Value] = [each.name, each.study.exercise.name, PARTS[part.name], i + 1]
                lead.append("no" if own.aborted[i] else "yes")
                yield [*lead, float(own.start_s[i]), float(own.peak_s[i]), float(own.end_s[i]), *numbers]


def _summaries(contents: RehabContents) -> Iterator[list[Value]]:
    for each in contents.recordings:
        for part in each.study.parts.values():
            for quantity in QUANTITIES:
                own = part.summarize(quantity.name)
                yield [
                    each.name, each.study.exercise.name, PARTS[part.name], quantity.name, quantity.unit,
                    own.mean, own.sd, own.cv, own.low, own.high, own.n, own.fatigue.slope, own.fatigue.se,
                ]  # fmt: skip


def _sides(contents: RehabContents) -> Iterator[list[Value]]:
    for each in contents.recordings:
        for quantity in QUANTITIES:
            found = each.study.compare(quantity.name)
            if found is not None:
                yield [
                    each.name, each.study.exercise.name, quantity.name, quantity.unit, found.left, found.right,
                    found.difference, found.low, found.high, found.index, found.n,
                ]  # fmt: skip


def _changes(contents: RehabContents) -> Iterator[list[Value]]:
    for each in contents.progress:
        change = each.change
        yield [
            each.exercise.name, PARTS[each.part], each.quantity.name, each.quantity.unit,
            each.before.mean, each.before.n, each.after.mean, each.after.n, each.difference,
            None if change is None else change.mdc,
            "not known" if change is None else "yes" if change.real else "no",
            "" if change is None else change.sem_source,
        ]  # fmt: skip
