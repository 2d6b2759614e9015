"""Pictures of joint angles over the gait cycle: means with norms, every single cycle, knee over hip."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.gait_findings import Curve, GaitStudy

from .document import Picture
from .document_style import SOFT
from .gait_words import SIDES, positive_words, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "GRID",
    "MOST_SHOWN",
    "SIDE_STYLES",
    "angle_pictures",
    "consistency_pictures",
    "cyclogram_picture",
    "grid_of",
]

SIDE_STYLES: Mapping[str, Mapping[str, Any]] = {
    "L": {"color": "#D55E00", "linestyle": "-"},
    "R": {"color": "#0072B2", "linestyle": (0, (4.0, 1.3))},
}
"""Okabe and Ito's vermilion and blue, which people with every kind of colour vision tell apart; and another stroke."""

GRID: tuple[tuple[str, str, str], ...] = (
    ("pelvis_tilt", "pelvis_obliquity", "pelvis_rotation"),
    ("hip_flexion", "hip_adduction", "hip_rotation"),
    ("knee_flexion", "knee_adduction", "knee_rotation"),
    ("ankle_dorsiflexion", "ankle_adduction", "foot_progression"),
)
"""Where people who read gait reports look for an angle: a row a joint, a column a plane."""

MOST_SHOWN = 40
"""Single cycles of a side that are drawn; more are a carpet."""

_INSTEAD = {"hip_flexion": "hip_flexion_trunk"}
_NORM = "#d3d7dd"
_PERCENT = np.linspace(0.0, 100.0, 101)
_LEAST_SPAN = 20.0  # degrees: small differences look small
_ROW_MM, _LOW_ROW_MM = 46.0, 38.0
_ROWS = 6  # of a picture of what is beside the usual angles
_MOST_ANGLES = 16
_Figure: TypeAlias = "Figure | SubFigure"
_Paint: TypeAlias = "Callable[[Axes, str], None]"


def grid_of(study: GaitStudy) -> tuple[tuple[str, ...], ...]:
    """Return the angles as they are laid out: the usual four rows, what stands in for one that is missing, the rest."""
    there = dict.fromkeys(curve.variable for curve in study.curves.values())
    rows = [
        tuple(_INSTEAD[name] if name not in there and _INSTEAD.get(name) in there else name for name in row)
        for row in GRID
    ]
    rest = sorted((name for name in there if not any(name in row for row in rows)), key=_trunk_first)
    return (*rows, *(tuple(rest[i : i + 3]) for i in range(0, len(rest), 3)))


def _trunk_first(name: str) -> bool:
    return not name.startswith(("trunk", "thorax", "spine"))


def angle_pictures(study: GaitStudy, hidden: Mapping[str, str]) -> tuple[Picture, ...]:
    """Draw mean cycles of both sides with their intervals, over the norms.

    Parameters
    ----------
    study : GaitStudy
    hidden : mapping of str to str
        Angle without a side to why it cannot be observed.
    """
    return _grids(
        study, hidden, partial(_mean_panel, study), partial(_mean_legend, study), "Mean angles over the cycle"
    )


def consistency_pictures(study: GaitStudy, hidden: Mapping[str, str]) -> tuple[Picture, ...]:
    """Draw every single cycle, those unlike the others dashed and dark."""
    return _grids(study, hidden, partial(_cycle_panel, study), _cycle_legend, "Single cycles of the angles")


def main_angles(study: GaitStudy) -> tuple[str, ...]:
    """Return the angles that tables show, in the order of the grid: all, or where there are many the usual ones."""
    there = {curve.variable for curve in study.curves.values()}
    rows = [[name for name in row if name in there] for row in grid_of(study)]
    usual = tuple(name for row in rows[: len(GRID)] for name in row)
    return tuple(name for row in rows for name in row) if len(there) <= _MOST_ANGLES or not usual else usual


def _grids(
    study: GaitStudy, hidden: Mapping[str, str], paint: _Paint, legend: Callable[[_Figure], None], alt: str
) -> tuple[Picture, ...]:
    """Draw the usual grid as one picture, and what there is beside it as others."""
    rows, n = grid_of(study), len(GRID)
    parts = [rows[:n], *(rows[i : i + _ROWS] for i in range(n, len(rows), _ROWS))]
    pictures = []
    for i, part in enumerate(parts):
        # Five rows fit one sheet of paper if they are low; more need another one.
        row_mm = _ROW_MM if i == 0 and len(rows) != n + 1 else _LOW_ROW_MM
        height = row_mm * len(part) + (15 if i == 0 else 10)
        names = ", ".join(readable(name) for row in part for name in row)
        draw = partial(_draw_grid, study, part, hidden, paint, legend if i == 0 else None, height)
        pictures.append(Picture(draw, height, f"{alt}: {names}"))
    return tuple(pictures)


def _draw_grid(
    study: GaitStudy,
    rows: Sequence[Sequence[str]],
    hidden: Mapping[str, str],
    paint: _Paint,
    legend: Callable[[_Figure], None] | None,
    height: float,
    figure: _Figure,
) -> None:
    axes = figure.subplots(len(rows), 3, squeeze=False)
    figure.subplots_adjust(
        left=0.06, right=0.985, bottom=9 / height, top=1 - (10 if legend else 5) / height, hspace=0.46, wspace=0.24
    )
    there = {curve.variable for curve in study.curves.values()}
    for i, row in enumerate(rows):
        for j in range(3):
            panel = axes[i, j]
            if j >= len(row):
                panel.set_axis_off()
            elif row[j] in there:
                paint(panel, row[j])
                _dress(panel, row[j], last=i == len(rows) - 1)
            else:
                _say_nothing(panel, row[j], hidden)
    if legend is not None:
        legend(figure)


def _dress(panel: "Axes", variable: str, *, last: bool) -> None:
    panel.set_xlim(0, 100)
    panel.set_xticks(range(0, 101, 20))
    panel.set_title(readable(variable), loc="left", pad=3)
    low, high = panel.get_ylim()
    if high - low < _LEAST_SPAN:
        middle = (low + high) / 2
        panel.set_ylim(middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2)
    low, high = panel.get_ylim()
    if low < 0 < high:
        panel.axhline(0, color="#9aa3b0", linewidth=0.5, zorder=0)
    positive = positive_words(variable)
    label = f"°, + {positive}" if positive else "°"
    panel.set_ylabel(label if len(label) < 26 else fill(label, 22), fontsize=5.8, labelpad=1.5, color="#4b5563")
    if last:
        panel.set_xlabel("% of the cycle", labelpad=1.5)


def _say_nothing(panel: "Axes", variable: str, hidden: Mapping[str, str]) -> None:
    """Leave a panel without numbers, with the reason."""
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_facecolor("#f6f7f9")
    for spine in panel.spines.values():
        spine.set_visible(False)
    panel.set_title(readable(variable), loc="left", pad=3, color=SOFT)
    head = "not observable" if variable in hidden else "not measured"
    reason = hidden.get(variable, "no cycle of it is complete, or the recordings have no such angle")
    panel.text(
        0.5, 0.86, head, transform=panel.transAxes, ha="center", va="top", fontsize=7.5, color=SOFT, weight="bold"
    )
    panel.text(0.5, 0.70, fill(reason, 38), transform=panel.transAxes, ha="center", va="top", fontsize=6.2, color=SOFT)


def _sides(study: GaitStudy, variable: str) -> list[tuple[str, Curve]]:
    names = [(side, f"{variable}_{side.lower()}") for side in SIDES]
    return [(side, study.curves[name]) for side, name in names if name in study.curves]


def _mean_panel(study: GaitStudy, panel: "Axes", variable: str) -> None:
    band = study.norms.bands.get(variable) if study.norms is not None else None
    if band is not None:
        mean, sd = band.at()
        panel.fill_between(_PERCENT, mean - sd, mean + sd, color=_NORM, linewidth=0, zorder=0.5)
    for side, curve in _sides(study, variable):
        style = SIDE_STYLES[side]
        if curve.mean.is_known:
            low, high = curve.mean.low, curve.mean.high
            panel.fill_between(_PERCENT, low, high, color=style["color"], alpha=0.28, linewidth=0, zorder=2)
        panel.plot(_PERCENT, curve.mean.value, linewidth=1.1, zorder=3, **style)
    _foot_off(study, panel)


def _foot_off(study: GaitStudy, panel: "Axes") -> None:
    for side, style in SIDE_STYLES.items():
        place = study.foot_off(side)
        if np.isfinite(place):
            panel.axvline(place, linewidth=0.8, zorder=1, **style)


def _mean_legend(study: GaitStudy, figure: _Figure) -> None:
    entries: list[Any] = [Line2D([], [], linewidth=1.3, label=words, **SIDE_STYLES[s]) for s, words in SIDES.items()]
    if study.n_samples:
        entries += [
            Patch(color=SIDE_STYLES[side]["color"], alpha=0.28, linewidth=0, label=f"95 % interval, {words}")
            for side, words in SIDES.items()
        ]
    if study.norms is not None:
        entries.append(Patch(color=_NORM, linewidth=0, label="norm, mean ± 1 SD"))
    entries.append(
        Line2D([], [], color=SOFT, linewidth=0.8, marker="|", linestyle="none", markersize=8, label="foot off")
    )
    figure.legend(handles=entries, loc="upper left", ncols=len(entries), bbox_to_anchor=(0.045, 1.0), borderaxespad=0.2)


def _cycle_panel(study: GaitStudy, panel: "Axes", variable: str) -> None:
    for side, curve in _sides(study, variable):
        style = SIDE_STYLES[side]
        shown = _shown(curve)
        usual, unlike = (curve.cycles[shown & (curve.outlying == odd)][:, ::2] for odd in (False, True))
        panel.add_collection(_lines(usual, colors=style["color"], linewidths=0.45, alpha=0.55))
        panel.add_collection(_lines(unlike, colors=_darker(side), linewidths=0.8, linestyles=[(0, (3, 1.5))]))
    panel.autoscale_view()
    _foot_off(study, panel)


def _lines(cycles: FloatArray, **look: Any) -> LineCollection:
    return LineCollection([np.column_stack([_PERCENT[::2], cycle]) for cycle in cycles], **look)


def _darker(side: str) -> str:
    return {"L": "#7a3600", "R": "#003a5c"}[side]


def _shown(curve: Curve) -> BoolArray:
    """Choose the cycles that are drawn, evenly: of those that stand out and of the others so many each."""
    shown = np.zeros(len(curve.outlying), dtype=np.bool_)
    for kind in (np.flatnonzero(~curve.outlying), np.flatnonzero(curve.outlying)):
        n = min(len(kind), MOST_SHOWN)
        if n:
            shown[kind[np.linspace(0, len(kind) - 1, n).round().astype(np.int64)]] = True
    return shown


def _cycle_legend(figure: _Figure) -> None:
    entries = [Line2D([], [], color=SIDE_STYLES[s]["color"], linewidth=0.8, label=words) for s, words in SIDES.items()]
    entries += [
        Line2D([], [], color=_darker(s), linewidth=0.9, linestyle=(0, (3, 1.5)), label=f"{words}, unlike the others")
        for s, words in SIDES.items()
    ]
    figure.legend(handles=entries, loc="upper left", ncols=len(entries), bbox_to_anchor=(0.045, 1.0), borderaxespad=0.2)


def cyclogram_picture(study: GaitStudy) -> Picture | None:
    """Draw knee over hip and ankle over knee, a loop for each side; None where there are no such angles."""
    hip = next((name for name in ("hip_flexion", "hip_flexion_trunk") if len(_sides(study, name)) > 0), "")
    pairs = [(hip, "knee_flexion"), ("knee_flexion", "ankle_dorsiflexion")]
    pairs = [pair for pair in pairs if any(all(map(len, _both(study, pair, side))) for side in SIDES)]
    if not pairs:
        return None
    names = " and ".join(f"{readable(y)} over {readable(x).lower()}" for x, y in pairs)
    return Picture(partial(_draw_cyclograms, study, pairs), 62, f"{names}, one loop for each side")


def _both(study: GaitStudy, pair: tuple[str, str], side: str) -> list[FloatArray]:
    names = [f"{name}_{side.lower()}" for name in pair]
    return [study.curves[name].mean.value if name in study.curves else np.empty(0) for name in names]


def _draw_cyclograms(study: GaitStudy, pairs: Sequence[tuple[str, str]], figure: _Figure) -> None:
    axes = figure.subplots(1, 2, squeeze=False)
    figure.subplots_adjust(left=0.065, right=0.99, bottom=0.14, top=0.92, wspace=0.22)
    for panel, pair in zip(axes[0], (*pairs, None, None), strict=False):
        if pair is None:
            panel.set_axis_off()
            continue
        for side, style in SIDE_STYLES.items():
            x, y = _both(study, pair, side)
            if not (len(x) and len(y)):
                continue
            panel.plot(x, y, linewidth=1.1, label=SIDES[side], **style)
            panel.plot(x[:1], y[:1], marker="o", markersize=4, color=style["color"])
            off = study.foot_off(side)
            if np.isfinite(off):
                i = round(off)
                panel.plot(x[i : i + 1], y[i : i + 1], marker="^", markersize=4.5, color=style["color"])
        panel.set_xlabel(f"{readable(pair[0])}, °")
        panel.set_ylabel(f"{readable(pair[1])}, °")
        panel.grid(visible=True)
    axes[0, 0].legend(loc="upper left")
    axes[0, 0].set_title("● foot strike   ▲ foot off", loc="right", fontsize=6.5, color=SOFT, weight="normal")
