"""``calibration-report.html``: one file that says whether a calibration can be used, and shows why."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pose3d.calibration import Calibration
from pose3d.io.files import require_suffix, write_text

from . import calibration_figures as figures
from .calibration_measures import (
    GOOD_SHARED,
    CameraViews,
    Pair,
    camera_views,
    coverage,
    edge_lengths,
    pairs,
    weakest_link,
)
from .calibration_scene import error_maps, levelled, scene, scene_picture, top_view
from .calibration_summary import SIGNS, camera_rows, head
from .calibration_tables import distances, parameters, settings
from .drawing import number
from .page_environment import page_environment, read_styles, read_template_file

__all__ = ["write_calibration_report"]


def write_calibration_report(
    calibration: Calibration,
    path: str | Path,
    *,
    title: str | None = None,
    verdict: Any = None,
    comparison: Any = None,
    fps: float | None = None,
) -> None:
    """Write the report of a calibration: one file that needs no network and no other file.

    The same calibration gives the same bytes.

    Parameters
    ----------
    calibration : Calibration
    path : str or Path
        Ends in ``.html``.
    title : str, optional
        The session's name, say.
    verdict : pose3d.calibration.trust.verdict.Verdict, optional
        Grades of the rig and its cameras, and the rules that they broke; without it the worst of
        ``calibration.findings`` counts.
    comparison : pose3d.calibration.world.comparison.Comparison, optional
        The difference to an earlier calibration; its ``lines()`` are shown.
    fps : float, optional
        Frames a second of the recording.

    Raises
    ------
    DataError
        If `path` does not end in ``.html``.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".html")
    script = read_template_file("calibration.js")
    environment = page_environment()
    environment.filters["sentence"] = _sentences((*calibration.rig.names, *calibration.unlinked))
    environment.filters["clause"] = lambda words: words + ("" if words.endswith((".", "!", "?")) else ".")
    with np.errstate(invalid="ignore"):  # variances of an ill-conditioned covariance may be negative
        every = camera_views(calibration)
        rows = camera_rows(calibration, every, verdict)
        grades = {row["name"]: row["grade"] for row in rows}
        page = {
            "title": title or "Calibration report",
            "policy": _policy(script),
            "style": read_styles("calibration.css"),
            "script": Markup(script),
            "signs": SIGNS,
            **head(calibration, rows, verdict),
            "rows": rows,
            "distances": distances(calibration),
            "comparison": list(comparison.lines()) if comparison is not None else [],
            **_coverage(calibration, every),
            **_links(calibration, grades),
            **_residuals(calibration, every, fps),
            **_space(calibration, grades),
            **_edges(calibration),
            **parameters(calibration),
            "settings": settings(calibration, every, fps),
        }
    write_text(path, environment.get_template("calibration.html").render(page))


def _policy(script: str) -> str:
    """Return what a browser is told to forbid: all but the page itself and its one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def _sentences(names: tuple[str, ...]) -> Callable[[str], str]:
    """Return what makes a sentence of words: a capital, but not on a camera's name, and a full stop."""

    def sentence(words: str) -> str:
        begins = words[:1] if words.startswith(names) else words[:1].upper()
        return begins + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")

    return sentence


def _columns(n: int) -> int:
    """Return how many pictures stand side by side on a wide screen, so that the last row is no stump."""
    return 3 if n <= 3 or n in (5, 6, 9) else 4


def _coverage(calibration: Calibration, every: list[CameraViews]) -> dict[str, Any]:
    """Return where each camera saw the board."""
    far = np.concatenate([views.distance_mm for views in every])
    span = (float(far.min()), float(far.max())) if len(far) else (0.0, 1.0)
    margin = 0.05 * (span[1] - span[0]) + 1.0
    cards = []
    for views in every:
        says = "no view took part"
        if len(views.frames):
            tilt, distance = (np.percentile(v, [5, 95]) for v in (views.tilt_deg, views.distance_mm))
            says = (
                f"{(coverage(views) > 0).mean():.0%} of the image seen; tilt {tilt[0]:.0f} to {tilt[1]:.0f}°, "
                f"distance {distance[0]:.0f} to {distance[1]:.0f} mm"
            )
        cards.append(
            {
                "name": views.name,
                "says": says,
                "map": Markup(figures.coverage_map(views)),
                "spread": Markup(figures.pose_spread(views, (span[0] - margin, span[1] + margin))),
            }
        )
    return {"coverage": cards, "columns": _columns(len(calibration.rig))}


def _links(calibration: Calibration, grades: dict[str, str]) -> dict[str, Any]:
    """Return which cameras saw the board together."""
    names = calibration.rig.names
    links = pairs(calibration)
    weakest, groups = weakest_link(links, len(names))
    together = {(pair.a, pair.b) for pair in links}
    every = [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
    apart = [pair for pair in every if pair not in together and len(groups) < 2]
    known = calibration.quality.coverage
    return {
        "graph": Markup(figures.pair_graph(calibration, links, weakest, grades)) if len(names) > 1 else "",
        "weakest": _weakest_sentence(weakest, names)
        if len(groups) < 2
        else "No instant that took part joins " + " with ".join(", ".join(names[i] for i in g) for g in groups) + ".",
        "hinges": [hinge.line() for hinge in known.hinges] if known is not None else [],
        "apart": [f"{names[a]} and {names[b]}" for a, b in apart],
        "pairs": [
            {
                "name": f"{names[pair.a]} – {names[pair.b]}",
                "instants": pair.instants,
                "corners": pair.corners,
                "agree": f"{pair.agreeing} of {pair.shared}",
                "strength": pair.strength,
            }
            for pair in sorted(links, key=lambda pair: (pair.a, pair.b))
        ],
    }


def _weakest_sentence(weakest: Pair | None, names: tuple[str, ...]) -> str:
    if weakest is None:
        return ""
    judged = {
        "good": "The cameras hang together well: even the weakest link",
        "marginal": "The cameras hang together; the weakest link",
        "weak": "The cameras hang on a thread: the weakest link",
    }[weakest.strength]
    instants = f"{weakest.instants} shared instant" + ("" if weakest.instants == 1 else "s")
    more = "" if weakest.strength == "good" else f"; {GOOD_SHARED} would be safe"
    return f"{judged}, {names[weakest.a]} – {names[weakest.b]}, rests on {instants}{more}."


def _residuals(calibration: Calibration, every: list[CameraViews], fps: float | None) -> dict[str, Any]:
    """Return what the fit leaves over."""
    limits, magnification = figures.error_limits(every), figures.arrow_magnification(every)
    frames, top = figures.time_limits(every)
    cards = []
    for views, quality in zip(every, calibration.quality.cameras, strict=True):
        says = f"error {number(quality.rms_px, 2)} px"
        if np.isfinite(quality.systematic_px):
            says += f", of which {max(quality.systematic_px, 0.0):.2f} px are the same again and again"
        n_all = len(views.dropped) + len(views.frames)
        cards.append(
            {
                "name": views.name,
                "says": says if len(views.frames) else "no view took part",
                "map": Markup(figures.residual_map(views, limits, magnification)),
                "histogram": Markup(figures.residual_histogram(views)),
                "time": Markup(figures.error_over_time(views, frames, top, fps)),
                "dropped": f"{len(views.dropped)} of {n_all} views left out" if views.dropped else "no view left out",
            }
        )
    return {"residuals": cards, "magnification": f"{magnification:g}"}


def _space(calibration: Calibration, grades: dict[str, str]) -> dict[str, Any]:
    """Return cameras, boards and the expected error in space."""
    data, volume = scene(calibration, grades), calibration.volume
    _, axes = levelled(calibration)
    first = calibration.rig.names[0]
    maps = (
        ("Expected error from the calibration", volume.calibration_mm),
        ("Expected error of a single point, from the noise of one corner", volume.noise_mm),
    )
    return {
        "scene": data,
        "scene_picture": Markup(scene_picture(data)),
        "top": Markup(top_view(calibration, grades)),
        "axes_say": "x, y and z are the world's axes, z up"
        if axes[2] == "z"
        else f"no world was set: right, away and up as {first} sees them, levelled",
        "maps": [
            (words, [(caption, Markup(picture)) for caption, picture in error_maps(calibration, values, words)])
            for words, values in maps
            if len(volume.xyz) > 1
        ],
        "three_cameras": f"{(volume.n_cameras >= 3).mean():.0%}" if len(volume.xyz) else "0%",
    }


def _edges(calibration: Calibration) -> dict[str, Any]:
    """Return how the cameras measure the board's own edges."""
    lengths, edges, square = edge_lengths(calibration), calibration.quality.edges, calibration.board.square_mm
    if not len(lengths):
        return {"edges": "", "edges_say": "No edge of the board was seen by two cameras."}
    way = "long" if edges.bias_mm > 0 else "short"
    says = (
        f"Edges of {square:g} mm come out {number(abs(edges.bias_mm), 2)} mm too {way} on average "
        f"({edges.scale_percent:+.3f} ± {edges.scale_se_percent:.3f} %); a single one is off by "
        f"{number(edges.rms_mm, 2)} mm (root mean square of {edges.n})."
    )
    return {"edges": Markup(figures.edge_histogram(lengths, square)), "edges_say": says}
