"""A recording of any length, from detections to files: run by run, and on from where it was ended."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data import Rig, Status
from pose3d.errors import Pose3DError
from pose3d.geometry.arrays import IntArray
from pose3d.io.anipose_csv import pose3d_paths
from pose3d.io.points_stream import PointsWriter, partial_folder
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.io.uncertainty import uncertainty_path
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.association.swaps import exchange_sides
from pose3d.reconstruction.corrections import EditedSource
from pose3d.reconstruction.quality.accumulation import QualityAccumulator
from pose3d.reconstruction.quality.summary import ViewQuality
from pose3d.reconstruction.recording import Reconstructor
from pose3d.reconstruction.results import Learnt, Run
from pose3d.reconstruction.source import FrameSource

__all__ = ["RecordingSummary", "reconstruct_to_files"]

_COUNTS = ("n_observed", "n_filled", "n_missing", "longest_filled")


@dataclass(frozen=True, eq=False)
class RecordingSummary:
    """What became of a recording.

    Attributes
    ----------
    outputs : tuple of Path
    n_frames : int
    fps : float or None
    individuals, keypoints : tuple of str
    n_observed, n_filled, n_missing : int
        Points: two or more views made it; filled from neighbouring frames and limbs; neither.
    longest_filled : int
        Frames in the longest gap that was filled.
    cameras : tuple of str
    pairs : tuple of (str, str)
    n_swapped : (n_cameras, n_pairs) int array
        Views whose left and right were exchanged, and repaired.
    n_views, n_used : (n_cameras,) int array
        Views of points that were made, and those that made them.
    learnt : Learnt
    quality : ViewQuality
    said : tuple of str
        What was said before: which person was chosen.
    """

    outputs: tuple[Path, ...]
    n_frames: int
    fps: float | None
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    n_observed: int
    n_filled: int
    n_missing: int
    longest_filled: int
    cameras: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    n_swapped: IntArray
    n_views: IntArray
    n_used: IntArray
    learnt: Learnt
    quality: ViewQuality
    said: tuple[str, ...] = ()

    @property
    def median_error_px(self) -> float | None:
        """Median over the cameras of their median reprojection error; None without any point."""
        known = self.quality.camera_median_px[np.isfinite(self.quality.camera_median_px)]
        return round(float(np.median(known)), 4) if len(known) else None

    def lines(self) -> list[str]:
        """Return the summary for people, findings last."""
        total = max(self.n_observed + self.n_filled + self.n_missing, 1)
        out = [
            f"{self.n_frames} frames: {100 * self.n_observed / total:.1f} % of the points observed, "
            f"{100 * self.n_filled / total:.1f} % filled"
            + (f" (gaps of up to {self.longest_filled} frames)" if self.n_filled else "")
            + f", {100 * self.n_missing / total:.1f} % missing"
        ]
        out += [*self.said, *self.learnt.lines()]
        swapped = self.n_swapped.sum(1)
        if swapped.any():
            listed = ", ".join(f"{name} {n}" for name, n in zip(self.cameras, swapped, strict=True) if n)
            out.append(f"left and right exchanged by the network, and repaired, views of a pair: {listed}")
        with np.errstate(all="ignore"):
            left_out = 100 * (1 - self.n_used / self.n_views)
        listed = ", ".join(f"{name} {share:.1f} %" for name, share in zip(self.cameras, left_out, strict=True))
        out.append(f"views left out: {listed}")
        return out + self.quality.lines()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        total = self.n_observed + self.n_filled + self.n_missing
        return {
            "outputs": [str(path) for path in self.outputs],
            "n_frames": self.n_frames,
            "fps": self.fps,
            "individuals": list(self.individuals),
            "keypoints": list(self.keypoints),
            "n_points": total,
            "n_reconstructed": self.n_observed + self.n_filled,
            "missing": self.n_missing / total if total else 0.0,
            "median_error_px": self.median_error_px,
            **{name: getattr(self, name) for name in _COUNTS},
            "learnt": self.learnt.motion.to_dict(),
            "n_swapped": {
                name: {"/".join(pair): int(n) for pair, n in zip(self.pairs, row, strict=True)}
                for name, row in zip(self.cameras, self.n_swapped, strict=True)
            },
            "n_views": dict(zip(self.cameras, self.n_views.tolist(), strict=True)),
            "n_used": dict(zip(self.cameras, self.n_used.tolist(), strict=True)),
            "quality": self.quality.to_dict(),
        }


def reconstruct_to_files(
    worker: Reconstructor,
    source: FrameSource,
    rig: Rig,
    output: Path,
    *,
    fingerprint: str,
    progress: Progress = no_progress,
) -> RecordingSummary:
    """Work through a recording and write its pose-3d csv, the side file, and the samples where they are asked for.

    Finished runs wait in ``<trial>.partial/`` (samples in ``<trial>.samples.partial/``); the final files appear at the
    end. Called again with the same fingerprint after it was ended, it goes on where it was.

    Parameters
    ----------
    worker : Reconstructor
        Of `source`.
    source : FrameSource
    rig : Rig
    output : Path
        A csv.
    fingerprint : str
        Of everything that the result depends on.
    progress : Progress

    Returns
    -------
    RecordingSummary

    Raises
    ------
    DataError, ConfigError
        As :func:`~pose3d.reconstruction.reconstruct`.
    Pose3DError
        If the files cannot be written.
    """
    for path in pose3d_paths(output, source.keypoints, source.individuals):
        for file in (path, uncertainty_path(path)):
            if file.is_dir():
                raise Pose3DError(f"{file}: is a folder, a file is to be written there")
    learnt = worker.learn(progress)
    writer = _points_writer(source, output, fingerprint)
    samples = _samples_writer(worker, source, output, fingerprint)
    if samples is not None and samples.keep(writer.done_frames) < writer.done_frames:
        logger.warning("%s: samples of finished frames are lost; all frames are done anew", output)
        shutil.rmtree(partial_folder(output))
        writer = _points_writer(source, output, fingerprint)
        samples.keep(0)
    if writer.done_frames:
        logger.info("%s: goes on after frame %d", output, writer.done_frames)
    counts = _counts(writer.state, source, len(worker.views.pairs))
    accumulator = QualityAccumulator(rig, score_threshold=worker.views.score_threshold)
    for points in writer.chunks():
        begin = points.start - source.start
        end = begin + points.n_frames
        sides = worker.exchanged_sides(begin, end, learnt)
        accumulator.add(exchange_sides(source.read(begin, end), sides, worker.views.pairs), points)
    for first, last in worker.runs(learnt, first=writer.done_frames):
        run = worker.run(first, last, learnt)
        if samples is not None and run.samples is not None:
            samples.append(run.samples)
        _add(counts, run)
        writer.append(run.points, counts)
        # What was repaired is no fault of the views any more.
        accumulator.add(exchange_sides(source.read(first, last), run.swapped, worker.views.pairs), run.points)
        progress("refine", last, source.n_frames)
    quality = accumulator.finish()
    outputs = writer.finish(progress)
    if samples is not None:
        outputs = (*outputs, samples.finish([path for path in outputs if not path.name.endswith(".uncertainty.csv")]))
    return RecordingSummary(
        outputs=outputs,
        n_frames=source.n_frames,
        fps=source.fps,
        individuals=source.individuals,
        keypoints=source.keypoints,
        n_observed=int(counts["n_observed"]),
        n_filled=int(counts["n_filled"]),
        n_missing=int(counts["n_missing"]),
        longest_filled=int(counts["longest_filled"]),
        cameras=source.cameras,
        pairs=tuple(worker.views.pairs),
        n_swapped=np.asarray(counts["n_swapped"], dtype=np.int64),
        n_views=np.asarray(counts["n_views"], dtype=np.int64),
        n_used=np.asarray(counts["n_used"], dtype=np.int64),
        learnt=learnt,
        quality=quality,
    )


def _points_writer(source: FrameSource, output: Path, fingerprint: str) -> PointsWriter:
    return PointsWriter(
        output,
        keypoints=source.keypoints,
        individuals=source.individuals,
        total_frames=source.n_frames,
        fingerprint=fingerprint,
        fps=source.fps,
        start=source.start,
        edits=source.edits if isinstance(source, EditedSource) else None,
    )


def _samples_writer(worker: Reconstructor, source: FrameSource, output: Path, fingerprint: str) -> SamplesWriter | None:
    if not worker.settings.samples:
        return None
    return SamplesWriter(
        samples_path(output),
        n_samples=worker.settings.samples,
        individuals=source.individuals,
        keypoints=source.keypoints,
        fps=source.fps,
        start=source.start,
        fingerprint=fingerprint,
    )


def _counts(state: Mapping[str, Any], source: FrameSource, n_pairs: int) -> dict[str, Any]:
    if state:
        return {name: np.asarray(value).copy() for name, value in state.items()}
    n_cameras = len(source.cameras)
    arrays: dict[str, Any] = {"n_swapped": (n_cameras, n_pairs), "n_views": n_cameras, "n_used": n_cameras}
    arrays["stretch"] = (len(source.individuals), len(source.keypoints))
    zeros = {name: np.zeros(shape, dtype=np.int64) for name, shape in arrays.items()}
    return dict.fromkeys(_COUNTS, np.int64(0)) | zeros


def _add(counts: dict[str, Any], run: Run) -> None:
    status = run.points.status
    for name, kind in (("n_observed", Status.OBSERVED), ("n_filled", Status.FILLED), ("n_missing", Status.MISSING)):
        counts[name] = counts[name] + np.int64((status == kind).sum())
    # Length of the filled stretch up to each frame, on from the frames before.
    filled = status == Status.FILLED
    frame = np.arange(1, len(filled) + 1)[:, None, None]
    last = np.maximum.accumulate(np.where(filled, 0, frame), axis=0)
    stretch = np.where(filled, frame - last + np.where(last == 0, counts["stretch"], 0), 0)
    counts["longest_filled"] = np.maximum(counts["longest_filled"], stretch.max(initial=0))
    counts["stretch"] = stretch[-1]
    counts["n_views"] = counts["n_views"] + np.isfinite(run.residual_px).sum((0, 2, 3))
    counts["n_used"] = counts["n_used"] + run.used.sum((0, 2, 3))
    counts["n_swapped"] = counts["n_swapped"] + run.swapped.sum((0, 2))
