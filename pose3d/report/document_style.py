"""How pictures of a document look, and the one place where matplotlib is set up for them."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .document import WIDTH_MM, Picture

__all__ = ["INK", "LINE", "MM_PER_INCH", "SOFT", "drawing_style", "picture_svg"]

MM_PER_INCH = 25.4
INK, SOFT, LINE = "#1f2937", "#565f6e", "#d9dee5"

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 7.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#6b7280",
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": "#e5e8ed",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
    "xtick.labelcolor": "#4b5563",
    "ytick.labelcolor": "#4b5563",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "legend.fontsize": 6.8,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "text.usetex": False,
    "text.parse_math": False,  # a name may hold dollar signs
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
}
_GROUP_ID = re.compile(r'<g id="[^"]*"')
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_OWN_STYLE = re.compile(r"\s*<style type=\"text/css\">.*?</style>", re.DOTALL)
_NOT_TURNED = re.compile(r' transform="rotate\(-?0 [^"]*"')
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")


@contextmanager
def drawing_style(settings: Any = MappingProxyType({})) -> Iterator[None]:
    """Draw in the look of reports, whatever the user's own settings of matplotlib are; they come back at the end."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for a sign it does not have
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        mpl.rcParams.update(settings)
        yield


def picture_svg(picture: Picture, prefix: str) -> str:
    """Draw a picture as SVG that may stand in a page.

    Its words are text in the page's own font: they can be searched, read aloud and copied, and the file stays small.
    Room was measured with a wider font, so that nothing runs into anything.

    Parameters
    ----------
    picture : Picture
    prefix : str
        Another one for each picture of a page, as their inner names must differ.

    Returns
    -------
    str
        The same for the same picture.
    """
    width, height = WIDTH_MM * picture.width / MM_PER_INCH, picture.height_mm / MM_PER_INCH
    with drawing_style({"svg.hashsalt": prefix}):
        figure = Figure(figsize=(width, height))
        figure.patch.set_visible(False)
        picture.draw(figure)
        out = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(out, format="svg", metadata=nothing)
    return _bare(out.getvalue(), picture, prefix)


def _shorter(tag: re.Match[str]) -> str:
    """Leave away what is less than a hundredth of a point; of an image it would be a part of its scale."""
    return tag[0] if tag[0].startswith("<image") else _LONG_NUMBER.sub(r"\1", tag[0])


def _bare(svg: str, picture: Picture, prefix: str) -> str:
    """Leave away what only a file of its own needs, and what would reach beyond the picture."""
    svg = _METADATA.sub("", svg[svg.index("<svg") :])
    svg = _OWN_STYLE.sub("", svg)  # would style the whole page
    svg = _TAG.sub(_shorter, svg)
    svg = _NOT_TURNED.sub("", _GROUP_ID.sub("<g", svg)).replace("font-family: 'DejaVu Sans'; ", "")
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    opening = f'<svg class="plot" {box[0]} role="img" aria-label="{escape(picture.alt)}" id="{prefix}">'
    svg = opening + svg[svg.index(">") + 1 :]
    return re.sub(r"\n\s*", "\n", svg).strip()
