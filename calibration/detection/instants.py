"""Which frames of several recordings show the same instant, and which of these instants are looked at."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.io.images import FrameSource, ImageFolder
from pose3d.log import logger

from ..findings import Finding

__all__ = ["Instants", "first_look", "line_up", "match_instants", "second_look", "source_findings"]

_RATES_DIFFER = 0.01
_ALONE = 0.25  # what a view that no other camera shares is worth, against a shared one


class Instants(NamedTuple):
    """Instants of several recordings.

    Attributes
    ----------
    numbers : (n,) int array
        Ascending. Where frames are matched by number, the frame number without offset.
    frames : (n, n_cameras) int array
        Frame of each camera's own file; -1 where it has none.
    """

    numbers: IntArray
    frames: IntArray

    def own_frames(self, cameras: Sequence[str]) -> dict[str, IntArray]:
        """Return for each camera its file's frame by the number of the instant, as detections keep it."""
        out = np.full((int(self.numbers[-1]) + 1 if len(self.numbers) else 0, len(cameras)), -1, dtype=np.int64)
        out[self.numbers] = self.frames
        return {name: out[:, i] for i, name in enumerate(cameras)}


def match_instants(times: Mapping[str, FloatArray], *, tolerance_s: float | None = None) -> IntArray:
    """Match frames of several cameras by when they were taken.

    Two frames show one instant if each is the other's nearest. Cameras may start and stop when they like, lose frames,
    and run at different rates; each frame is used once at most.

    Parameters
    ----------
    times : mapping of str to (n_frames,) array, s
        Ascending, on one clock; NaN for a frame whose time is not known: it is not matched.
    tolerance_s : float, optional
        Frames further apart are no match; by default half the camera's own median interval.

    Returns
    -------
    (n_instants, n_cameras) int array
        Frame of each camera, in the order of `times`, instants in the order of time; -1 where a camera has none.

    Examples
    --------
    >>> match_instants({"a": np.array([0.0, 0.1, 0.2]), "b": np.array([0.11, 0.19, 0.31])}).tolist()
    [[0, -1], [1, 0], [2, 1], [-1, 2]]
    """
    known = [np.flatnonzero(np.isfinite(some)) for some in times.values()]
    stamps = [np.asarray(some)[at] for some, at in zip(times.values(), known, strict=True)]
    interval = [float(np.median(np.diff(some))) if len(some) > 1 else 0.0 for some in stamps]
    together = np.zeros(0)  # mean time of each instant
    table = np.full((0, len(stamps)), -1, dtype=np.int64)
    # The slowest first: frames of a fast camera fit to its instants, and the rest become instants of their own.
    for camera in sorted(range(len(stamps)), key=lambda i: (-interval[i], i)):
        mine, frames = stamps[camera], known[camera]
        tolerance = interval[camera] / 2 if tolerance_s is None else tolerance_s
        fresh = np.ones(len(mine), dtype=bool)
        if len(together) and len(mine):
            partner = _nearest(mine, together)
            mutual = _nearest(together, mine)[partner] == np.arange(len(mine))
            mutual &= np.abs(together[partner] - mine) <= tolerance * (1 + 1e-9)
            row = partner[mutual]
            members = (table[row] >= 0).sum(1)
            together[row] += (mine[mutual] - together[row]) / (members + 1)
            table[row, camera] = frames[mutual]
            fresh = ~mutual
        new = np.full((int(fresh.sum()), len(stamps)), -1, dtype=np.int64)
        new[:, camera] = frames[fresh]
        together, table = np.concatenate([together, mine[fresh]]), np.concatenate([table, new])
        order = np.argsort(together, kind="stable")
        together, table = together[order], table[order]
    return table


def _nearest(a: FloatArray, b: FloatArray) -> IntArray:
    """Return for each of `a` the index of the nearest of `b`, which ascends."""
    if len(b) == 1:
        return np.zeros(len(a), dtype=np.int64)
    right = np.clip(np.searchsorted(b, a), 1, len(b) - 1)
    return np.asarray(right - (a - b[right - 1] <= b[right] - a))


def line_up(
    sources: Mapping[str, FrameSource],
    *,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    timestamps: Mapping[str, FloatArray] | None = None,
) -> Instants:
    """Tell which frames of the sources belong together.

    By time where there are timestamps; folders of images by the numbers in their files' names; else by frame number.

    Parameters
    ----------
    sources : mapping of str to FrameSource
    offsets : mapping of str to int, optional
        Frame ``i + offset`` of that camera shows instant i.
    truncate : bool
        Use what all cameras have, where their numbers of frames differ; with timestamps, the frames that have one.
    timestamps : mapping of str to (n_frames,) array, s, optional

    Returns
    -------
    Instants

    Raises
    ------
    CalibrationError
        If the sources do not fit one another, the offsets or the timestamps.
    """
    strangers = sorted(set(offsets or {}) - set(sources))
    if strangers:
        raise CalibrationError(f"an offset is given for {', '.join(strangers)}, but there is no such camera")
    if timestamps is not None:
        if any((offsets or {}).values()):
            raise CalibrationError("timestamps and offsets are both given; times say it all, leave the offsets out")
        return _by_time(sources, timestamps, truncate)
    folders = {name: source for name, source in sources.items() if isinstance(source, ImageFolder)}
    if len(folders) == len(sources) > 1 and not offsets:
        named = _by_name(folders)
        if named is not None:
            return named
    return _by_number(sources, dict(offsets or {}), truncate)


def _by_number(sources: Mapping[str, FrameSource], shift: dict[str, int], truncate: bool) -> Instants:
    first = max(0, *(-shift.get(name, 0) for name in sources)) if shift else 0
    counts = {name: source.n_frames - shift.get(name, 0) for name, source in sources.items()}
    last = min(counts.values())
    if last <= first:
        raise CalibrationError("with these offsets the clips have no instant in common")
    one_length = len({source.n_frames for source in sources.values()}) == 1  # such that start apart end apart as well
    if len(set(counts.values())) > 1 and not one_length and not truncate:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise CalibrationError(
            f"the clips differ in their number of frames ({told}); cut them, give offsets or timestamps, or use "
            "--truncate if they start together"
        )
    numbers = np.arange(first, last)
    return Instants(numbers, numbers[:, None] + np.array([shift.get(name, 0) for name in sources]))


def _by_time(sources: Mapping[str, FrameSource], timestamps: Mapping[str, FloatArray], truncate: bool) -> Instants:
    missing = [name for name in sources if name not in timestamps]
    if missing:
        raise CalibrationError(f"there are no timestamps for {', '.join(missing)}; add them, or leave the camera out")
    times = {}
    for name, source in sources.items():
        given = np.asarray(timestamps[name], dtype=np.float64)
        if len(given) != source.n_frames and not truncate:
            raise CalibrationError(
                f"camera {name}: {len(given)} timestamps for a clip of {source.n_frames} frames; give the clip's own, "
                "or use --truncate if both start at the same frame"
            )
        times[name] = given[: source.n_frames]
    frames = match_instants(times)
    several = (frames >= 0).sum(1) >= min(2, len(sources))
    if not several.any():
        span = ", ".join(f"{name} {np.nanmin(some):g} to {np.nanmax(some):g} s" for name, some in times.items())
        raise CalibrationError(f"no two cameras have a frame at the same time ({span}); do they use one clock?")
    together = np.stack([some[frames[:, i]] for i, some in enumerate(times.values())], axis=1)
    together = np.where(frames >= 0, together, np.nan)[several]
    spread = np.nanmax(together, axis=1) - np.nanmin(together, axis=1)
    logger.info(
        "%d instants by time, %d of them in all cameras; frames of one lie %.3g ms apart (median), %.3g ms at most",
        several.sum(),
        (frames >= 0).all(1).sum(),
        1e3 * float(np.median(spread)),
        1e3 * float(spread.max()),
    )
    return Instants(np.flatnonzero(several), frames[several])


def _by_name(folders: Mapping[str, ImageFolder]) -> Instants | None:
    """Match images by the numbers in their names; None if the names tell nothing that their order does not."""
    keys = [_image_keys(folder) for folder in folders.values()]
    if any(len(set(some)) < len(some) for some in keys):
        return None
    common = set.intersection(*map(set, keys))
    every = sorted(set().union(*keys))
    if len(common) == len(every) or sum(len(some) for some in keys) == len(every):
        return None  # the same images in all folders, or names that have nothing to do with each other
    row = {key: i for i, key in enumerate(every)}
    frames = np.full((len(every), len(folders)), -1, dtype=np.int64)
    for i, some in enumerate(keys):
        frames[[row[key] for key in some], i] = np.arange(len(some))
    logger.warning(
        "images are matched by the numbers in their names: %d instants, %d of them in all cameras",
        len(every),
        len(common),
    )
    return Instants(np.arange(len(every)), frames)


def _image_keys(folder: ImageFolder) -> list[tuple[tuple[int, str], ...]]:
    """Return what tells a folder's images apart: the numbers in their names that are not the same in all of them."""
    parts = [re.split(r"([0-9]{1,18})", file.stem.casefold()) for file in folder.files]
    if len({len(some) for some in parts}) == 1 and len({tuple(some[::2]) for some in parts}) == 1:
        varying = [i for i in range(1, len(parts[0]), 2) if len({some[i] for some in parts}) > 1]
        if not varying and len(parts[0]) > 1:
            varying = [len(parts[0]) - 2]  # a single image: its last number
        if varying:
            return [tuple((int(some[i]), "") for i in varying) for some in parts]
    return [((0, file.stem.casefold()),) for file in folder.files]


def _kinds_of_image(folder: ImageFolder) -> tuple[str, ...]:
    """Return the words before the numbers of a folder's images, if the same numbers come after each of several."""
    numbers: dict[str, set[str]] = {}
    for file in folder.files:
        match = re.fullmatch(r"(.*?)([0-9]{1,18})", file.stem)
        if match is None:
            return ()
        numbers.setdefault(match.group(1), set()).add(match.group(2))
    sets = list(numbers.values())
    return tuple(numbers) if len(sets) > 1 and len(sets[0]) > 2 and all(some == sets[0] for some in sets) else ()


def source_findings(sources: Mapping[str, FrameSource], *, timed: bool = False) -> tuple[Finding, ...]:
    """Say what speaks against matching the sources' frames by their number.

    Parameters
    ----------
    sources : mapping of str to FrameSource
    timed : bool
        They are matched by time, so rates do not matter.

    Returns
    -------
    tuple of Finding
        Of kind ``rates_differ``, ``uneven_rate`` and ``mixed_images``.
    """
    out = []
    if len(sources) == 1:
        (name, source), *_ = sources.items()
        kinds = _kinds_of_image(source) if isinstance(source, ImageFolder) else ()
        if kinds:
            says = f"the folder of camera {name} holds images named {' and '.join(kinds)}, perhaps of several cameras"
            fix = "put each camera's images into a folder of its own"
            out.append(Finding("mixed_images", "WARN", (name,), says, fix))
        return tuple(out)
    if timed:
        return ()
    fps = {name: source.fps for name, source in sources.items() if source.fps}
    usual = float(np.median(list(fps.values()))) if fps else 0.0
    odd = tuple(name for name, rate in fps.items() if abs(rate / usual - 1) > _RATES_DIFFER)
    if odd:
        told = ", ".join(f"{name} {rate:.4g} fps" for name, rate in fps.items())
        says = f"the clips differ in their frame rate ({told}), so frames of one number may not be of one instant"
        out.append(Finding("rates_differ", "WARN", odd, says, "give the times of the frames with --timestamps"))
    uneven = tuple(name for name, source in sources.items() if source.variable_rate)
    if uneven:
        names = ", ".join(uneven)
        says = f"the frames of {names} are not evenly spaced in time, so their numbers may not be those of the others"
        fix = "give the times of the frames with --timestamps, or record at a constant rate"
        out.append(Finding("uneven_rate", "WARN", uneven, says, fix))
    return tuple(out)


def first_look(n: int, budget: int) -> IntArray:
    """Return which of `n` instants to look at first: all, if the budget allows, else evenly, with a third of it."""
    if n <= budget:
        return np.arange(n)
    stride = -(-n // max(budget // 3, 1))
    return np.arange(0, n, stride)


def second_look(n: int, looked: IntArray, seen: BoolArray, *, budget: int) -> IntArray:
    """Return which instants to look at next: near those at which cameras saw the board together.

    Each pair of cameras gets about the same share, so pairs with few shared views get more near them.

    Parameters
    ----------
    n : int
        Instants there are.
    looked : (n_looked,) int array
        Ascending; what was looked at.
    seen : (n_looked, n_cameras) bool array
        Which cameras saw the board then.
    budget : int
        How many more to look at.

    Returns
    -------
    (at most budget,) int array
        Ascending, none of `looked`.
    """
    views = seen.astype(np.float64)
    shared = views.T @ views
    by_pair = 1 / (1 + shared)
    alone = np.diag(by_pair).copy()
    np.fill_diagonal(by_pair, 0.0)
    worth = 0.5 * np.einsum("fa,ab,fb->f", views, by_pair, views) + _ALONE * views @ alone
    # The gap after each instant looked at is worth what is seen at its ends; one before the first is never there.
    room = np.diff(np.append(looked, n)) - 1
    value = worth + np.append(worth[1:], worth[-1:])
    value = value + max(1e-3 * float(value.mean()), 1e-12)  # a gap with nothing at its ends is the last to be filled
    share = _shared_out(value, room, min(budget, int(room.sum())))
    gap = np.repeat(np.arange(len(looked)), share)
    nth = np.arange(len(gap)) - np.repeat(np.cumsum(share) - share, share)
    return np.asarray(looked[gap] + 1 + ((2 * nth + 1) * room[gap]) // (2 * share[gap]))


def _shared_out(value: FloatArray, room: IntArray, total: int) -> IntArray:
    """Share out `total` in proportion to `value`, to none more than it has room for."""
    # The level at which what is given adds up; given(level) is piecewise linear between the levels that fill a gap.
    full_at = room / value
    order = np.argsort(full_at, kind="stable")
    filled = np.concatenate([[0], np.cumsum(room[order])])[:-1]
    left = np.cumsum(value[order][::-1])[::-1]
    given = filled + full_at[order] * left
    at = min(int(np.searchsorted(given, total)), len(order) - 1)
    level = (total - filled[at]) / left[at]
    exact = np.minimum(room, value * level)
    share = np.floor(exact + 1e-9).astype(np.int64)
    rest = total - int(share.sum())
    share[np.argsort(share - exact, kind="stable")[: max(rest, 0)]] += 1
    return np.asarray(np.minimum(share, room))
