"""The footfall diagram: a bar for each stance of each foot, after Hildebrand."""

from pathlib import Path

from matplotlib.figure import Figure

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.io.files import atomic_path

__all__ = ["draw_footfalls", "write_footfall_figure"]

# Okabe and Ito's, which people with every kind of colour vision tell apart: sides as in the gait report.
_COLOURS = {"L": ("#d55e00", "#e69f00"), "R": ("#0072b2", "#56b4e9"), "": ("#009e73", "#cc79a7")}
_ENDINGS = (".svg", ".png", ".pdf")


def draw_footfalls(figure: Figure, events: LimbEvents, limbs: tuple[str, ...]) -> None:
    """Draw into an empty figure: time from left to right, a row for each limb, the first on top."""
    axes = figure.add_subplot()
    sides = [limb[:1].upper() if limb[:1].upper() in _COLOURS else "" for limb in limbs]
    for row, limb in enumerate(limbs):
        strikes, offs = events.times(limb, STRIKE), events.times(limb, OFF)
        following = offs.searchsorted(strikes, side="right")
        bars = [
            (float(start), float(offs[i] - start))
            for start, i in zip(strikes, following, strict=True)
            if i < len(offs) and not ((strikes > start) & (strikes < offs[i])).any()
        ]
        axes.broken_barh(bars, (row - 0.36, 0.72), facecolors=_COLOURS[sides[row]][sides[:row].count(sides[row]) % 2])
    axes.set_yticks(range(len(limbs)), limbs)
    axes.set_ylim(len(limbs) - 0.4, -0.6)
    axes.set_xlabel("time, s; a bar where the foot stands")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)


def write_footfall_figure(events: LimbEvents, limbs: tuple[str, ...], path: str | Path) -> None:
    """Write the diagram as .svg, .png or .pdf.

    Raises
    ------
    DataError
        If `path` ends otherwise.
    """
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        raise DataError(f"{path}: a diagram is written as {', '.join(_ENDINGS)}")
    figure = Figure(figsize=(9, 0.8 + 0.36 * len(limbs)), layout="constrained")
    draw_footfalls(figure, events, limbs)
    with atomic_path(path) as target:
        figure.savefig(target, format=path.suffix[1:].lower(), dpi=200)
