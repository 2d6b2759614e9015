"""A person's corrections of points that are there: those that no triangulation can put in, or none has yet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.edited import (
    bad_points,
    edit_events,
    edit_points,
    exchange_partners,
    known_pairs,
    swapped_sides,
    unknown_names,
)
from pose3d.data.edits import BadStretch, Edits
from pose3d.data.events import LimbEvents
from pose3d.data.samples import PosteriorSamples
from pose3d.geometry.arrays import FloatArray
from pose3d.project.edits import PointEdits
from pose3d.reconstruction.association.swap_names import guess_pairs

__all__ = ["CorrectedPoints", "correct_angles", "correct_events", "correct_points", "side_pairs"]

_STORED_ANGLES = "Angles that came with the file stay as they are where single keypoints were corrected"


class CorrectedPoints(NamedTuple):
    """Points as a person corrected them.

    Attributes
    ----------
    points : Keypoints3D
    samples : PosteriorSamples or None
    remarks : tuple of str
        What was corrected and what could not be, for people.
    """

    points: Keypoints3D
    samples: PosteriorSamples | None
    remarks: tuple[str, ...]


def correct_points(points: Keypoints3D, found: PointEdits, samples: PosteriorSamples | None = None) -> CorrectedPoints:
    """Apply what the points do not hold yet; what is given stays as it is.

    Parameters
    ----------
    points : Keypoints3D
    found : PointEdits
        Of the points' file.
    samples : PosteriorSamples, optional
        Of the same points; copied into memory if anything of them changes.
    """
    remarks = list(found.remarks)
    if found.edits:
        remarks.insert(0, f"Corrected by a person: {found.edits.summary()}")
    due, pairs = found.due, side_pairs(points.keypoints)
    remarks += unknown_names(due, points.keypoints, individuals=points.individuals)
    if due.swaps and not known_pairs(due, pairs, points.keypoints):
        remarks.append("Left and right are not exchanged: the names of the points tell no pairs; name them (pairs)")
    if due and samples is not None:
        samples = _correct_samples(samples, due, pairs)
    # What is bad stays missing, also where a filter has filled it since.
    bad = Edits(tuple(part for part in found.edits.stretches if part.camera is None))
    points = edit_points(edit_points(points, due, pairs), bad)
    return CorrectedPoints(points, samples, tuple(remarks))


def correct_events(events: LimbEvents, edits: Edits) -> tuple[LimbEvents, tuple[str, ...]]:
    """Move, delete and add events; return also what could not be done, for people."""
    if not edits.events:
        return events, ()
    done = edit_events(events, edits)
    return done.events, done.notes


def correct_angles(
    angles: Mapping[str, FloatArray], due: Edits, *, start: int
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Correct angles that came with points: missing in stretches that are bad as a whole, sides exchanged.

    Parameters
    ----------
    angles : mapping of str to (n_frames,) array, degrees
        ``_l`` and ``_r`` at the end tell the side.
    due : Edits
    start : int
        Index of the first frame in the recording.

    Returns
    -------
    angles : dict
    remarks : tuple of str
    """
    whole = Edits(
        tuple(
            replace(part, individual=None)
            for part in due.parts
            if not (part.keypoints if isinstance(part, BadStretch) else part.pairs)
        )
    )
    remarks = (_STORED_ANGLES,) if len(whole) < len(due) else ()
    if not whole or not angles:
        return dict(angles), remarks
    names = tuple(angles)
    values = np.stack([angles[name] for name in names], axis=1)
    pairs = [(name, f"{name[:-1]}r") for name in names if name.endswith("_l") and f"{name[:-1]}r" in names]
    swapped = swapped_sides(whole.swaps, start, len(values), ("",), ("",), pairs)[:, 0, 0]
    exchange_partners(values, swapped, names, pairs)
    values[bad_points(whole, start, len(values), ("",), names)[:, 0]] = np.nan
    return {name: values[:, i] for i, name in enumerate(names)}, remarks


def side_pairs(keypoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return left and right partners by their names, those of markers too (LKNE, RKNE).

    Examples
    --------
    >>> side_pairs(["LKNE", "RKNE", "C7", "hip_l", "hip_r"])
    (('hip_l', 'hip_r'), ('LKNE', 'RKNE'))
    """
    pairs = guess_pairs(keypoints)
    there = {*keypoints} - {name for pair in pairs for name in pair}
    more = tuple((name, f"R{name[1:]}") for name in keypoints if name[:1] == "L" and {name, f"R{name[1:]}"} <= there)
    return (*pairs, *more)


def _correct_samples(samples: PosteriorSamples, due: Edits, pairs: Sequence[tuple[str, str]]) -> PosteriorSamples:
    axes = due, samples.start, samples.n_frames
    if not due.touches(samples.start, samples.n_frames):
        return samples
    xyz = np.array(samples.xyz)
    known = known_pairs(due, pairs, samples.keypoints)
    whole = [swap for swap in due.swaps if swap.camera is None]
    swapped = swapped_sides(whole, samples.start, samples.n_frames, ("",), samples.individuals, known)
    every = np.broadcast_to(swapped, (samples.n_frames, samples.n_samples, *swapped.shape[2:]))
    exchange_partners(xyz, every, samples.keypoints, known)
    bad = bad_points(*axes, samples.individuals, samples.keypoints)
    xyz[np.broadcast_to(bad[:, None], xyz.shape[:-1])] = np.nan
    return replace(samples, xyz=xyz)
