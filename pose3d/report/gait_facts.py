"""What a gait report says beside the study itself, and what its quality page concludes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pose3d.data.names import counted
from pose3d.data.recording_facts import RecordingFacts
from pose3d.kinematics.gait_findings import GaitStudy

from .document import Callout, Grade
from .film import Film
from .gait_words import SIDES, readable

__all__ = ["FEW_STRIDES", "GaitFacts", "judge", "judge_gait", "seems_exchanged"]

FEW_STRIDES = 3
"""Fewer strides of a side make a mean that another walk would change."""

_LEAST_SAMPLES = 39
_FILLED = 0.2  # share of the frames: above it a keypoint of the legs is worth a warning
_LEGS = ("Hip", "Knee", "Ankle", "Heel", "Toe", "HEE", "TOE", "ANK", "KNE", "ASI")
_BENDS_DEG = 25.0  # the least that a knee bends in walking
_EXCHANGED = (
    "The knees bend forwards: left and right are exchanged in the keypoints, or the world is mirrored. Look at the 2D "
    "keypoints and at the calibration."
)
_NO_INTERVALS = (
    "There are no error bars: the recordings have no posterior samples, which pose3d triangulate --samples 50 makes; ± "
    "is the difference between strides alone."
)


@dataclass(frozen=True, eq=False)
class GaitFacts:
    """Where a study comes from.

    Attributes
    ----------
    session : str
    subject : str
        Code of the person; empty where there is none.
    recordings : tuple of RecordingFacts
    refused : tuple of (str, str)
        Recordings that could not be used, and why.
    cameras : tuple of str
    calibration : str
        How good it is, for people; empty where nothing is known.
    date : str
        Of the recordings, as it shall be printed; empty where it is not known.
    settings : tuple of (str, str)
        Names and values of what may be set.
    hidden : mapping of str to str
        Angles, without a side, that cannot be observed, and why.
    version : str
        Of this software.
    film : Film or None
        The walker.
    """

    session: str
    subject: str = ""
    recordings: tuple[RecordingFacts, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    cameras: tuple[str, ...] = ()
    calibration: str = ""
    date: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    film: Film | None = None


def judge_gait(study: GaitStudy, facts: GaitFacts) -> Callout:
    """Say in words how far the numbers of a study may be trusted, and why."""
    n, found = study.n_kept, study.n_found
    counts = ", ".join(f"{words} {n[side]} of {found[side]}" for side, words in SIDES.items())
    nothing = "" if sum(n.values()) else "No stride can be measured: this report has no curves and no means"
    return judge(list(_findings(study, facts)), f"Strides that count: {counts}.", nothing=nothing)


def judge(findings: Sequence[tuple[Grade, str]], first: str, *, nothing: str) -> Callout:
    """Return the verdict of a quality page.

    Parameters
    ----------
    findings : sequence of (Grade, str)
        What a reader must know: the worst of them is the grade.
    first : str
        The line before them.
    nothing : str
        The headline of a report without numbers; empty where there are some.
    """
    grades = {grade for grade, _ in findings}
    if nothing:
        grade: Grade = "bad"
        headline = nothing
    elif "bad" in grades:
        grade, headline = "bad", "Do not use these numbers before what is said here is mended"
    elif "warn" in grades:
        grade, headline = "warn", "Usable, with what is said here in mind"
    else:
        grade, headline = "good", "Nothing speaks against these numbers"
    return Callout(grade, headline, (first, *(line for _, line in findings)))


def _findings(study: GaitStudy, facts: GaitFacts) -> Iterator[tuple[Grade, str]]:
    """Yield what a reader must know, the worst first."""
    if seems_exchanged(study):
        yield "bad", _EXCHANGED
    for side, words in SIDES.items():
        if not study.n_found[side]:
            yield "warn", f"No stride of the {words} foot was found: does somebody walk, with heels and toes in view?"
        elif not study.n_kept[side]:
            yield "warn", f"None of the {words} foot's strides is complete; the reasons are listed below."
        elif study.n_kept[side] < FEW_STRIDES:
            few = counted(study.n_kept[side], "stride")
            yield "warn", f"Only {few} of the {words} foot: a second walk may give other means."
    still = [trial.name for trial in study.trials if not any(len(side.strides) for side in trial.gait.sides.values())]
    if still and any(study.n_found.values()):
        yield "plain", f"Without a stride, and so in no number: {_some(still)}."
    lost = len(study.left_out)
    if study.n_kept["L"] + study.n_kept["R"] and lost > study.n_kept["L"] + study.n_kept["R"]:
        yield "warn", f"More strides were left out ({lost}) than count."
    if facts.refused:
        names = _some([name for name, _ in facts.refused])
        yield "warn", f"{counted(len(facts.refused), 'recording')} could not be used, see below: {names}."
    gaps = _gappy(facts)
    if gaps:
        yield "warn", f"Filled in or missing in more than {_FILLED:.0%} of the frames: {', '.join(gaps)}."
    if study.norms is not None and study.curves and study.profile is not None and not study.profile.scores:
        theirs = _some([readable(name).lower() for name in study.norms.bands])
        yield "warn", f"The norms are of other angles than the measured ones ({theirs}): nothing is compared with them."
    if 0 < study.n_samples < _LEAST_SAMPLES:
        yield "plain", f"No 95 % interval can be told from {study.n_samples} samples: it takes {_LEAST_SAMPLES}."
    if not study.n_samples and any(study.n_kept.values()):
        yield "plain", _NO_INTERVALS
    remarks = dict.fromkeys(remark for recording in facts.recordings for remark in recording.remarks)
    for remark in list(remarks)[:4]:
        yield "plain", f"{remark}."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def seems_exchanged(study: GaitStudy) -> bool:
    """Tell whether knees bend the wrong way, as they do where left and right are exchanged or a world is mirrored."""
    bends = [
        (np.nanmax(curve.mean.value), -np.nanmin(curve.mean.value))
        for curve in study.curves.values()
        if curve.variable == "knee_flexion" and np.isfinite(curve.mean.value).any()
    ]
    return bool(bends) and all(back > max(_BENDS_DEG, forth) for forth, back in bends)


def _gappy(facts: GaitFacts) -> list[str]:
    """Return the keypoints of the legs that are often not seen, the worst first."""
    lost: dict[str, float] = {}
    total = sum(recording.n_frames for recording in facts.recordings)
    for recording in facts.recordings:
        seen = recording.coverage
        for name, filled, missing in zip(seen.keypoints, seen.filled, seen.missing, strict=True):
            lost[name] = lost.get(name, 0.0) + float(filled + missing) * recording.n_frames / total
    worst = sorted((share, name) for name, share in lost.items() if share > _FILLED and name.endswith(_LEGS))
    named = [f"{name} ({share:.0%})" for share, name in reversed(worst)]
    return [*named[:6], *([f"{len(named) - 6} more"] if len(named) > 6 else [])]
