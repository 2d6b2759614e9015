"""The calibration report's pictures: what was seen, how the pairs hang together, and what the fit leaves over."""

import numpy as np

from pose3d.calibration import Calibration
from pose3d.geometry.arrays import FloatArray, IntArray

from .calibration_measures import CameraViews, Pair, cell_means, coverage, image_cells
from .calibration_scene import grade_style, levelled
from .drawing import COVERAGE_RAMP, ERROR_RAMP, Axes, Drawing, ramp_levels, shortened, wide_range

__all__ = [
    "arrow_magnification",
    "coverage_map",
    "edge_histogram",
    "error_limits",
    "error_over_time",
    "pair_graph",
    "pose_spread",
    "residual_histogram",
    "residual_map",
    "time_limits",
]

BLUE, VERMILLION, GREEN, ORANGE, INK = "#0072b2", "#c2410c", "#00795c", "#b8860b", "#1f2937"
_WIDTH = 300.0
_MOST_DOTS = 1500
_FEW = 5  # corners in a cell: fewer say nothing of it
_LINK_STYLE = {"good": (GREEN, ""), "marginal": (ORANGE, "7 4"), "weak": (VERMILLION, "2 4")}


def _image(views: CameraViews, title: str, below: float) -> tuple[Drawing, Axes]:
    """Make axes in the pixels of a camera's image."""
    w, h = views.size
    scale = min((_WIDTH - 4) / w, 1.25 * _WIDTH / h)
    drawing = Drawing(_WIDTH, h * scale + below + 2, title)
    left = (_WIDTH - w * scale) / 2
    return drawing, Axes(drawing, (left, 1, w * scale, h * scale), (-0.5, w - 0.5), (h - 0.5, -0.5))


def _thinned(n: int, most: int) -> IntArray:
    """Return places of at most `most` of `n` things, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)) if n else np.zeros(0, np.int64)


def coverage_map(views: CameraViews) -> str:
    """Draw where in the image corners were seen; cells without any are marked by a cross."""
    count, edges = coverage(views), image_cells(views)
    drawing, axes = _image(views, f"Coverage of {views.name}: {(count > 0).mean():.0%} of the image", 0)
    some = count > 0
    high = float(np.percentile(count[some], 90)) if some.any() else 1.0
    axes.cells(edges, ramp_levels(count, 0, high, 6), some, COVERAGE_RAMP[:6])
    axes.cells(edges, np.zeros(count.shape, np.int64), ~some, ("#fdf1e7",))
    middles = np.stack(np.meshgrid(*[(e[1:] + e[:-1]) / 2 for e in edges], indexing="ij"), axis=-1)[~some]
    drawing.crosses(axes.at(middles), 4, f'stroke="{VERMILLION}"')
    pick = _thinned(len(views.xy), _MOST_DOTS)
    drawing.dots(axes.at(views.xy[pick]), 'stroke="#0b1f44" stroke-opacity=".55" stroke-width="1.6"')
    drawing.box(axes.left, axes.top, axes.width, axes.height, 'fill="none" stroke="#6b7280"')
    return drawing.svg()


def pose_spread(views: CameraViews, distance_mm: tuple[float, float]) -> str:
    """Draw the tilt of the board against its distance, one dot a view.

    Parameters
    ----------
    views : CameraViews
    distance_mm : (float, float)
        The range of all cameras, so that they can be compared.
    """
    drawing = Drawing(_WIDTH, 150, f"Tilt and distance of the board before {views.name}")
    axes = Axes(drawing, (44, 8, _WIDTH - 56, 104), distance_mm, (0, 90))
    drawing.box(axes.left, float(axes.at([0, 60])[1]), axes.width, axes.height * 30 / 90, 'fill="#dff0e8"')
    axes.grid("distance (mm)", "tilt (degrees)", y_ticks=(0, 30, 60, 90))
    drawing.dots(
        axes.at(np.column_stack([views.distance_mm, views.tilt_deg])),
        f'stroke="{BLUE}" stroke-opacity=".65" stroke-width="5"',
    )
    return drawing.svg()


def pair_graph(calibration: Calibration, links: list[Pair], weakest: Pair | None, grades: dict[str, str]) -> str:
    """Draw the cameras and the instants that each two share.

    Cameras stand on a circle in the order in which they stand around the recorded volume.
    """
    names = calibration.rig.names
    basis, _ = levelled(calibration)
    around = (calibration.rig.centers @ basis.T)[:, :2]
    direction = around - around.mean(0)
    order = np.argsort(np.arctan2(direction[:, 1], direction[:, 0]), kind="stable")
    angle = np.empty(len(names))
    angle[order] = np.pi / 2 + 2 * np.pi * np.arange(len(names)) / max(len(names), 1)
    drawing = Drawing(560, 380, "Pairs of cameras and the instants at which both saw the board")
    at = np.column_stack([280 + 140 * np.cos(angle), 190 - 140 * np.sin(angle)])
    crowded = len(links) > 18
    for pair in reversed(links):
        color, dashes = _LINK_STYLE[pair.strength]
        width = 1.2 + 4.8 * min(pair.instants, 60) / 60
        faint = 0.45 if crowded and pair != weakest else 0.85
        drawing.segments(
            at[[pair.a]],
            at[[pair.b]],
            f'stroke="{color}" stroke-width="{width:.1f}" stroke-opacity="{faint}"'
            + (f' stroke-dasharray="{dashes}"' if dashes else ""),
        )
    for pair in links:
        if crowded and pair != weakest:
            continue
        # off the middle, where the lines of a regular ring all meet
        x, y = at[pair.a] * 0.62 + at[pair.b] * 0.38
        words = str(pair.instants) if pair.instants or not pair.shared else f"0 of {pair.shared}"
        wide = 7 * len(words) + 6
        ring = INK if pair == weakest else "none"
        drawing.box(x - wide / 2, y - 8, wide, 15, f'rx="4" fill="#fff" fill-opacity=".92" stroke="{ring}"')
        drawing.text(float(x), float(y) + 3.5, words, "tick", anchor="middle")
    for i, name in enumerate(names):
        color, sign = grade_style(grades.get(name, "PASS"))
        x, y = at[i]
        drawing.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{color}" stroke="#fff" stroke-width="2"/>')
        u, v = np.cos(angle[i]), np.sin(angle[i])
        anchor = "start" if u > 0.3 else "end" if u < -0.3 else "middle"
        drawing.text(float(x + 13 * u), float(y - 15 * v) + 4, sign + shortened(name), "name", anchor=anchor)
    return drawing.svg()


def error_limits(every: list[CameraViews]) -> tuple[float, float]:
    """Return the range of the cells' errors over all cameras, cells counted by their corners, px."""
    cells = [cell_means(views) for views in every]
    known = np.concatenate([np.repeat(rms[n >= _FEW], n[n >= _FEW].astype(int)) for n, _, rms in cells])
    if not len(known):
        return 0.0, 1.0
    low, high = np.percentile(known, [2, 98])
    return wide_range(float(low), float(high), 3.0)


def arrow_magnification(every: list[CameraViews]) -> float:
    """Return a round number by which mean residuals are magnified: the usual long one fills most of a cell.

    At most so that a corner's noise would fill one, so that the arrows of mere noise stay short.
    """
    lengths, noise = [np.zeros(0)], [0.0]
    for views in every:
        n, mean, _ = cell_means(views)
        cell = views.size[0] / views.grid[1]
        many = n >= _FEW
        lengths.append(np.repeat(np.linalg.norm(mean[many], axis=-1) / cell, n[many].astype(int)))
        noise.append(views.sigma / cell)
    known = np.concatenate(lengths)
    long = max(float(np.percentile(known, 95)) / 0.8 if len(known) else 0.0, *noise)
    steps = np.array([f * 10.0**p for p in range(-3, 5) for f in (1, 2, 5)])
    return float(steps[np.searchsorted(steps, 1 / long, side="right") - 1]) if long > 1e-4 else 1e4


def residual_map(views: CameraViews, limits: tuple[float, float], magnification: float) -> str:
    """Draw the error of each cell of the image as heat, and the mean residual there as an arrow."""
    n, mean, rms = cell_means(views)
    edges = image_cells(views)
    drawing, axes = _image(views, f"Residuals of {views.name} over its image", 32)
    shown = n >= _FEW
    axes.cells(edges, ramp_levels(rms, *limits), shown, ERROR_RAMP)
    middles = np.stack(np.meshgrid(*[(e[1:] + e[:-1]) / 2 for e in edges], indexing="ij"), axis=-1)[shown]
    vector = mean[shown] * magnification
    # none much longer than a cell, or one wild cell hides the rest
    longest = 1.5 * views.size[0] / views.grid[1]
    vector = vector * np.minimum(1, longest / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9))
    drawing.arrows(axes.at(middles - vector / 2), axes.at(middles + vector / 2), 'stroke="#111827" stroke-width="1.1"')
    drawing.box(axes.left, axes.top, axes.width, axes.height, 'fill="none" stroke="#6b7280"')
    axes.color_scale(*limits, f"px, arrows x {magnification:g}")
    return drawing.svg()


def residual_histogram(views: CameraViews) -> str:
    """Draw how long the residuals are, and how long noise of that camera's size would make them (Rayleigh)."""
    length = np.linalg.norm(views.residual, axis=-1)
    end, n_bins = 5.0 * views.sigma, 25
    count, edges = np.histogram(length[length < end], bins=n_bins, range=(0, end))
    share = 100 * count / max(len(length), 1)
    beyond = 100 * float((length >= end).mean()) if len(length) else 0.0
    s = np.linspace(0, end, 60)
    expected = 100 * s / views.sigma**2 * np.exp(-(s**2) / (2 * views.sigma**2)) * end / n_bins
    top = 1.12 * max(float(share.max(initial=0)), float(expected.max()), beyond)
    drawing = Drawing(_WIDTH, 150, f"Lengths of the residuals of {views.name}: {beyond:.1f} % beyond {end:.2f} px")
    axes = Axes(drawing, (44, 8, _WIDTH - 56, 104), (0, end * 1.07), (0, top))
    axes.grid("residual (px)", "corners (%)", n_y=3)
    low = axes.at(np.column_stack([edges[:-1], share]))
    width = axes.width / 1.07 / n_bins
    drawing.boxes(low, np.column_stack([np.full(n_bins, width - 0.6), axes.bottom - low[:, 1]]), 'fill="#82badb"')
    if beyond > 0:
        corner = axes.at([[end * 1.02, beyond]])
        corner[:, 1] = np.minimum(corner[:, 1], axes.bottom - 2)
        drawing.boxes(
            corner, np.array([[axes.right - corner[0, 0], axes.bottom - corner[0, 1]]]), f'fill="{VERMILLION}"'
        )
    drawing.line(axes.at(np.column_stack([s, expected])), f'stroke="{INK}" stroke-width="1.6"')
    drawing.text(axes.right, axes.top + 8, f"{beyond:.1f} % beyond", "label", anchor="end")
    return drawing.svg()


def time_limits(every: list[CameraViews]) -> tuple[tuple[float, float], float]:
    """Return the first and the last frame of all cameras, and the top of an axis for their errors, px."""
    frames = np.concatenate(
        [np.concatenate([views.frames, np.array(views.dropped, dtype=np.int64)]) for views in every]
    )
    errors = np.concatenate([views.median_px for views in every])
    first, last = (float(frames.min()), float(frames.max())) if len(frames) else (0.0, 1.0)
    top = 1.25 * max(float(np.percentile(errors, 99)) if len(errors) else 0.0, *(1.5 * v.sigma for v in every))
    return (first, max(last, first + 1)), top


def error_over_time(views: CameraViews, frames: tuple[float, float], top: float, fps: float | None) -> str:
    """Draw the median residual of each view over the recording, and the views that were left out."""
    drawing = Drawing(_WIDTH, 140, f"Error of {views.name} over the recording; {len(views.dropped)} views left out")
    axes = Axes(drawing, (44, 8, _WIDTH - 56, 94), frames, (0, top))
    axes.grid("recording frame" if fps is None else f"recording frame ({fps:g} a second)", "median (px)", n_y=3)
    level = axes.at([[frames[0], 1.1774 * views.sigma], [frames[1], 1.1774 * views.sigma]])
    drawing.line(level, f'stroke="{INK}" stroke-dasharray="4 3"')
    here = axes.at(np.column_stack([views.frames, views.median_px]))
    ground = np.column_stack([here[:, 0], np.full(len(here), axes.bottom)])
    drawing.segments(ground, here, f'stroke="{BLUE}" stroke-opacity=".25"')
    over = views.median_px > top
    drawing.dots(here[~over], f'stroke="{BLUE}" stroke-width="3.6"')
    drawing.polygons(here[over][:, None] + np.array([[-4, 7], [4, 7], [0, 0]]), f'fill="{VERMILLION}"')
    gone = axes.at(np.column_stack([views.dropped, np.full(len(views.dropped), top)])) + np.array([0, 5])
    drawing.crosses(gone, 3.5, f'stroke="{VERMILLION}" stroke-width="1.8"')
    return drawing.svg()


def edge_histogram(errors: FloatArray, square_mm: float) -> str:
    """Draw by how much the board's edges came out too long or too short, and their mean."""
    end = max(float(np.percentile(np.abs(errors), 99)) * 1.1, 1e-6)
    count, edges = np.histogram(np.clip(errors, -end, end), bins=41, range=(-end, end))
    bias = float(errors.mean())
    drawing = Drawing(
        560, 230, f"Error of the board's edges of {square_mm:g} mm along them: mean {bias:+.3g} mm, {len(errors)} edges"
    )
    axes = Axes(drawing, (52, 24, 494, 160), (-end, end), (0, 1.08 * float(count.max())))
    axes.grid("triangulated minus true length of an edge (mm)", "edges", n_x=7)
    low = axes.at(np.column_stack([edges[:-1], count]))
    sizes = np.column_stack([np.full(41, axes.width / 41 - 0.8), axes.bottom - low[:, 1]])
    short = edges[:-1] + edges[1:] < 0
    drawing.boxes(low[short], sizes[short], 'fill="#82badb"')
    drawing.boxes(low[~short], sizes[~short], 'fill="#3787c0"')
    for value, style in ((0.0, f'stroke="{INK}"'), (bias, f'stroke="{VERMILLION}" stroke-width="2"')):
        foot = axes.at([[value, 0.0]])
        drawing.segments(foot, foot - np.array([0, axes.height]), style)
    x = float(axes.at([bias, 0.0])[0])
    drawing.text(x, axes.top - 6, f"mean {bias:+.2g} mm", "label", anchor="middle")
    drawing.text(axes.left + 4, axes.top + 12, "too short", "label")
    drawing.text(axes.right - 4, axes.top + 12, "too long", "label", anchor="end")
    return drawing.svg()
