"""Pictures of a gait's numbers: steps, phases, when feet stood, scores, differences of the sides, trends."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.patches import Patch

from pose3d.data.events import OFF, STRIKE
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.gait_findings import GaitStudy, Row, WalkTrial
from pose3d.kinematics.gait_scores import GPS_VARIABLES
from pose3d.kinematics.strides import GAIT_PARAMETERS

from .document import Picture
from .document_style import INK
from .gait_figures import SIDE_STYLES
from .gait_words import SIDES, readable, shortened_middle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "difference_picture",
    "phase_picture",
    "profile_picture",
    "step_picture",
    "timeline_pictures",
    "trend_picture",
]

_Figure: TypeAlias = "Figure | SubFigure"
_STEPS = ("step_length", "step_time", "foot_off", "single_support", "step_width", "speed")
_TRENDS = ("speed", "cadence", "step_length", "foot_off")
_UNITS = {parameter.name: parameter.unit for parameter in GAIT_PARAMETERS}
_WORDS = {"foot_off": "Stance (foot off)"}
_AT_A_TIME = 20  # recordings in one picture
_MOST_POINTS = 300


def _title(name: str) -> str:
    return f"{_WORDS.get(name, readable(name))}, {_UNITS[name]}"


def _kept(trial: WalkTrial, side: str, name: str) -> FloatArray:
    own = trial.gait.sides[side]
    values = own.parameters[name][own.strides.kept]
    return np.asarray(values[np.isfinite(values)])


def step_picture(study: GaitStudy) -> Picture:
    """Draw each stride as a dot, with mean and interval of each side."""
    names = ", ".join(readable(name).lower() for name in _STEPS)
    return Picture(partial(_draw_steps, study), 54, f"Every stride of both sides: {names}")


def _draw_steps(study: GaitStudy, figure: _Figure) -> None:
    axes = figure.subplots(1, len(_STEPS))
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.1, top=0.88, wspace=0.46)
    for panel, name in zip(axes, _STEPS, strict=True):
        row = study.row(name)
        for x, (side, style) in enumerate(SIDE_STYLES.items()):
            values = np.concatenate([np.empty(0), *(_kept(trial, side, name) for trial in study.trials)])
            values = values[:: -(-len(values) // _MOST_POINTS) or 1]
            # Spread sideways in the order of time, so that dots do not hide each other.
            spread = x + np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.full(len(values), x)
            size = 2.0 if len(values) > 20 else 3.4
            panel.plot(spread, values, "o", markersize=size, alpha=0.45, color=style["color"], markeredgewidth=0)
            mean = row.sides[side].mean
            if np.isfinite(mean.value):
                panel.plot([x - 0.34, x + 0.34], [mean.value] * 2, color=style["color"], linewidth=1.6)
            if mean.is_known:
                panel.errorbar(
                    [x + 0.34], [(mean.low + mean.high) / 2], [(mean.high - mean.low) / 2], capsize=2.2, linewidth=1.0,
                    color=style["color"], linestyle="none",
                )  # fmt: skip
        panel.set_xlim(-0.6, 1.6)
        panel.set_xticks([0, 1], list(SIDES.values()))
        panel.set_title(_title(name), loc="left", fontsize=6.6, pad=4)
        _widen(panel)


def _widen(panel: "Axes") -> None:
    """Give the numbers of strides a scale on which small differences look small."""
    panel.margins(y=0.15)
    panel.ticklabel_format(axis="y", useOffset=False)
    panel.locator_params(axis="y", nbins=6)
    panel.grid(axis="y", visible=True)
    low, high = panel.get_ylim()
    middle = (low + high) / 2
    reach = max((high - low) / 2, 0.06 * abs(middle))
    panel.set_ylim(middle - reach, middle + reach)


def phase_picture(study: GaitStudy) -> Picture | None:
    """Draw when each foot stands in a cycle of the left one; None without such strides."""
    needed = ("foot_off", "opposite_foot_off", "opposite_foot_contact")
    if not all(np.isfinite(study.row(name).sides["L"].value) for name in needed):
        return None
    return Picture(partial(_draw_phases, study), 22, "Stance of both feet in the cycle of the left one")


def _draw_phases(study: GaitStudy, figure: _Figure) -> None:
    off, other_off, other_strike = (
        study.row(name).sides["L"].value for name in ("foot_off", "opposite_foot_off", "opposite_foot_contact")
    )
    axes = figure.subplots()
    figure.subplots_adjust(left=0.055, right=0.995, bottom=0.36, top=0.98)
    for y, side, spans in ((1, "L", [(0, off)]), (0, "R", [(0, other_off), (other_strike, 100 - other_strike)])):
        axes.broken_barh([(0, 100)], (y - 0.36, 0.72), facecolor="#f0f2f5")
        axes.broken_barh(spans, (y - 0.36, 0.72), facecolor=SIDE_STYLES[side]["color"], alpha=0.85)
    axes.text(off / 2, 1, f"stance {off:.1f} %", ha="center", va="center", color="white", weight="bold")
    axes.text((off + 100) / 2, 1, f"swing {100 - off:.1f} %", ha="center", va="center")
    axes.text((other_off + other_strike) / 2, 0, f"swing {other_strike - other_off:.1f} %", ha="center", va="center")
    for low, high in ((0, other_off), (other_strike, off)):
        if high > low:
            axes.plot([low, high], [1.58, 1.58], color=INK, linewidth=1.6, solid_capstyle="butt")
            axes.text((low + high) / 2, 1.68, f"both feet {high - low:.1f} %", ha="center", va="bottom", fontsize=6.2)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.5, 2.1)
    axes.set_yticks([0, 1], ["right", "left"])
    axes.set_xlabel("% of the left foot's cycle", labelpad=1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def timeline_pictures(study: GaitStudy) -> tuple[Picture, ...]:
    """Draw when the feet stood on the ground in every recording, and which strides count."""
    trials = [trial for trial in study.trials if len(trial.gait.events)]
    pictures = []
    for i in range(0, len(trials), _AT_A_TIME):
        part = trials[i : i + _AT_A_TIME]
        names = ", ".join(trial.name for trial in part)
        height = 14 + 8.5 * len(part)
        pictures.append(Picture(partial(_draw_timeline, part, height), height, f"Stance and swing over time: {names}"))
    return tuple(pictures)


def _draw_timeline(trials: Sequence[WalkTrial], height: float, figure: _Figure) -> None:
    axes = figure.subplots()
    figure.subplots_adjust(left=0.16, right=0.99, bottom=8 / height, top=1 - 6.5 / height)
    for k, trial in enumerate(trials):
        for half, (side, style) in enumerate(SIDE_STYLES.items()):
            y = k + (-0.22 if half == 0 else 0.22)
            own = trial.gait.sides[side].strides
            for wanted in (True, False):
                spans = _stances(own.start_s, own.off_s, own.end_s, own.kept == wanted)
                look = {"facecolor": style["color"]} if wanted else _hatched(style["color"])
                if spans:
                    axes.broken_barh(spans, (y - 0.17, 0.34), **look)
            strikes, offs = trial.gait.events.times(side, STRIKE), trial.gait.events.times(side, OFF)
            axes.plot(strikes, np.full(len(strikes), y), "|", markersize=3.4, markeredgewidth=0.5, color=INK)
            axes.plot(offs, np.full(len(offs), y), ".", markersize=1.2, color=INK)
    axes.set_ylim(len(trials) - 0.4, -0.6)
    axes.set_yticks(range(len(trials)), [shortened_middle(trial.name, 22) for trial in trials], fontsize=6)
    axes.set_xlabel("time, s", labelpad=1)
    axes.margins(x=0.01)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    entries = [Patch(color=style["color"], label=f"{SIDES[side]} foot stands") for side, style in SIDE_STYLES.items()]
    entries.append(Patch(label="in a stride that does not count", **_hatched("#6b7280")))
    figure.legend(handles=entries, loc="upper left", ncols=3, bbox_to_anchor=(0.15, 1.0), borderaxespad=0.1)


def _hatched(colour: str) -> dict[str, Any]:
    return {"facecolor": "white", "edgecolor": colour, "hatch": "//////", "linewidth": 0.5}


def _stances(start: FloatArray, off: FloatArray, end: FloatArray, chosen: FloatArray) -> list[tuple[float, float]]:
    """Return beginning and length of stances; the whole stride where no event ends it."""
    last = np.where(np.isfinite(off), off, end)
    return list(zip(start[chosen].tolist(), (last - start)[chosen].tolist(), strict=True))


def profile_picture(study: GaitStudy) -> Picture | None:
    """Draw the Movement Analysis Profile; None where there is none."""
    if study.profile is None or not study.profile.scores:
        return None
    return Picture(partial(_draw_profile, study), 70, "Gait Variable Scores of both sides, and the scores of the gait")


def _draw_profile(study: GaitStudy, figure: _Figure) -> None:
    profile = study.profile
    assert profile is not None
    axes = figure.subplots()
    figure.subplots_adjust(left=0.055, right=0.995, bottom=0.15, top=0.92)
    variables = [name for name in GPS_VARIABLES if any(f"{name}_{side.lower()}" in profile.scores for side in SIDES)]
    bars: list[tuple[float, str, str]] = [
        (i, side, f"{name}_{side.lower()}") for i, name in enumerate(variables) for side in SIDES
    ]
    n = len(variables) + 0.6
    bars += [(n, "L", "left"), (n, "R", "right")]
    for x, side, name in bars:
        if name in study.scores:
            _bar(axes, study, name, x + (-0.2 if side == "L" else 0.2), 0.36, side)
    _bar(axes, study, "overall", n + 1, 0.5, "")
    axes.axvline(n - 0.7, color="#9aa3b0", linewidth=0.6)
    labels = [readable(name).replace(" ", "\n") for name in variables]
    axes.set_xticks(
        [*range(len(variables)), n, n + 1], [*labels, f"{profile.name}\nby side", f"{profile.name}\noverall"]
    )
    axes.tick_params(axis="x", length=0, labelsize=5.9)
    axes.set_ylabel("distance from the norm, °")
    axes.grid(axis="y", visible=True)
    axes.margins(y=0.14)
    axes.set_ylim(0, axes.get_ylim()[1])
    figure.legend(
        handles=[Patch(color=style["color"], label=SIDES[side]) for side, style in SIDE_STYLES.items()],
        loc="upper right", ncols=2, bbox_to_anchor=(0.99, 1.0), borderaxespad=0.1,
    )  # fmt: skip


def _bar(axes: "Axes", study: GaitStudy, name: str, x: float, width: float, side: str) -> None:
    score = study.scores[name]
    value = float(score.value)
    if not np.isfinite(value):
        return
    colour = SIDE_STYLES[side]["color"] if side else "#5b6370"
    # Hatched as well, so that sides differ on a grey print.
    axes.bar([x], [value], width, color=colour, hatch="////" if side == "R" else "", edgecolor="white", linewidth=0)
    top = value
    if score.is_known:
        low, high = float(score.low), float(score.high)
        axes.errorbar([x], [(low + high) / 2], [(high - low) / 2], color=INK, capsize=2, linewidth=0.8)
        top = max(top, high)
    axes.annotate(f"{value:.1f}", (x, top), (0, 2), textcoords="offset points", ha="center", fontsize=6)


def difference_picture(rows: Sequence[Row]) -> Picture | None:
    """Draw differences of the sides in ranges of motion, with their intervals; None where there are none."""
    known = [row for row in rows if np.isfinite(row.difference.value)]
    if not known:
        return None
    height = 16 + 5.2 * len(known)
    return Picture(
        partial(_draw_differences, known, height), height, "Difference of the ranges of motion, left minus right"
    )


def _draw_differences(rows: Sequence[Row], height: float, figure: _Figure) -> None:
    axes = figure.subplots()
    figure.subplots_adjust(left=0.21, right=0.985, bottom=10 / height, top=1 - 5 / height)
    axes.axvline(0, color="#6b7280", linewidth=0.8)
    for y, row in enumerate(rows):
        value, low, high = (float(part) for part in (row.difference.value, row.difference.low, row.difference.high))
        apart = np.isfinite(low) and (low > 0 or high < 0)
        colour = SIDE_STYLES["L" if value > 0 else "R"]["color"] if apart or not np.isfinite(low) else "#7b8494"
        if np.isfinite(low):
            axes.plot([low, high], [y, y], color=colour, linewidth=2.2, alpha=0.5, solid_capstyle="butt")
        axes.plot([value], [y], "o", markersize=4, color=colour)
    reach = max(5.0, float(np.max(np.abs(axes.get_xlim()))))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [readable(row.angle) for row in rows])
    axes.set_xlabel("right moves more   ←   difference of the range, °   →   left moves more", labelpad=1.5)
    axes.grid(axis="both", visible=True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def trend_picture(study: GaitStudy) -> Picture | None:
    """Draw means and SDs recording by recording; None with fewer than two that have strides."""
    walked = [trial for trial in study.trials if trial.gait.n_kept]
    if len(walked) < 2:
        return None
    return Picture(partial(_draw_trends, walked), 52, "Means of each recording, in their order")


def _draw_trends(trials: Sequence[WalkTrial], figure: _Figure) -> None:
    axes = figure.subplots(1, len(_TRENDS))
    figure.subplots_adjust(left=0.05, right=0.995, bottom=0.36, top=0.9, wspace=0.3)
    x = np.arange(len(trials), dtype=np.float64)
    for panel, name in zip(axes, _TRENDS, strict=True):
        for side, style in SIDE_STYLES.items():
            each = [_kept(trial, side, name) for trial in trials]
            mean = np.array([values.mean() if len(values) else np.nan for values in each])
            sd = np.array([values.std(ddof=1) if len(values) > 1 else 0.0 for values in each])
            at = x + (-0.1 if side == "L" else 0.1)
            panel.errorbar(
                at,
                mean,
                sd,
                marker="o",
                markersize=2.6,
                linewidth=0.8,
                elinewidth=0.8,
                capsize=1.5,
                color=style["color"],
            )
        step = -(-len(trials) // 12)
        labels = [shortened_middle(trial.name, 16) for trial in trials]
        panel.set_xticks(x[::step], labels[::step], rotation=90, fontsize=5.6)
        panel.set_xlim(-0.6, len(trials) - 0.4)
        panel.set_title(_title(name), loc="left", fontsize=6.8)
        _widen(panel)
