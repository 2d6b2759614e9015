"""The pictures of an evaluation: errors keypoint by keypoint, how many labels are reached, what scores are worth."""

import base64
from collections.abc import Mapping

import cv2
import numpy as np
from markupsafe import Markup

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image, read_image
from pose3d.network.evaluation import SECOND, Evaluation
from pose3d.network.reliability import Reliability

from .drawing import Axes, Drawing, number, shortened

__all__ = ["COLOURS", "keypoint_errors", "reached_labels", "reliability_curve", "worst_image"]

COLOURS: Mapping[str, str] = {"train": "#8a94a3", "test": "#0072b2", "unseen": "#009e73", SECOND: "#d55e00"}
"""Okabe and Ito's, which all kinds of colour vision tell apart."""

_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_LABEL, _FOUND = "#ffffff", "#ffb000"
_PICTURE = 460  # px, the longer side of a worst image on the page
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 82]


def keypoint_errors(evaluation: Evaluation, unit: str = "px") -> Markup:
    """Draw median and 90 % of the error of each keypoint, part by part."""
    keypoints = evaluation.images.labels.keypoints
    parts = [name for name in COLOURS if evaluation.row(name, unit=unit) is not None]
    every = {(part, name): evaluation.row(part, keypoint=name, unit=unit) for part in parts for name in keypoints}
    shown = [row for row in every.values() if row is not None and row.n]
    # As powers of ten: medians and gross errors have to fit into one picture.
    low = min(1.0, min((row.median for row in shown), default=1.0) * 0.9, 1.0)
    high = max(10.0, max((row.p90 for row in shown), default=1.0) * 1.1)
    step = 8 + 7 * len(parts)
    height = step * len(keypoints)
    drawing = Drawing(620, height + 46, f"Error of each keypoint in {unit}")
    axes = Axes(drawing, (122, 6, 484, height), (np.log10(max(low, 0.01)), np.log10(high)), (1.0, 0.0))
    words = f"error, {unit}: median (dot) to 90 % (end of the line)"
    drawing.text(axes.left + axes.width / 2, axes.bottom + 27, words, "label", anchor="middle")
    for value in _TICKS:
        if low <= value <= high:
            place = float(axes.at([np.log10(value), 0.0])[0])
            edge = np.array([[place, axes.bottom]])
            drawing.segments(edge, edge - np.array([0, height]), 'class="grid"')
            drawing.text(place, axes.bottom + 12, f"{value:g}", "tick", anchor="middle")
    for k, name in enumerate(keypoints):
        top = axes.top + k * step
        drawing.text(114, top + step / 2 + 3.5, shortened(name, 18), anchor="end")
        if k % 2:
            drawing.box(axes.left, top, axes.width, step, 'fill="#1f2937" fill-opacity=".035"')
        for i, part in enumerate(parts):
            row = every[part, name]
            if row is None or not row.n:
                continue
            x = axes.at(np.stack([np.log10(np.maximum([row.median, row.p90], 0.01)), np.zeros(2)], axis=-1))[:, 0]
            y = top + 7.5 + 7 * i
            colour = f'stroke="{COLOURS[part]}"'
            drawing.segments(np.array([[x[0], y]]), np.array([[x[1], y]]), f'{colour} stroke-width="2"')
            drawing.dots(np.array([[x[0], y]]), f'{colour} stroke-width="6.5"')
    return Markup(drawing.svg())


def reached_labels(errors: Mapping[str, FloatArray]) -> Markup:
    """Draw the share of labels that lie within a distance of the predictions.

    Parameters
    ----------
    errors : mapping of str to (n,) array, px
        Part to the errors of all its labels; infinite ones were not found.
    """
    known = np.concatenate([np.zeros(0), *(error[np.isfinite(error)] for error in errors.values())])
    # Gross errors would leave the curve no room; what lies beyond is seen from where the curves end.
    widest = float(np.clip(np.quantile(known, 0.97) * 1.1, 5, max(known.max() * 1.02, 5))) if len(known) else 5.0
    drawing = Drawing(430, 270, "Share of labels within a distance of the predictions")
    axes = Axes(drawing, (46, 10, 370, 212), (0.0, widest), (0.0, 100.0))
    axes.grid("distance to the label, px", "labels within it, %", y_ticks=(0, 25, 50, 75, 100))
    for part, error in errors.items():
        if not len(error):
            continue
        ordered = np.sort(error[np.isfinite(error) & (error <= widest)])
        share = np.arange(1, len(ordered) + 1) / len(error) * 100
        # Up in steps, and on to the edge.
        x = np.concatenate([[0.0], np.repeat(ordered, 2), [widest]])
        y = np.concatenate([[0.0], np.stack([np.r_[0.0, share[:-1]], share], axis=1).ravel(), share[-1:]])
        dashed = ' stroke-dasharray="5 4"' if part == SECOND else ""
        drawing.line(
            axes.at(np.stack([x, y[: len(x)]], axis=-1)), f'stroke="{COLOURS[part]}" stroke-width="2.2"{dashed}'
        )
    return Markup(drawing.svg())


def reliability_curve(bins: Reliability) -> Markup:
    """Draw how often keypoints of each score are right, and how many have it."""
    drawing = Drawing(430, 300, "Score against the share of keypoints that are right")
    axes = Axes(drawing, (46, 10, 370, 190), (0.0, 1.0), (0.0, 1.0))
    axes.grid("", "share that is right", y_ticks=(0, 0.25, 0.5, 0.75, 1))
    ends = axes.at([[0, 0], [1, 1]])
    drawing.segments(ends[:1], ends[1:], 'stroke="#6b7280" stroke-dasharray="4 4"')
    drawing.text(float(axes.at([0.2, 0])[0]), float(axes.at([0, 0.29])[1]), "what it should be", "label", turn=-27)
    some = bins.n > 0
    # Of a share p of n, one standard error; of few keypoints little can be said.
    spread = np.sqrt((bins.right * (1 - bins.right) + 0.25 / np.maximum(bins.n, 1)) / np.maximum(bins.n, 1))[some]
    score, right = bins.score[some], bins.right[some]
    low = axes.at(np.stack([score, np.clip(right - spread, 0, 1)], axis=-1))
    high = axes.at(np.stack([score, np.clip(right + spread, 0, 1)], axis=-1))
    drawing.segments(low, high, 'stroke="#0072b2" stroke-width="1.5" stroke-opacity=".6"')
    places = axes.at(np.stack([score, right], axis=-1))
    drawing.line(places, 'stroke="#0072b2" stroke-width="2.2"')
    drawing.dots(places, 'stroke="#0072b2" stroke-width="7"')
    below = Axes(drawing, (46, 222, 370, 42), (0.0, 1.0), (0.0, float(max(bins.n.max(), 1))))
    edges = np.linspace(0, 1, len(bins.n) + 1)
    corner = below.at(np.stack([edges[:-1], bins.n], axis=-1))
    size = np.stack([np.full(len(bins.n), below.width / len(bins.n) - 2), below.bottom - corner[:, 1]], axis=-1)
    drawing.boxes(corner[some] + (1, 0), size[some], 'fill="#9db8cf"')
    for place, n in zip(corner[some], bins.n[some], strict=True):
        drawing.text(place[0] + below.width / len(bins.n) / 2, place[1] - 3, str(n), "tick", anchor="middle")
    drawing.segments(below.at([[0, 0]]), below.at([[1, 0]]), 'class="axis"')
    drawing.text(46 + 185, 284, "score, and how many keypoints have it", "label", anchor="middle")
    return Markup(drawing.svg())


def worst_image(evaluation: Evaluation, index: int, *, tolerance_px: float) -> Markup:
    """Draw labels and predictions on an image, cut to what they lie in.

    Raises
    ------
    FormatError
        If the image cannot be read.
    """
    image = read_image(evaluation.images.paths[index])
    labels, found = evaluation.images.labels.xy[index], evaluation.xy[index]
    left, top, width, height = _window(np.concatenate([labels.reshape(-1, 2), found]), image)
    scale = min(_PICTURE / max(width, height), 4.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    part = cv2.resize(
        image[top : top + height, left : left + width],
        size,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    drawn, jpeg = cv2.imencode(".jpg", part, _JPEG)
    if not drawn:
        raise FormatError(f"{evaluation.images.paths[index]}: cannot be drawn")
    names = evaluation.images.labels.keypoints
    drawing = Drawing(*size, f"Labels and predictions in {evaluation.images.paths[index].name}")
    data = base64.b64encode(jpeg.tobytes()).decode("ascii")
    drawing.add(f'<image width="{size[0]}" height="{size[1]}" href="data:image/jpeg;base64,{data}"/>')

    def place(xy: FloatArray) -> FloatArray:
        return np.asarray((xy - (left, top) + 0.5) * np.array(size) / (width, height))

    # To the nearest individual, whose keypoint the prediction is taken for.
    distance = np.where(np.isfinite(labels).all(-1), np.linalg.norm(labels - found, axis=-1), np.inf)
    nearest = labels[distance.argmin(0), np.arange(len(names))]
    both = np.isfinite(nearest).all(-1) & np.isfinite(found).all(-1)
    a, b = place(nearest[both]), place(found[both])
    for colour, wide in (("#000", 3.6), (_FOUND, 1.6)):
        drawing.segments(a, b, f'stroke="{colour}" stroke-width="{wide}" stroke-opacity=".85"')
    marked = place(labels[np.isfinite(labels).all(-1)])
    for x, y in marked:
        drawing.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="none" stroke="#000" stroke-width="3.4"/>')
        drawing.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="none" stroke="{_LABEL}" stroke-width="1.8"/>')
    for colour, wide in (("#000", 4.2), (_FOUND, 2.2)):
        drawing.crosses(place(found[both]), 4.2, f'stroke="{colour}" stroke-width="{wide}"')
    far = np.flatnonzero(both & (distance.min(0) > tolerance_px))
    for k in far[np.argsort(-distance.min(0)[far], kind="stable")][:5]:
        x, y = place(nearest[k])
        anchor = "end" if x > 0.7 * size[0] else "start"
        away = -10 if anchor == "end" else 10
        drawing.text(x + away, y + 4, f"{names[k]} {number(distance.min(0)[k], 2)} px", "name", anchor=anchor)
    return Markup(drawing.svg())


def _window(points: FloatArray, image: Image) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the part of an image in which points lie, with some room around."""
    full = np.array([image.shape[1], image.shape[0]])
    inside = points[np.isfinite(points).all(-1)].clip(0, full - 1)
    low, high = (inside.min(0), inside.max(0)) if len(inside) else (np.zeros(2), full - 1.0)
    side = np.maximum((high - low) * 1.35 + 24, full.min() / 3)
    side = np.maximum(side, side[::-1] * 0.75).clip(None, full)  # no narrower than 3 to 4
    corner = ((low + high) / 2 - side / 2).clip(0, full - side)
    left, top = np.floor(corner).astype(int)
    right, bottom = np.minimum(np.ceil(corner + side).astype(int), full)
    return int(left), int(top), int(right - left), int(bottom - top)
