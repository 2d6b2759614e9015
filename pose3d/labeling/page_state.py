"""What the page is told, and what it may ask for: plain JSON on one side, the editor on the other."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pose3d.data.labels import Mark
from pose3d.data.skeleton import Skeleton
from pose3d.geometry.arrays import FloatArray
from pose3d.io.local_page import RequestError
from pose3d.labeling.editor import LabelEditor
from pose3d.labeling.suggestions import Views

__all__ = ["apply_action", "describe_curves", "describe_instant", "describe_project", "side_of"]

_LEAST_SCORE = 0.3
"""Predictions below this score are not shown: they would be wrong more often than they help."""
_MARKS = {"occluded": Mark.OCCLUDED, "absent": Mark.ABSENT, "visible": Mark.VISIBLE}
_FAR = 1e5


def side_of(keypoint: str, skeleton: Skeleton) -> str:
    """Return ``left``, ``right`` or ``middle``, from the skeleton's pairs or else from the name.

    Examples
    --------
    >>> side_of("r_wrist", Skeleton("own", ("r_wrist",))), side_of("Haunch_left", Skeleton("own", ("Haunch_left",)))
    ('right', 'left')
    """
    for left, right in skeleton.pairs:
        if keypoint in (left, right):
            return "left" if keypoint == left else "right"
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", keypoint)
    for side in ("left", "right"):
        if any(word.lower() in (side, side[0]) for word in words):
            return side
    return "middle"


def describe_project(editor: LabelEditor) -> dict[str, Any]:
    """Return what holds for all instants, and how far each is labelled."""
    task, labels = editor.task, editor.labels
    number = {name: i for i, name in enumerate(labels.keypoints)}
    edges = [(number[a], number[b]) for a, b in task.skeleton.edges if a in number and b in number]
    return {
        "title": task.title,
        "keypoints": [{"name": name, "side": side_of(name, task.skeleton)} for name in labels.keypoints],
        "edges": edges,
        "individuals": list(labels.individuals),
        "instants": [
            {
                "recording": instant.recording,
                "frame": instant.frame,
                "name": labels.images[next(iter(instant.rows.values()))].image,
                "reason": instant.reason,
                "progress": editor.progress(i),
            }
            for i, instant in enumerate(task.instants)
        ],
        "revision": editor.revision,
    }


def describe_instant(editor: LabelEditor, instant: int) -> dict[str, Any]:
    """Return the images, labels, predictions and hints of an instant."""
    here = editor.task.instants[instant]
    individuals = range(len(editor.labels.individuals))
    calibrated = editor.calibrated(instant)
    source = editor.source_of_copy(instant)
    return {
        "instant": instant,
        "revision": editor.revision,
        "progress": editor.progress(instant),
        "views": [
            {
                "camera": camera,
                "image": list(editor.labels.images[row]),
                "calibrated": camera in calibrated and editor.views(instant) is not None,
                "note": _note(editor, here.recording, camera, row),
            }
            for camera, row in here.rows.items()
        ],
        "labels": [_labels(editor, instant, i) for i in individuals],
        "guesses": _guesses(editor, instant),
        "hints": [_hints(editor, instant, i) for i in individuals],
        "undo": editor.can_undo,
        "redo": editor.can_redo,
        "copySource": None if source is None else editor.task.instants[source].frame,
    }


def _note(editor: LabelEditor, recording: str, camera: str, row: int) -> str:
    """Say why a view has no lines though others may."""
    rig = editor.task.rigs.get(recording)
    if rig is None:
        return ""
    if camera not in rig:
        return f"the calibration has no camera {camera}: no lines in this view"
    size, calibrated = editor.task.size(row), rig[camera].size
    if size is not None and size != calibrated:
        return f"calibrated with {calibrated[0]}x{calibrated[1]}, this image is {size[0]}x{size[1]}: no lines here"
    return ""


def _labels(editor: LabelEditor, instant: int, individual: int) -> list[list[Any]]:
    """Return [x, y, mark] for each view and keypoint; None where nothing is said."""
    xy, mark = editor.view_labels(instant, individual)
    return [
        [[*_point(place), int(m)] if m != Mark.UNLABELLED else None for place, m in zip(*view, strict=True)]
        for view in zip(xy, mark, strict=True)
    ]


def _guesses(editor: LabelEditor, instant: int) -> list[Any]:
    """Return [x, y, score] for each individual, view and keypoint; None where the network is silent."""
    found = [editor.task.guess(row) for row in editor.task.instants[instant].rows.values()]

    def told(xy: FloatArray, score: float) -> list[Any] | None:
        return [*_point(xy), round(float(score), 3)] if np.isfinite(xy).all() and score >= _LEAST_SCORE else None

    n_keypoints = len(editor.labels.keypoints)
    return [
        [
            [None] * n_keypoints
            if guess is None
            else [told(xy, score) for xy, score in zip(guess.xy[i], guess.score[i], strict=True)]
            for guess in found
        ]
        for i in range(len(editor.labels.individuals))
    ]


def _hints(editor: LabelEditor, instant: int, individual: int) -> list[dict[str, Any] | None]:
    """Return for each keypoint where the views should see it, and how far off they are; by number of the view."""
    n_keypoints = len(editor.labels.keypoints)
    views = editor.views(instant)
    if views is None:
        return [None] * n_keypoints
    placed = editor.placed(instant, individual, range(n_keypoints))
    states = [places.tobytes() for places in placed]
    keys = [(instant, individual, k) for k in range(n_keypoints)]
    enough = np.isfinite(placed).all(-1).sum(-1) >= 2
    old = [editor.hints.get(key, (b"", None)) for key in keys]
    todo = [k for k in range(n_keypoints) if enough[k] and old[k][0] != states[k]]
    if todo:
        numbers = [list(editor.task.instants[instant].rows).index(camera) for camera in editor.calibrated(instant)]
        for k, hint in zip(todo, _make_hints(views, placed[todo], numbers), strict=True):
            editor.hints[keys[k]] = (states[k], hint)
    return [editor.hints[key][1] if there else None for key, there in zip(keys, enough, strict=True)]


def _make_hints(views: Views, placed: FloatArray, numbers: Sequence[int]) -> list[dict[str, Any] | None]:
    found = views.agree(placed)
    inside = views.inside(found.xy)
    hints: list[dict[str, Any] | None] = []
    for i in range(len(placed)):
        suspect = int(found.suspect[i])
        hint = {
            "xy": {view: _point(found.xy[i, c]) for c, view in enumerate(numbers) if inside[i, c]},
            "outside": [view for c, view in enumerate(numbers) if not inside[i, c]],
            "error": {view: _number(found.error_px[i, c]) for c, view in enumerate(numbers)},
            "suspect": numbers[suspect] if suspect >= 0 else None,
            "unclear": suspect == -2,
            "suspectPx": _number(found.left_out_px[i, suspect]) if suspect >= 0 else None,
            "restPx": _number(found.remaining_px[i, suspect]) if suspect >= 0 else None,
        }
        hints.append(hint if np.isfinite(found.xyz[i]).all() else None)
    return hints


def describe_curves(editor: LabelEditor, instant: int, individual: int, keypoint: int) -> list[dict[str, Any]]:
    """Return the epipolar curves of a keypoint: from which view, in which view, points in px.

    There are none where all views are decided and agree: nobody looks for the point any more.
    """
    views = editor.views(instant)
    if views is None or not _is_open(editor, instant, individual, keypoint):
        return []
    order = list(editor.task.instants[instant].rows)
    curves = views.epipolar_curves(editor.placed(instant, individual, [keypoint])[0])
    return [
        {"from": order.index(a), "to": order.index(b), "pieces": [piece.round(1).tolist() for piece in pieces]}
        for (a, b), pieces in curves.items()
    ]


def _is_open(editor: LabelEditor, instant: int, individual: int, keypoint: int) -> bool:
    _, mark = editor.view_labels(instant, individual)
    if (mark[:, keypoint] == Mark.UNLABELLED).any():
        return True
    hint = _hints(editor, instant, individual)[keypoint]
    return hint is not None and (hint["suspect"] is not None or hint["unclear"])


def _point(xy: FloatArray) -> list[float | None]:
    return [_number(xy[0]), _number(xy[1])]


def _number(value: float) -> float | None:
    return round(float(value), 2) if math.isfinite(value) else None


# --- what the page asks for --------------------------------------------------------------------------------------


def _index(request: Mapping[str, Any], name: str, length: int) -> int:
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < length:
        raise RequestError(f"{name} must be a whole number below {length}")
    return value


def _coordinate(request: Mapping[str, Any], name: str) -> float:
    value = request.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _FAR:
        raise RequestError(f"{name} must be a number of px")
    return float(value)


def apply_action(editor: LabelEditor, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the page asks for.

    Parameters
    ----------
    editor : LabelEditor
    request : mapping
        ``do`` (place, remove, mark, accept, guesses, copy, undo, redo), ``instant``, ``individual``, ``keypoint`` and
        ``view`` (none: all of them), ``x``, ``y``, ``mark``.

    Returns
    -------
    dict
        ``changed``; ``instant``, the one as it is now; ``curves`` of the keypoint; for undo and redo ``at``, where it
        was.

    Raises
    ------
    RequestError
        If the request makes no sense; nothing has changed.
    """
    labels = editor.labels
    instant = _index(request, "instant", len(editor.task.instants))
    individual = _index(request, "individual", len(labels.individuals))
    every = request.get("keypoint") is None
    one = 0 if every else _index(request, "keypoint", len(labels.keypoints))
    keypoints = range(len(labels.keypoints)) if every else [one]
    here = list(editor.task.instants[instant].rows.items())
    some = here if request.get("view") is None else [here[_index(request, "view", len(here))]]
    rows, cameras = [row for _, row in some], [camera for camera, _ in some]
    at: int | None = instant
    action = request.get("do")
    if action == "place":
        mark = _mark(request.get("mark", "visible"))
        xy = _coordinate(request, "x"), _coordinate(request, "y")
        if len(rows) != 1 or every or mark == Mark.ABSENT:
            raise RequestError("a place is of one keypoint in one view")
        size = editor.task.size(rows[0])
        if size is not None and not (-0.5 <= xy[0] <= size[0] - 0.5 and -0.5 <= xy[1] <= size[1] - 0.5):
            raise RequestError(f"({xy[0]:.1f}, {xy[1]:.1f}) lies outside of the image")
        changed = editor.place(rows[0], individual, one, xy=xy, mark=mark)
    elif action in ("undo", "redo"):
        at = editor.undo() if action == "undo" else editor.redo()
        changed = at is not None
    else:
        changed = _apply_other(editor, request, (instant, individual), (rows, cameras), keypoints)
    at = instant if at is None else at
    return {
        "changed": changed,
        "at": at,
        "instant": describe_instant(editor, at),
        "curves": [] if every else describe_curves(editor, at, individual, one),
    }


def _apply_other(
    editor: LabelEditor,
    request: Mapping[str, Any],
    where: tuple[int, int],
    views: tuple[list[int], list[str]],
    keypoints: Sequence[int],
) -> bool:
    instant, individual = where
    rows, cameras = views
    action = request.get("do")
    if action == "accept":
        return editor.accept(instant, individual, keypoints)
    if action == "guesses":
        return editor.accept_guesses(instant, individual, keypoints, least_score=_LEAST_SCORE, views=cameras)
    if action == "copy":
        return editor.copy(instant, individual, keypoints)
    if len(keypoints) != 1:
        raise RequestError(f"{str(action)[:20]!r} needs a keypoint")
    if action == "remove":
        return editor.remove(rows, individual, keypoints[0])
    if action == "mark":
        return editor.toggle(rows, individual, keypoints[0], mark=_mark(request.get("mark")))
    raise RequestError(f"there is no action {str(action)[:20]!r}")


def _mark(name: Any) -> Mark:
    if not isinstance(name, str) or name not in _MARKS:
        raise RequestError(f"mark must be one of {', '.join(_MARKS)}")
    return _MARKS[name]
