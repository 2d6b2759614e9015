"""The player as one file: for notebooks whose browser cannot reach a server of theirs, and to send to somebody.

It holds the numbers of the recording, no videos, and fetches nothing.
"""

import base64
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pose3d.io.files import write_text
from pose3d.viewer.playback import Playback
from pose3d.viewer.web.packing import CHUNK_ROWS, PackedPlayback, SecondRecording
from pose3d.viewer.web.server import static_files

__all__ = ["make_document", "write_document"]

_MODULES = (  # each before who uses it
    *("data", "clock", "view", "surroundings", "body", "annotations", "stage", "clips", "panes", "strip", "plots"),
    *("corrections", "actions", "controls", "hands", "main"),
)
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_MOST_BYTES = 24e6  # of numbers: a third more as text
_OF_POINTS = ("xyz", "error", "n_cameras", "score", "status")
_OF_ANGLES = ("deg", "sd_deg", "low_deg", "high_deg")
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=class|function|const)", re.MULTILINE)


def make_document(playback: Playback, *, second: SecondRecording | None = None, most_bytes: float = _MOST_BYTES) -> str:
    """Make one HTML document of a recording.

    Parameters
    ----------
    playback : Playback
        Of long recordings, first what is shown of the videos is left out, and then the last frames; a note says so.
    second : SecondRecording, optional
        Another recording in the same space.
    most_bytes : float
        Of numbers.

    Returns
    -------
    str
    """
    packed = _fitting(playback, second, most_bytes)
    blocks = {"data/overview": packed.overview(), "data/strip": packed.strip(), "data/plots": packed.plots()}
    blocks |= {f"data/chunk/{i}": packed.chunk(i) for i in range(packed.n_chunks)}
    embedded = {
        "recording": packed.description,
        "blocks": {name: base64.b64encode(block).decode("ascii") for name, block in blocks.items()},
    }
    page = _text("index.html")
    head, body = page[page.index("<title>") : page.index("</head>")], page[page.index("<body>") : page.index("</body>")]
    title = f"<title>{html.escape(playback.name)} · pose3d</title>"
    head = re.sub(r"<(link|script)[^>]*>(</script>)?\n?", "", re.sub("<title>.*</title>", lambda _: title, head))
    icon = base64.b64encode(static_files()["icon.svg"][0]).decode("ascii")
    # Of a script only "</" and "<!--" could be read as something else; in JSON each "<" may be written as a number.
    numbers = json.dumps(embedded, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n{head}'
        f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">\n<style>\n{_text("style.css")}</style>\n</head>\n'
        f'{body}<script id="embedded" type="application/json">{numbers}</script>\n'
        f'<script type="module">\n{_script()}</script>\n</body>\n</html>\n'
    )


def write_document(playback: Playback, path: str | Path, *, second: SecondRecording | None = None) -> None:
    """Write :func:`make_document` to a file."""
    write_text(Path(path), make_document(playback, second=second))


def _fitting(playback: Playback, second: SecondRecording | None, most_bytes: float) -> PackedPlayback:
    if playback.videos:
        playback = replace(playback, videos={}, remarks=(*playback.remarks, "videos are no part of this document"))
    packed = PackedPlayback(playback, second)
    if 4 * packed.row_floats * playback.n_frames <= most_bytes:
        return packed
    remark = "what was detected in the videos is left out, to keep this document small"
    small = replace(playback, views=None, raw=None, rig=None, remarks=(*playback.remarks, remark))
    packed = PackedPlayback(small, second)
    rows = int(most_bytes / 4 / packed.row_floats) // CHUNK_ROWS * CHUNK_ROWS
    if rows >= playback.n_frames:
        return packed
    rows = max(rows, CHUNK_ROWS)
    remark = f"only the first {rows} of {playback.n_frames} frames: `pose3d play --web` shows all"
    return PackedPlayback(_first_rows(replace(small, remarks=(*small.remarks, remark)), rows), second)


def _first_rows(playback: Playback, n: int) -> Playback:
    points, angles = playback.points, playback.angles
    fields: dict[str, Any] = {name: getattr(points, name)[:n] for name in _OF_POINTS}
    if points.covariance is not None:
        fields["covariance"] = points.covariance[:n]
    if angles is not None:
        values = {name: getattr(angles, name) for name in _OF_ANGLES}
        cut: dict[str, Any] = {name: None if value is None else value[:n] for name, value in values.items()}
        angles = replace(angles, **cut)
    return replace(playback, points=replace(points, **fields), angles=angles, samples=None)


def _script() -> str:
    """Join the page's modules: their imports are of one another."""
    parts = (_text(f"{name}.js") for name in _MODULES)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)


def _text(name: str) -> str:
    return static_files()[name][0].decode("utf-8")
