"""From detections to refined points: what is learnt once from a sample, then run by run of frames.

A recording of any length needs the memory of one run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data import Keypoints2D, Keypoints3D, Rig, Status
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.threads import one_thread
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.association.swaps import index_pairs
from pose3d.reconstruction.corrections import EditedSource
from pose3d.reconstruction.points.inputs import check_scores, check_settings, match_cameras, view_weights
from pose3d.reconstruction.points.scores import learn_score_power
from pose3d.reconstruction.points.views import Lenses
from pose3d.reconstruction.refinement.check import check_spread
from pose3d.reconstruction.refinement.covariance import moving_mean
from pose3d.reconstruction.refinement.covariance_cells import CovarianceCells, choose_cell_mm
from pose3d.reconstruction.refinement.limbs import Limbs
from pose3d.reconstruction.refinement.motion import Motion, learn_motion, learn_views
from pose3d.reconstruction.refinement.rig_uncertainty import rig_samples
from pose3d.reconstruction.refinement.sampling import draw_samples
from pose3d.reconstruction.refinement.settings import RefinementSettings
from pose3d.reconstruction.refinement.sides import KnownSides
from pose3d.reconstruction.refinement.start import Resolution, SidePairs, resolve
from pose3d.reconstruction.refinement.window import Refined, Unrefined, leave_unrefined, refine_resolved
from pose3d.reconstruction.results import Learnt, Run, ViewSettings
from pose3d.reconstruction.source import FrameSource

__all__ = ["Reconstructor"]

_RUN_POINTS = 12_000  # a run's memory is some 40 MB then, whatever the number of frames
_LEAST_RUN = 64
_FORGOTTEN = 14  # reaches of the smoothing after which a frame knows nothing of another
_BLOCK = 100  # frames in a row that the sample takes
_LEAST_SCORE = 1e-3  # a view that passed the threshold counts, even at score 0
_SWAP_MARGIN = 32  # frames around a run that tell left from right
_RIG_STREAM = 1  # of random numbers
_LEAST_SAMPLE, _MOST_SAMPLE, _SAMPLED = 200, 2000, 8  # frames; one of so many


class Reconstructor:
    """Works through a recording run by run.

    Parameters
    ----------
    source : FrameSource
        Of an :class:`~pose3d.reconstruction.corrections.EditedSource`, points that are bad are missing.
    rig : Rig
    settings : RefinementSettings, optional
    views : ViewSettings, optional
    refine : bool
        False stops after the robust triangulation of single frames.

    Raises
    ------
    ConfigError
        If a limb names an unknown keypoint, or a setting is out of range.
    """

    def __init__(
        self,
        source: FrameSource,
        rig: Rig,
        settings: RefinementSettings | None = None,
        *,
        views: ViewSettings | None = None,
        refine: bool = True,
    ) -> None:
        self.refine = refine
        self._source = source
        self._edited = source if isinstance(source, EditedSource) and source.edits else None
        self._rig = rig
        self.settings = settings or RefinementSettings()
        self.views = views or ViewSettings()
        if self.settings.samples and not refine:
            raise ConfigError("samples: they are drawn from the refinement; refine, or ask for none")
        self._limbs, self._weak = _limb_tracks(source, self.settings)
        self._pairs = SidePairs(len(source.individuals), index_pairs(source.keypoints, self.views.pairs))
        self._lenses: Lenses | None = None
        self._cells: CovarianceCells | None = None
        self._whole: tuple[Refined, Keypoints2D] | None = None  # of a recording that is its own sample

    @property
    def _n_tracks(self) -> int:
        return len(self._source.individuals) * len(self._source.keypoints)

    def learn(self, progress: Progress = no_progress) -> Learnt:
        """Look at a sample of the recording: noise, smoothness, limb lengths, and whether the error bars are right.

        Raises
        ------
        DataError
            If detections and calibration do not fit, or nothing can be triangulated.
        """
        with one_thread():
            return self._learn(progress)

    def _learn(self, progress: Progress) -> Learnt:
        source = self._source
        if not source.n_frames:
            raise DataError("detections: there are no frames")
        blocks = _sample_blocks(source.n_frames)
        parts = [source.read(first, last) for first, last in blocks]
        apart = self.settings.max_gap + 1
        sample = _joined_views(parts, apart=apart)
        check_settings(sample, self.views.score_threshold, self.views.min_cameras, self.views.max_error_px)
        self._lenses = Lenses.of(match_cameras(sample, self._rig))
        usable = view_weights(sample, score_threshold=self.views.score_threshold, weighted=False)
        check_scores(sample, usable, self.views.score_threshold)
        power = learn_score_power(self._lenses, sample.xy, usable, sample.score) if self.views.weighted else 0.0
        weights = _weights(sample, self.views, power)
        counted = np.count_nonzero(weights)
        mean = float(weights.sum() / counted) if counted else 1.0
        pixels, weight = _track_first(sample, weights / mean)
        progress("learn", 0, 2)
        noise, resolution = learn_views(
            self._lenses,
            pixels,
            weight,
            pairs=self._pairs,
            known=self._known_sides(blocks, apart=apart),
            max_error_px=self.views.max_error_px,
        )
        progress("learn", 1, 2)
        names = tuple(name for _ in source.individuals for name in source.keypoints)
        if not self.refine:
            motion = Motion(noise, np.full(len(names), np.inf), Limbs.none(), 1)
            typical = resolution.fixes.x + resolution.fixes.middle
        else:
            motion = learn_motion(
                self._lenses, noise, resolution, self.settings, limb_tracks=self._limbs, weak=self._weak
            )
            if len(parts) > 1:
                resolution = resolution.first(_BLOCK)
            refined = refine_resolved(self._lenses, resolution, motion, self.settings)
            motion = replace(motion, spread=motion.persistence * check_spread(refined, motion, self.settings))
            self._whole = (refined, sample) if len(parts) == 1 else None
            typical = refined.x
        progress("learn", 2, 2)
        places = typical[:, ::10].reshape(-1, 3) + self._lenses.origin
        return Learnt(motion, power, mean, source.cameras, names, choose_cell_mm(self._seen_rig(), places))

    def runs(self, learnt: Learnt, *, first: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the runs of frames to work on, from `first` on."""
        step = max(_LEAST_RUN, _RUN_POINTS // max(self._n_tracks, 1), 2 * self._margin(learnt))
        for start in range(first, self._source.n_frames, step):
            yield start, min(start + step, self._source.n_frames)

    def _margin(self, learnt: Learnt) -> int:
        if not self.refine:
            return _SWAP_MARGIN if len(self._pairs.keypoints) else 0
        return max(self.settings.max_gap + 1, _FORGOTTEN * learnt.motion.reach)

    def run(self, first: int, last: int, learnt: Learnt) -> Run:
        """Refine frames `first` to before `last`, with frames before and after them for what they know of these.

        Where a recording is cut into runs makes no difference of weight: a frame farther away than the margin has next
        to no influence.
        """
        with one_thread():
            return self._run(first, last, learnt)

    def _run(self, first: int, last: int, learnt: Learnt) -> Run:
        optics = self._optics
        found: Refined | Unrefined
        if self._whole is not None:
            found, keypoints = self._whole
            low = 0
        else:
            resolution, keypoints, low = self._resolve(first, last, learnt)
            if self.refine:
                found = refine_resolved(optics, resolution, learnt.motion, self.settings)
            else:
                found = leave_unrefined(resolution)
        keep = slice(first - low, last - low)
        run = self._cut(keypoints, found, keep, learnt)
        if self.settings.samples and isinstance(found, Refined):
            drawn = self._samples(found, low, keep, learnt)
            run = replace(run, samples=drawn if self._edited is None else self._edited.erase_samples(drawn, first))
        return run

    @property
    def _optics(self) -> Lenses:
        if self._lenses is None:
            raise ValueError("learn first")
        return self._lenses

    def _resolve(self, first: int, last: int, learnt: Learnt) -> tuple[Resolution, Keypoints2D, int]:
        """Triangulate a run and its margins frame by frame; return also its views and the first frame."""
        margin = self._margin(learnt)
        low, high = max(first - margin, 0), min(last + margin, self._source.n_frames)
        keypoints = self._source.read(low, high)
        weights = _weights(keypoints, self.views, learnt.score_power)
        pixels, weight = _track_first(keypoints, weights / learnt.mean_weight)
        known = self._known_sides([(low, high)])
        found = resolve(self._optics, pixels, weight, learnt.motion.noise, pairs=self._pairs, known=known)
        return found, keypoints, low

    def _known_sides(self, runs: Sequence[tuple[int, int]], *, apart: int = 0) -> KnownSides | None:
        return None if self._edited is None else self._edited.sides(runs, apart=apart)

    def exchanged_sides(self, first: int, last: int, learnt: Learnt) -> BoolArray:
        """Find out for frames that are done which of their views had left and right exchanged, as :meth:`run` did.

        Returns
        -------
        (n_frames, n_cameras, n_individuals, n_pairs) bool array
        """
        source = self._source
        if not len(self._pairs.keypoints):
            return np.zeros((last - first, len(source.cameras), len(source.individuals), 0), dtype=np.bool_)
        if self._whole is not None:
            swapped, low = self._whole[0].swapped, 0
        else:
            resolution, _, low = self._resolve(first, last, learnt)
            swapped = resolution.swapped
        assert swapped is not None
        return np.ascontiguousarray(swapped[:, first - low : last - low].swapaxes(0, 1))

    def _samples(self, refined: Refined, low: int, keep: slice, learnt: Learnt) -> FloatArray:
        assert self._lenses is not None
        settings = self.settings
        shifts = None
        rig = self._seen_rig()
        if rig.covariance is not None:
            shifts = (rig, rig_samples(rig, settings.samples, np.random.default_rng([settings.seed, _RIG_STREAM])))
        drawn = draw_samples(
            refined,
            n_samples=settings.samples,
            seed=settings.seed,
            first=low,
            spread=learnt.motion.spread,
            rig_shifts=shifts,
        )[:, :, keep]
        people = len(self._source.individuals)
        shape = (settings.samples, people, -1, *drawn.shape[2:])
        return np.ascontiguousarray(np.moveaxis(drawn.reshape(shape), 3, 0)) + self._lenses.origin

    def _seen_rig(self) -> Rig:
        return self._rig.select(self._source.cameras)

    def _calibration_covariance(self, found: Refined | Unrefined, keep: slice, learnt: Learnt) -> FloatArray | None:
        """Return what the cameras' uncertainty adds, (n_tracks, n_frames, 3, 3); None if it is not known."""
        rig = self._seen_rig()
        if rig.covariance is None or self._lenses is None:
            return None
        if self._cells is None:
            self._cells = CovarianceCells(rig, learnt.cell_mm)
        if isinstance(found, Refined):
            views = found.at.precision.reshape(-1, *found.x.shape[:2])
        else:
            views = found.used / np.square(learnt.motion.noise.noise_px)[:, None, None]
        near = moving_mean(views, learnt.motion.reach)
        far = moving_mean(views, learnt.motion.reach + self.settings.max_gap)
        precision = np.where(near.sum(0) > 0, near, far)[:, :, keep]
        xyz = found.x[:, keep] + self._lenses.origin
        added = self._cells.covariance(xyz.reshape(-1, 3), precision.reshape(len(precision), -1))
        return np.nan_to_num(added).reshape(*xyz.shape, 3)

    def _cut(self, keypoints: Keypoints2D, found: Refined | Unrefined, keep: slice, learnt: Learnt) -> Run:
        """Bring the frames that were asked for into the order of the types."""
        people, n_keypoints = len(keypoints.individuals), len(keypoints.keypoints)

        def ordered(values: NDArray[Any]) -> NDArray[Any]:
            part = values[:, keep]
            return np.ascontiguousarray(np.moveaxis(part.reshape(people, n_keypoints, *part.shape[1:]), 2, 0))

        assert self._lenses is not None
        covariance = found.covariance * learnt.motion.spread
        cameras = self._calibration_covariance(found, keep, learnt)
        if cameras is not None:
            covariance[:, keep] += cameras
        used = np.stack([ordered(each) for each in found.used], axis=1)
        residual = np.stack([ordered(each) for each in found.distance_px], axis=1)
        xyz = ordered(found.x) + self._lenses.origin
        count = used.sum(1)
        score = keypoints.score[keep]
        least = np.where(used, np.where(np.isnan(score), 1.0, score), np.inf).min(1, initial=np.inf)
        there = np.isfinite(xyz[..., 0])
        if not self.refine:
            there &= count >= self.views.min_cameras
            xyz = np.where(there[..., None], xyz, np.nan)
        with np.errstate(invalid="ignore"):
            error = np.where(used, residual, 0.0).sum(1) / count
        observed = count >= self.views.min_cameras
        points = Keypoints3D(
            xyz=xyz,
            error=np.where(there, error, np.nan),
            n_cameras=np.where(there, count, 0),
            score=np.where(there & (count > 0), least, np.nan),
            status=np.where(there, np.where(observed, Status.OBSERVED, Status.FILLED), Status.MISSING).astype(np.uint8),
            individuals=keypoints.individuals,
            keypoints=keypoints.keypoints,
            covariance=np.where(there[..., None, None], ordered(covariance), np.nan),
            fps=keypoints.fps,
            start=keypoints.start + keep.start,
        )
        converged = not isinstance(found, Refined) or found.converged
        if not converged:
            logger.warning(
                "frames %d to %d: the refinement did not converge; the result is its best",
                points.start,
                points.start + points.n_frames - 1,
            )
        swapped = np.zeros(
            (points.n_frames, len(self._source.cameras), people, len(self._pairs.keypoints)), dtype=np.bool_
        )
        if found.swapped is not None:
            swapped = np.ascontiguousarray(found.swapped[:, keep].swapaxes(0, 1))
        if self._edited is not None:
            points = self._edited.erase(points)
        return Run(points, used, residual, converged, swapped)


def _limb_tracks(source: FrameSource, settings: RefinementSettings) -> tuple[list[tuple[int, int]], list[bool]]:
    """Return the ends of all individuals' limbs, and which are weak."""
    names = {name: i for i, name in enumerate(source.keypoints)}
    ends, weak = [], []
    for is_weak, limbs in ((False, settings.limbs), (True, settings.weak_limbs)):
        for limb in limbs:
            for name in limb:
                if name not in names:
                    raise ConfigError(
                        f"limb {','.join(limb)}: there is no keypoint {name!r}; there are {', '.join(source.keypoints)}"
                    )
            for individual in range(len(source.individuals)):
                first = individual * len(names)
                ends.append((first + names[limb[0]], first + names[limb[1]]))
                weak.append(is_weak)
    return ends, weak


def _sample_blocks(n_frames: int) -> list[tuple[int, int]]:
    """Return runs of frames that are spread over the recording."""
    wanted = min(max(_LEAST_SAMPLE, n_frames // _SAMPLED), _MOST_SAMPLE)
    if n_frames <= wanted:
        return [(0, n_frames)]
    n_blocks = wanted // _BLOCK
    starts = np.linspace(0, n_frames - _BLOCK, n_blocks).astype(int) if n_blocks > 1 else [0]
    return [(int(start), int(start) + _BLOCK) for start in starts]


def _joined_views(parts: Sequence[Keypoints2D], *, apart: int) -> Keypoints2D:
    """Put runs of frames one after the other, with so many empty frames between them that they stay apart."""
    if len(parts) == 1:
        return parts[0]
    xy, score = [], []
    for part in parts:
        xy += [part.xy, np.full((apart, *part.xy.shape[1:]), np.nan)]
        score += [part.score, np.full((apart, *part.score.shape[1:]), np.nan)]
    return replace(parts[0], xy=np.concatenate(xy[:-1]), score=np.concatenate(score[:-1]))


def _weights(keypoints: Keypoints2D, views: ViewSettings, power: float) -> FloatArray:
    """Return what each detection counts; 0 where it is not to be used."""
    usable = view_weights(keypoints, score_threshold=views.score_threshold, weighted=False)
    if not power:
        return usable
    score = np.clip(np.where(np.isnan(keypoints.score), 1.0, keypoints.score), _LEAST_SCORE, 1.0)
    return np.asarray(usable * score**power)


def _track_first(keypoints: Keypoints2D, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return pixels (camera, track, frame, 2) and weights (camera, track, frame)."""
    n_frames, n_cameras, people, names = weight.shape
    shape = (n_cameras, people * names, n_frames)
    pixels = np.ascontiguousarray(np.moveaxis(keypoints.xy, 0, 3)).reshape(*shape, 2)
    return pixels, np.ascontiguousarray(np.moveaxis(weight, 0, 3)).reshape(shape)
