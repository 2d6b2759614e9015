"""``evaluation.html``: one file that says how far a network's keypoints are from labels, and shows the worst."""

from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.names import counted
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_suffix, write_text
from pose3d.log import logger
from pose3d.network.evaluation import ALL, OCCLUDED, SECOND, ErrorRow, Evaluation

from .drawing import number
from .evaluation_figures import COLOURS, keypoint_errors, reached_labels, reliability_curve, worst_image
from .page_environment import POLICY, page_environment, read_styles

__all__ = ["write_evaluation_page"]

_WORDS = {
    "train": "learnt from",
    "test": "held out",
    "unseen": "labelled since it was trained",
    SECOND: "the second person",
}


def write_evaluation_page(evaluation: Evaluation, path: str | Path, *, title: str, n_worst: int = 12) -> None:
    """Write the page about an evaluation: one file that needs no network and no other file.

    The same evaluation gives the same bytes.

    Parameters
    ----------
    evaluation : Evaluation
    path : str or Path
        Ends in ``.html``.
    title : str
        The network's name, say.
    n_worst : int, optional
        Images to show.

    Raises
    ------
    DataError
        If `path` does not end in ``.html``.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".html")
    page = {
        "policy": POLICY,
        "style": read_styles("calibration.css", "evaluation.css"),
        "title": title,
        **_head(evaluation),
        "remarks": list(_remarks(evaluation)),
        **_keypoints(evaluation),
        "reached": reached_labels(_part_errors(evaluation)),
        "reliability": reliability_curve(evaluation.reliability),
        "tolerance": number(evaluation.reliability.tolerance_px),
        "expected_error": f"{evaluation.reliability.expected_error:.1%}",
        "worst": _worst(evaluation, n_worst),
    }
    write_text(path, page_environment().get_template("evaluation.html").render(page))


def _head(evaluation: Evaluation) -> dict[str, Any]:
    """Return what stands at the top: the error that counts, and what stands beside it."""
    part = evaluation.main_part
    px, mm = evaluation.row(part), evaluation.row(part, unit="mm")
    sure = evaluation.row(part, cutoff=evaluation.cutoff)
    assert px is not None
    assert sure is not None
    merits = [
        ("mean error", number(px.mean), "px", f"90 % of labels: {number(px.p90)} px or less"),
        ("within 10 px", f"{px.pck10:.1%}" if px.n else "-", "", f"within 5 px: {px.pck5:.1%}" if px.n else ""),
        (
            f"with a score of {evaluation.cutoff:g} or more",
            number(sure.mean),
            "px mean",
            f"{sure.n} of {sure.n + sure.n_missed} labels; median {number(sure.median)} px",
        ),
    ]
    if mm is not None and mm.n:
        note = f"mean {number(mm.mean)} mm, 90 % {number(mm.p90)} mm; {counted(mm.n, 'point')}"
        merits.append(("in space, median", number(mm.median), "mm", note))
    people = evaluation.row(SECOND)
    if people is not None:
        note = f"mean {number(people.mean)} px; {counted(people.n, 'label')} of both"
        merits.append(("two people differ by", number(people.median), "px median", note))
    train = evaluation.row("train")
    if train is not None and part != "train":
        note = f"mean {number(train.mean)} px; {counted(train.n, 'label')}"
        merits.append(("on images it learnt from", number(train.median), "px median", note))
    images = ", ".join(f"{len(index)} {_WORDS.get(name, name)}" for name, index in evaluation.parts.items())
    return {
        "median": number(px.median),
        "measured_on": f"{counted(len(evaluation.parts[part]), 'image')} {_WORDS.get(part, part)}",
        "n_labels": counted(px.n, "label"),
        "images_say": images,
        "merits": merits,
        "cutoff": f"{evaluation.cutoff:g}",
    }


def _remarks(evaluation: Evaluation) -> Any:
    """Say what the figures mean, as far as they mean something."""
    part = evaluation.main_part
    px, train, people = evaluation.row(part), evaluation.row("train"), evaluation.row(SECOND)
    assert px is not None
    if part == "train":
        yield "Nothing was held out: these are images that the network learnt from, and others will be worse."
    elif px.n < 100:
        yield f"Only {counted(px.n, 'label')} are measured on: a few images more or less would change these figures."
    if people is not None and people.n and px.n and people.median > 0:
        yield (
            f"The network is {number(px.median / people.median, 2)} times as far from the labels as the second person "
            f"({number(px.median)} and {number(people.median)} px, median); below once, it cannot be told from people."
        )
    if train is not None and part != "train" and train.n and px.n:
        if px.mean > 1.5 * train.mean:
            yield (
                f"On images it learnt from, its mean error is {number(train.mean)} px instead of {number(px.mean)}: it "
                "knows those better than it understands the keypoints. Labels of other times, animals or light help "
                "more than longer training."
            )
        elif people is None or px.median > 1.3 * people.median:
            yield (
                "It is about as far off on images that it learnt from: longer training, or a larger scale, may bring "
                "more than further labels."
            )
    rows = [evaluation.row(part, keypoint=name) for name in evaluation.images.labels.keypoints]
    known = sorted((row for row in rows if row is not None and row.n), key=lambda row: -row.mean)
    if len(known) > 2 and known[0].mean > 2 * px.mean:
        mean, median = number(known[0].mean), number(known[0].median)
        yield f"{known[0].keypoint} is far worse than the others: {mean} px mean, {median} px median."
    lost = [row.keypoint for row in rows if row is not None and not row.n + row.n_missed]
    if lost:
        yield f"Not labelled in any image that is measured on: {', '.join(lost)}."
    hidden = evaluation.row(part + OCCLUDED)
    if hidden is not None and hidden.n:
        yield (
            f"{counted(hidden.n, 'label')} of what is occluded are not counted above: the network, which was not "
            f"asked for those, is {number(hidden.median)} px off (median)."
        )
    off = evaluation.reliability.expected_error
    if off > 0.1:
        yield f"Scores are {off:.0%} off on average: do not take them as probabilities."


def _keypoints(evaluation: Evaluation) -> dict[str, Any]:
    """Return tables and pictures of all keypoints."""
    part = evaluation.main_part
    units = [unit for unit in ("px", "mm") if evaluation.row(part, unit=unit) is not None]
    others = [name for name in COLOURS if name != part and evaluation.row(name) is not None]
    tables = []
    for unit in units:
        rows = []
        for name in (ALL, *evaluation.images.labels.keypoints):
            main = evaluation.row(part, keypoint=name, unit=unit)
            sure = evaluation.row(part, keypoint=name, unit=unit, cutoff=evaluation.cutoff)
            beside = [evaluation.row(other, keypoint=name, unit=unit) for other in others]
            cells = [
                *_figures(main, whole=True),
                *_figures(sure, whole=False),
                *(cell for row in beside for cell in _figures(row, whole=False)[1:]),
            ]
            rows.append((name, cells))
        tables.append({"unit": unit, "rows": rows, "picture": keypoint_errors(evaluation, unit)})
    legend = [(COLOURS[name], _WORDS[name]) for name in COLOURS if name == part or name in others]
    return {"tables": tables, "part": _WORDS[part], "others": [_WORDS[name] for name in others], "legend": legend}


def _figures(row: ErrorRow | None, *, whole: bool) -> list[str]:
    """Return cells of the table: number, median, mean, 90 %, and the shares within 5 and 10 of a whole row."""
    if row is None:
        return ["-"] * (6 if whole else 3)
    if not row.n:
        return ["0", *["-"] * (5 if whole else 2)]
    if not whole:
        return [str(row.n), number(row.median), number(row.mean)]
    shares = [f"{100 * share:.0f} %" for share in (row.pck5, row.pck10)]
    return [str(row.n), number(row.median), number(row.mean), number(row.p90), *shares]


def _part_errors(evaluation: Evaluation) -> dict[str, FloatArray]:
    """Return the errors of all visible labels of each part; infinite where a label has no prediction."""
    placed = np.asarray(np.isfinite(evaluation.images.labels.visible().xy[..., 0]).any(1))
    found = {name: evaluation.error_px[index][placed[index]] for name, index in evaluation.parts.items()}
    if evaluation.second_px is not None:
        found[SECOND] = evaluation.second_px[np.isfinite(evaluation.second_px)]
    return {name: found[name] for name in COLOURS if name in found and len(found[name])}


def _worst(evaluation: Evaluation, n: int) -> list[dict[str, Any]]:
    """Return the images with the largest errors."""
    cards = []
    images, tolerance = evaluation.images, evaluation.reliability.tolerance_px
    for index in evaluation.worst_images(n):
        try:
            picture = worst_image(evaluation, int(index), tolerance_px=tolerance)
        except FormatError as gone:  # it was there a moment ago; the figures stand
            logger.warning("%s", gone)
            continue
        error, score = evaluation.error_px[index], evaluation.score[index]
        k = int(np.where(np.isfinite(error), error, -1.0).argmax())
        name = images.labels.images[index]
        cards.append(
            {
                "picture": picture,
                "name": f"{name.video}/{name.image}",
                "says": f"{images.labels.keypoints[k]} {number(error[k])} px off, score {score[k]:.2f}",
            }
        )
    return cards
