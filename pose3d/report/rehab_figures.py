"""Pictures of a rehabilitation report: the angle over time, repetitions over each other, sides, sessions."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.cycles import cut_cycles
from pose3d.kinematics.exercises import Exercise, ExercisePart, ExerciseStudy
from pose3d.kinematics.progress import ExerciseSession, Progress, session_numbers

from .document import Picture
from .document_style import INK, SOFT
from .drawing import shortened
from .gait_figures import SIDE_STYLES
from .gait_words import readable
from .rehab_facts import PARTS, ExerciseRecording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["overlay_picture", "progress_picture", "repetition_picture", "time_picture", "trend_picture"]

_Figure: TypeAlias = "Figure | SubFigure"
_BEYOND = 0.2  # of a repetition that is shown before its beginning and after its end
_STYLES = {"l": SIDE_STYLES["L"], "r": SIDE_STYLES["R"], "both": {"color": "#5b6370", "linestyle": "-"}}
_SIDES = ("l", "r")
_TEMPO = ("#0f766e", "#94a3b8", "#b45309")


def _angle_label(exercise: Exercise) -> str:
    return f"{readable(exercise.angle)}, °"


def _shown(study: ExerciseStudy) -> tuple[str, ...]:
    """Return the parts that are drawn: the sides, or what there is."""
    return tuple(name for name in _SIDES if name in study.signals) or tuple(study.signals)


def time_picture(recording: ExerciseRecording) -> Picture:
    """Draw the angle of both sides over time, with what was found as a repetition."""
    alt = f"{readable(recording.study.exercise.angle)} over time in {recording.name}, repetitions shaded"
    return Picture(partial(_draw_time, recording), 42, alt)


def _draw_time(recording: ExerciseRecording, figure: _Figure) -> None:
    study = recording.study
    names = _shown(study)
    turns = "both" not in study.parts and len(names) > 1
    rows = figure.subplots(len(names) if turns else 1, 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.06, right=0.995, bottom=0.19, top=0.86, hspace=0.34)
    for i, panel in enumerate(rows):
        own = names[i : i + 1] if turns else names
        for name in own:
            deg = study.signals[name]
            time = (study.start + np.arange(len(deg))) / study.fps
            panel.plot(time, deg, linewidth=1.0, label=PARTS[name], **_STYLES[name])
        for part in study.leading:
            if not turns or part.name in own:
                _shade(panel, part)
        panel.margins(x=0)
        panel.grid(axis="y", visible=True)
        panel.set_ylabel("°")
    rows[-1].set_xlabel("time, s", labelpad=1)
    rows[0].set_title(f"{shortened(recording.name, 40)}: {readable(study.exercise.angle).lower()}", loc="left", pad=9)
    lines = [line for panel in rows for line in panel.get_lines()]
    figure.legend(handles=lines, loc="upper right", ncols=3, bbox_to_anchor=(0.995, 1.0), borderaxespad=0.1)


def _shade(panel: "Axes", part: ExercisePart) -> None:
    own = part.repetitions
    for i in range(len(own)):
        begin, end = float(own.start_s[i]), float(own.end_s[i])
        if not (np.isfinite(begin) and np.isfinite(end)):
            continue
        if own.aborted[i]:
            panel.axvspan(begin, end, facecolor="none", edgecolor="#9aa3b0", hatch="//////", linewidth=0)
        else:
            panel.axvspan(begin, end, facecolor="#e8edf3", linewidth=0)
            hold, back = float(own.hold_s[i]), float(own.back_s[i])
            panel.axvspan(hold, back, facecolor="#d3dce6", linewidth=0)
        text = f"{i + 1}" + (" broken off" if own.aborted[i] else "")
        panel.text((begin + end) / 2, 1.01, text, transform=panel.get_xaxis_transform(), ha="center", fontsize=6)


def overlay_picture(recordings: Sequence[ExerciseRecording]) -> Picture | None:
    """Draw whole repetitions of each side over each other, from begin to end; None without any."""
    if not any(each.study.count for each in recordings):
        return None
    exercise = recordings[0].study.exercise
    return Picture(
        partial(_draw_overlay, recordings),
        52,
        f"Repetitions of {readable(exercise.name).lower()} over each other, left and right, and their means",
    )


def _cycles(recordings: Sequence[ExerciseRecording], name: str) -> FloatArray:
    """Return whole repetitions of a part, (n, 141): the middle hundred from their beginning to their end."""
    found = [np.empty((0, 141))]
    for each in recordings:
        study = each.study
        if name not in study.parts:
            continue
        leading = study.parts["both"] if "both" in study.parts else study.parts[name]
        own, whole = leading.repetitions, leading.whole
        start, end = own.start_s[whole], own.end_s[whole]
        more = _BEYOND * (end - start)
        found.append(cut_cycles(study.signals[name], start - more, end + more, fps=study.fps, start=study.start, n=141))
    return np.concatenate(found)


def _draw_overlay(recordings: Sequence[ExerciseRecording], figure: _Figure) -> None:
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1))
    figure.subplots_adjust(left=0.06, right=0.995, bottom=0.15, top=0.9, wspace=0.22)
    percent = np.linspace(-100 * _BEYOND, 100 + 100 * _BEYOND, 141)
    study = recordings[0].study
    means = {}
    for panel, name in zip(axes, _shown(study), strict=False):
        cycles = _cycles(recordings, name)
        panel.plot(percent, cycles.T, color=_STYLES[name]["color"], linewidth=0.6, alpha=0.55)
        known = np.isfinite(cycles).any(0)
        mean = np.full(141, np.nan)
        mean[known] = np.nanmean(cycles[:, known], axis=0) if len(cycles) else np.nan
        means[name] = mean
        panel.set_title(f"{readable(PARTS[name])}, each repetition (n = {len(cycles)})", loc="left", pad=4)
    for name, mean in means.items():
        axes[-1].plot(percent, mean, linewidth=1.6, label=PARTS[name], **_STYLES[name])
    axes[-1].set_title("Means", loc="left", pad=4)
    axes[-1].legend(loc="upper right", fontsize=6.2)
    if len(means) < 2:
        axes[1].set_visible(False)
    limits = [panel.get_ylim() for panel in axes if panel.has_data()]
    low, high = min(a for a, _ in limits), max(b for _, b in limits)
    for panel in axes:
        panel.set_ylim(low, high)
        panel.set_xlim(percent[0], percent[-1])
        panel.axvspan(0, 100, facecolor="#f0f3f7", linewidth=0, zorder=-2)
        panel.set_xticks([0, 50, 100])
        panel.set_xlabel("% of the repetition", labelpad=1)
        panel.grid(axis="y", visible=True)
    axes[0].set_ylabel(_angle_label(study.exercise))


def repetition_picture(recordings: Sequence[ExerciseRecording]) -> Picture | None:
    """Draw range and tempo of each repetition; None without any."""
    if not any(len(part.repetitions) for each in recordings for part in each.study.leading):
        return None
    return Picture(
        partial(_draw_repetitions, recordings),
        46,
        "Range of motion and tempo of each repetition, those broken off hollow",
    )


def _draw_repetitions(recordings: Sequence[ExerciseRecording], figure: _Figure) -> None:
    axes = figure.subplots(1, 2, width_ratios=(1.15, 1))
    figure.subplots_adjust(left=0.06, right=0.995, bottom=0.17, top=0.88, wspace=0.16)
    exercise = recordings[0].study.exercise
    at = dict.fromkeys(PARTS, 0)
    for each in recordings:
        for name in _shown(each.study):
            part = each.study.parts[name]
            x = (
                at[name]
                + 1.0
                + np.arange(len(part.repetitions), dtype=np.float64)
                + {"l": -0.09, "r": 0.09}.get(name, 0.0)
            )
            _dots(axes[0], x, part)
            at[name] += len(part.repetitions)
    axes[0].set_title("Range of each repetition, °", loc="left", pad=4)
    axes[0].set_ylim(bottom=0)
    n = 0
    for each in recordings:
        for part in each.study.leading:
            own = part.repetitions
            at_bar = n + 1.0 + np.arange(len(own), dtype=np.float64)
            bottom = np.zeros(len(own))
            parts = (own.out_time_s, own.hold_time_s, own.back_time_s)
            for seconds, word, colour in zip(parts, exercise.phases, _TEMPO, strict=True):
                label = word if n == 0 else None
                tall = np.nan_to_num(seconds)
                bars = axes[1].bar(at_bar, tall, 0.66, bottom=bottom, color=colour, label=label, linewidth=0)
                for bar, broken in zip(bars, own.aborted, strict=True):
                    bar.set_alpha(0.35 if broken else 0.95)
                bottom = bottom + tall
            if part.name != "both" and len(own):
                axes[1].text(
                    at_bar.mean(), 1.0, PARTS[part.name], transform=axes[1].get_xaxis_transform(), ha="center", va="top"
                )
            n += len(own)
    axes[1].set_title("Tempo, s", loc="left", pad=4)
    axes[1].margins(y=0.14)
    axes[1].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=6.2, borderaxespad=0.1)
    for panel, count in zip(axes, (max(at.values()), n), strict=True):
        panel.set_xticks(np.arange(1, count + 1, max(1, count // 12)))
        panel.set_xlim(0.4, max(count, 1) + 0.6)
        panel.grid(axis="y", visible=True)
        panel.set_xlabel("repetition", labelpad=1)


def _dots(panel: "Axes", x: FloatArray, part: ExercisePart) -> None:
    ranges, colour = part.values["range"], _STYLES[part.name]["color"]
    for wanted, face in ((True, colour), (False, "white")):
        rows = part.whole == wanted
        panel.plot(x[rows], ranges.value[rows], "o", markersize=4, color=colour, markerfacecolor=face)
    if ranges.is_known:
        panel.vlines(x, ranges.low, ranges.high, color=colour, linewidth=1.4, alpha=0.7)
    own = part.summarize("range")
    if np.isfinite(own.mean):
        panel.axhline(own.mean, linewidth=0.8, alpha=0.8, **_STYLES[part.name])


def progress_picture(progress: Sequence[Progress]) -> Picture | None:
    """Draw differences of ranges since the session before against what could be told from error; None without any."""
    rows = [each for each in progress if each.quantity.name == "range"]
    if not rows:
        return None
    height = 17 + 5.4 * len(rows)
    return Picture(partial(_draw_progress, rows, height), height, "Differences since the session before, and the MDC")


def _draw_progress(rows: Sequence[Progress], height: float, figure: _Figure) -> None:
    axes = figure.subplots()
    figure.subplots_adjust(left=0.21, right=0.985, bottom=10 / height, top=1 - 6 / height)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for y, each in enumerate(rows):
        mdc = np.nan if each.change is None else each.change.mdc
        if np.isfinite(mdc):
            axes.barh([y], [2 * mdc], 0.62, left=[-mdc], color="#e2e6ec", linewidth=0)
        real = each.change is not None and each.change.real
        axes.plot(
            [each.difference], [y], "o", markersize=5, color=INK, markerfacecolor=INK if real else "white", zorder=3
        )
    reach = max(5.0, 1.1 * float(np.max(np.abs(axes.get_xlim()))))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [f"{readable(each.exercise.name)}, {PARTS[each.part]}" for each in rows])
    axes.set_xlabel(
        "difference of the range, °; grey: less than the minimal detectable change; full: a change", labelpad=1.5
    )
    axes.grid(axis="x", visible=True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def trend_picture(sessions: Sequence[ExerciseSession], exercises: Sequence[Exercise]) -> Picture | None:
    """Draw ranges of motion over the sessions; None with fewer than two."""
    if len(sessions) < 2 or not exercises:
        return None
    words = ", ".join(readable(each.name).lower() for each in exercises)
    return Picture(
        partial(_draw_trend, sessions, exercises), 52, f"Range of motion over {len(sessions)} sessions: {words}"
    )


def _draw_trend(sessions: Sequence[ExerciseSession], exercises: Sequence[Exercise], figure: _Figure) -> None:
    axes = figure.subplots(1, max(len(exercises), 2), squeeze=False)[0]
    figure.subplots_adjust(left=0.06, right=0.995, bottom=0.17, top=0.88, wspace=0.2)
    weeks = np.array([np.nan if each.day is None else each.day / 7 for each in sessions])
    weeks = weeks - np.nanmin(weeks)
    numbers = [session_numbers(each) for each in sessions]
    for panel, exercise in zip(axes, exercises, strict=False):
        for name in ("l", "r", "both"):
            found = [own.get((exercise.name, name, "range")) for own in numbers]
            mean = np.array([np.nan if each is None else each.mean for each in found])
            sd = np.nan_to_num(np.array([np.nan if each is None else each.sd for each in found]))
            drawn = name != "both" or not any(
                (exercise.name, side, "range") in own for own in numbers for side in _SIDES
            )
            if drawn and np.isfinite(mean).any():
                at = weeks + {"l": -0.03, "r": 0.03}.get(name, 0.0)
                panel.errorbar(
                    at,
                    mean,
                    sd,
                    marker="o",
                    markersize=3.4,
                    capsize=2,
                    linewidth=1.0,
                    label=PARTS[name],
                    **_STYLES[name],
                )
        panel.set_title(f"{readable(exercise.name)}: range, °", loc="left", pad=4)
        panel.set_xlabel("weeks", labelpad=1)
        panel.grid(axis="y", visible=True)
        panel.margins(y=0.15)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(loc="best", fontsize=6.2)
    for panel in axes[len(exercises) :]:
        panel.set_visible(False)
