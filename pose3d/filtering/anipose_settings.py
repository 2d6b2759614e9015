"""anipose's two filters under its own parameter names, and its configuration read as settings for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from pose3d.data.candidates import Candidates2D
from pose3d.data.keypoints import Keypoints2D, Keypoints3D, Status
from pose3d.errors import ConfigError
from pose3d.filtering.filters import Filters, FilterSummary, filter_2d, filter_3d, margin_frames
from pose3d.filtering.median import local_median
from pose3d.filtering.viterbi import VITERBI_MARGIN_FRAMES, viterbi_filter
from pose3d.log import Progress, no_progress

__all__ = ["AniposeFilter", "AniposeFilter3D", "filter_settings"]


@dataclass(frozen=True)
class AniposeFilter:
    """``[filter]`` of an anipose configuration.

    Attributes
    ----------
    type : tuple of {"medfilt", "viterbi"}
        In order.
    medfilt : int, frames
        Window of the median, odd.
    offset_threshold : float, px
        "medfilt": a point this far from the median (in x and y added up) is taken away. "viterbi": standard deviation
        of the distance between frames.
    score_threshold : float
        Detections with lower scores are taken away.
    spline : bool
        Whether gaps are filled by cubics; otherwise by lines.
    n_back : int, frames
        "viterbi": frames back to which a peak is linked.
    max_gap : int, frames
        Longest gap that is filled. anipose has no limit, fills before the first and after the last detection too, and
        says nothing; here the limit is the median's window unless another is given.
    """

    type: tuple[Literal["medfilt", "viterbi"], ...] = ("medfilt",)
    medfilt: int = 13
    offset_threshold: float = 25.0
    score_threshold: float = 0.05
    spline: bool = True
    n_back: int = 5
    max_gap: int = 13

    @property
    def margin_frames(self) -> int:
        """Frames that a part of a recording needs before and after it to be filtered as within the whole."""
        margin = margin_frames(self._fill) + ("medfilt" in self.type) * (self.medfilt // 2)
        return margin + ("viterbi" in self.type) * VITERBI_MARGIN_FRAMES

    @property
    def _fill(self) -> Filters:
        return Filters(max_gap=self.max_gap, interpolation="cubic" if self.spline else "linear")

    def apply(
        self, keypoints: Keypoints2D | Candidates2D, *, progress: Progress = no_progress
    ) -> tuple[Keypoints2D, FilterSummary]:
        """Filter keypoints in images.

        Parameters
        ----------
        keypoints : Keypoints2D or Candidates2D
            Of candidates the "viterbi" filter chooses one; without it, the one with the highest score is taken.
        progress : Progress

        Returns
        -------
        filtered : Keypoints2D
            Filled points have the score 0.
        summary : FilterSummary
        """
        if "viterbi" in self.type:
            several = keypoints if isinstance(keypoints, Candidates2D) else _only_candidates(keypoints)
            chosen = viterbi_filter(
                several,
                n_back=self.n_back,
                offset_threshold=self.offset_threshold,
                score_threshold=self.score_threshold,
                progress=progress,
            )
            start = several.best()
        else:
            chosen = start = keypoints.best() if isinstance(keypoints, Candidates2D) else keypoints
        before = np.isfinite(start.xy[..., 0])
        if "medfilt" in self.type:
            with np.errstate(invalid="ignore"):
                low = chosen.score < self.score_threshold
                scored = np.where(low[..., None], np.nan, chosen.xy)
                jump = np.abs(scored - local_median(scored, self.medfilt)).sum(-1) >= self.offset_threshold
            chosen = replace(chosen, xy=np.where((low | jump)[..., None], np.nan, chosen.xy))
        kept = np.isfinite(chosen.xy[..., 0])
        filled, summary = filter_2d(chosen, self._fill)
        return filled, replace(
            summary,
            filters=(*self.type, *summary.filters),
            n_before=int(np.count_nonzero(before)),
            n_removed=int(np.count_nonzero(before & ~kept)),
        )


def _only_candidates(keypoints: Keypoints2D) -> Candidates2D:
    return Candidates2D(
        keypoints.xy[..., None, :],
        keypoints.score[..., None],
        keypoints.cameras,
        keypoints.individuals,
        keypoints.keypoints,
        keypoints.fps,
        keypoints.start,
    )


@dataclass(frozen=True)
class AniposeFilter3D:
    """``[filter3d]`` of an anipose configuration.

    Attributes
    ----------
    medfilt : int, frames
        Window of the median, odd.
    offset_threshold : float, px
        Points whose reprojection error is larger, or unknown, are taken away and filled by lines.
    max_gap : int, frames
        Longest gap that is filled. anipose has no limit; here it is the median's window unless another is given.
    """

    medfilt: int = 17
    offset_threshold: float = 15.0
    max_gap: int = 17

    @property
    def margin_frames(self) -> int:
        """Frames that a part of a recording needs before and after it to be filtered as within the whole."""
        return margin_frames(self._rest)

    @property
    def _rest(self) -> Filters:
        return Filters(max_gap=self.max_gap, interpolation="linear", median=self.medfilt)

    def apply(self, points: Keypoints3D) -> tuple[Keypoints3D, FilterSummary]:
        """Filter keypoints in space.

        Parameters
        ----------
        points : Keypoints3D

        Returns
        -------
        filtered : Keypoints3D
            Filled points are marked; there is no covariance. anipose writes an error of 10 for every point; here the
            errors stay, and are NaN for filled points.
        summary : FilterSummary
        """
        before = np.isfinite(points.xyz[..., 0])
        with np.errstate(invalid="ignore"):
            keep = before & (points.error <= self.offset_threshold)
        known = replace(
            points,
            xyz=np.where(keep[..., None], points.xyz, np.nan),
            status=np.where(keep, points.status, Status.MISSING).astype(np.uint8),
        )
        filtered, summary = filter_3d(known, self._rest)
        return filtered, replace(
            summary,
            filters=("errors", *summary.filters),
            n_before=int(np.count_nonzero(before)),
            n_removed=int(np.count_nonzero(before & ~keep)),
        )


def filter_settings(config: Mapping[str, Any]) -> tuple[AniposeFilter | None, AniposeFilter3D | None]:
    """Read the filters of an anipose configuration.

    Parameters
    ----------
    config : mapping
        Sections of keys; ``[filter]`` and ``[filter3d]`` are read. ``multiprocessing`` and ``n_proc`` mean nothing
        here. ``max_gap`` (frames) may be given in addition.

    Returns
    -------
    filter : AniposeFilter, optional
        None unless ``enabled``.
    filter3d : AniposeFilter3D, optional
        None unless ``enabled``.

    Raises
    ------
    ConfigError
        If a key is unknown or out of range, or a type of filter does not exist here (``autoencoder``).

    Examples
    --------
    >>> filter_settings({"filter": {"enabled": True, "type": "viterbi", "n_back": 3}})[0].n_back
    3
    """
    return _read_2d(_section(config, "filter")), _read_3d(_section(config, "filter3d"))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    section = config.get(name)
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise ConfigError(f"{name}: a section of settings is needed, such as [{name}] enabled = true")
    enabled = section.get("enabled", False)
    if not isinstance(enabled, bool):
        raise ConfigError(f"{name}.enabled = {enabled!r}: must be true or false")
    return section if enabled else None


def _read_2d(section: Mapping[str, Any] | None) -> AniposeFilter | None:
    if section is None:
        return None
    default = AniposeFilter()
    kinds = section.get("type", "medfilt")
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list | tuple) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise ConfigError(f'filter.type = {kinds!r}: must be "medfilt", "viterbi" or a list of them')
    for kind in kinds:
        if kind not in ("medfilt", "viterbi"):
            raise ConfigError(f'filter.type = "{kind}": there is no such filter here; take medfilt or viterbi')
    ignored = {"multiprocessing", "n_proc", "autoencoder_path", "autoencoder_points_path"}
    _refuse_others(
        "filter",
        section,
        {"medfilt", "offset_threshold", "score_threshold", "spline", "n_back", "max_gap", "type", "enabled"} | ignored,
    )
    spline = section.get("spline", default.spline)
    if not isinstance(spline, bool):
        raise ConfigError(f"filter.spline = {spline!r}: must be true or false")
    medfilt = _window("filter", section, default.medfilt)
    return AniposeFilter(
        type=tuple(kinds),
        medfilt=medfilt,
        offset_threshold=_number("filter", section, "offset_threshold", default.offset_threshold),
        score_threshold=_number("filter", section, "score_threshold", default.score_threshold, least=0, most=1),
        spline=spline,
        n_back=_whole("filter", section, "n_back", default.n_back, least=1),
        max_gap=_whole("filter", section, "max_gap", medfilt),
    )


def _read_3d(section: Mapping[str, Any] | None) -> AniposeFilter3D | None:
    if section is None:
        return None
    default = AniposeFilter3D()
    _refuse_others("filter3d", section, {"enabled", "medfilt", "offset_threshold", "max_gap"})
    medfilt = _window("filter3d", section, default.medfilt)
    return AniposeFilter3D(
        medfilt=medfilt,
        offset_threshold=_number("filter3d", section, "offset_threshold", default.offset_threshold),
        max_gap=_whole("filter3d", section, "max_gap", medfilt),
    )


def _refuse_others(name: str, section: Mapping[str, Any], known: set[str]) -> None:
    others = sorted(set(map(str, section)) - known)
    if others:
        raise ConfigError(f"{name}.{others[0]}: there is no such setting; there are {', '.join(sorted(known))}")


def _window(name: str, section: Mapping[str, Any], default: int) -> int:
    window = _whole(name, section, "medfilt", default, least=1)
    if window % 2 == 0:
        raise ConfigError(f"{name}.medfilt = {window}: must be odd, such as {window + 1}")
    return window


def _whole(name: str, section: Mapping[str, Any], key: str, default: int, *, least: int = 0) -> int:
    value = section.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name}.{key} = {value!r}: must be a whole number of at least {least}")
    return value


def _number(
    name: str, section: Mapping[str, Any], key: str, default: float, *, least: float | None = None, most: float = np.inf
) -> float:
    value = section.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{name}.{key} = {value!r}: must be a number")
    if value > most or (value <= 0 if least is None else value < least):
        bounds = "above 0" if least is None else f"from {least:g} to {most:g}"
        raise ConfigError(f"{name}.{key} = {value!r}: must be {bounds}")
    return float(value)
