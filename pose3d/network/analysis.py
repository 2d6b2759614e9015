"""From a video to 2D keypoints in DeepLabCut's layout: decoded, scaled, found, written; on from where it was ended."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc_stream import is_as_written, read_notes, read_scorer, write_dlc_blocks
from pose3d.io.fingerprint import fingerprint
from pose3d.io.images import FrameSource, Image
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.scaled_frames import scaled_frames
from pose3d.io.video import open_frames
from pose3d.log import Progress, no_progress
from pose3d.network.chunk_store import ChunkStore
from pose3d.network.model_folder import MODEL_FILE, read_model
from pose3d.network.prediction import Device, Predictor
from pose3d.network.subject_window import CropSettings, SubjectWindow

__all__ = ["AnalysisSettings", "AnalysisSummary", "analyze_video", "is_analysis", "is_replaceable"]

_SCORER = "pose3d_"  # and the name of the network

_BATCH = 16  # frames decoded together
_NOTE = "pose3d_fingerprint"
_SURE = 0.5


@dataclass(frozen=True)
class AnalysisSettings:
    """How a video is analysed.

    Attributes
    ----------
    n_peaks : int
        Candidates kept per keypoint.
    crop : CropSettings or None
        Look only at a window around the subject; None: at the whole image.
    precision : str or None
        ``fp32`` or ``int8``; None: what the model was found to be good enough with.
    device : str
        ``auto``, ``cpu`` or ``gpu``.
    threads : int
        Of the network.
    chunk_frames : int
        Frames after which what is done is kept.
    """

    n_peaks: int = 1
    crop: CropSettings | None = None
    precision: str | None = None
    device: Device = "auto"
    threads: int = 1
    chunk_frames: int = 120

    def __post_init__(self) -> None:
        if min(self.n_peaks, self.threads, self.chunk_frames) < 1:
            raise ValueError("n_peaks, threads and chunk_frames are at least 1")


@dataclass(frozen=True)
class AnalysisSummary:
    """What became of a video.

    Attributes
    ----------
    video, output : Path
    n_frames, n_keypoints : int
    n_resumed : int
        Frames that were done before.
    n_whole : int
        Frames of which the whole image was looked at.
    up_to_date : bool
        Whether the output was there already, made of the same video by the same network.
    seconds, cpu_s : float
        Of this run, without opening the network; all threads.
    precision, device : str
    sure : float
        Part of the keypoints with a score of at least 0.5.
    """

    video: Path
    output: Path
    n_frames: int
    n_keypoints: int
    n_resumed: int = 0
    n_whole: int = 0
    up_to_date: bool = False
    seconds: float = 0.0
    cpu_s: float = 0.0
    precision: str = ""
    device: str = ""
    sure: float = field(default=float("nan"))

    @property
    def frames_per_s(self) -> float:
        """Speed of this run."""
        return (self.n_frames - self.n_resumed) / self.seconds if self.seconds > 0 else 0.0

    def lines(self) -> list[str]:
        """Return the summary for people."""
        if self.up_to_date:
            return [f"{self.output}: is up to date ({self.n_frames} frames)"]
        resumed = f", {self.n_resumed} of them done before" if self.n_resumed else ""
        cropped = ""
        if self.n_whole < self.n_frames:
            cropped = f"; the whole image was needed in {100 * self.n_whole / self.n_frames:.0f} % of the frames"
        return [
            f"{self.output}: {self.n_frames} frames{resumed} at {self.frames_per_s:.0f} frames/s"
            f" ({self.precision}, {self.device}); {100 * self.sure:.0f} % of the keypoints with a score above {_SURE:g}"
            + cropped
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "frames_per_s": self.frames_per_s}


def analyze_video(
    video: str | Path,
    model: str | Path,
    output: str | Path,
    *,
    settings: AnalysisSettings | None = None,
    progress: Progress = no_progress,
) -> AnalysisSummary:
    """Find the keypoints in every frame of a video.

    Finished chunks wait in ``<stem of the output>.partial/``; the output appears at the end. Called again after it was
    ended, it goes on where it was, and the output is the same to the last byte; an output that is there already is
    left as it is.

    Parameters
    ----------
    video : path
        Or a folder of images.
    model : path
        The folder of a trained network.
    output : path
        An ``.h5``.
    settings : AnalysisSettings, optional
    progress : Progress, optional

    Returns
    -------
    AnalysisSummary

    Raises
    ------
    VideoError, FormatError
        If the video cannot be read, or breaks off; what was finished before is kept.
    ModelError
        If the network cannot be applied.
    DataError
        If the output is no h5, or another program's is there.
    Pose3DError
        If a file cannot be written.
    """
    settings, output = settings or AnalysisSettings(), Path(output)
    source = open_frames(video)
    predictor = Predictor.open(model, precision=settings.precision, threads=settings.threads, device=settings.device)
    folder = Path(model).parent if Path(model).name == MODEL_FILE else Path(model)
    key = _key(source, folder, predictor, settings)
    facts: dict[str, Any] = {
        "video": Path(video),
        "output": output,
        "n_frames": source.n_frames,
        "n_keypoints": len(predictor.spec.keypoints),
        "precision": predictor.precision,
        "device": predictor.device,
    }
    if read_notes(output).get(_NOTE) == key:
        return AnalysisSummary(**facts, up_to_date=True)
    if not is_replaceable(output):
        raise DataError(f"{output}: is there already and was not made by pose3d analyze; name another file, or move it")
    began, cpu_began = time.perf_counter(), time.process_time()
    store = ChunkStore(output, n_frames=source.n_frames, fingerprint=key)
    resumed = store.done_frames
    label = output.stem
    progress(label, resumed, source.n_frames)
    finder = _Finder(predictor, source, settings, lambda done: progress(label, done, source.n_frames))
    for xy, score, state in finder.chunks(store.done_frames, store.state):
        store.append({"xy": xy.astype(np.float32), "score": score.astype(np.float32)}, state)
        progress(label, store.done_frames, source.n_frames)
    n_sure, n_whole = 0, int(store.state["n_whole"])

    def blocks() -> Iterator[FloatArray]:
        nonlocal n_sure
        for chunk in store.chunks():
            n_sure += int((chunk["score"][..., 0] >= _SURE).sum())
            yield np.concatenate([chunk["xy"], chunk["score"][..., None]], axis=-1)[:, None]

    write_dlc_blocks(
        output,
        blocks(),
        individuals=(SINGLE_INDIVIDUAL,),
        keypoints=predictor.spec.keypoints,
        n_peaks=settings.n_peaks,
        scorer=f"{_SCORER}{folder.absolute().name}",
        notes={_NOTE: key},
    )
    store.remove()
    return AnalysisSummary(
        **facts,
        n_resumed=resumed,
        n_whole=n_whole,
        seconds=time.perf_counter() - began,
        cpu_s=time.process_time() - cpu_began,
        sure=n_sure / (source.n_frames * len(predictor.spec.keypoints)),
    )


def is_replaceable(output: str | Path) -> bool:
    """Tell whether there is no such file yet, or one that an analysis made: others are not written over."""
    output = Path(output)
    return not output.exists() or (read_scorer(output) or "").startswith(_SCORER)


def is_analysis(path: str | Path) -> bool:
    """Tell whether a file is as an analysis left it."""
    return _NOTE in read_notes(path) and is_as_written(path)


def _key(source: FrameSource, folder: Path, predictor: Predictor, settings: AnalysisSettings) -> str:
    """Return the fingerprint of all that the output depends on."""
    model, _ = read_model(folder)
    facts = asdict(settings) | {
        "threads": None,  # changes no number
        "precision": predictor.precision,
        "device": predictor.device,
        "network": asdict(model.spec),
        "temperature": model.temperature,
        "files": dict(model.digests),
        "scorer": folder.absolute().name,
    }
    return fingerprint({"video": source.path}, facts)


class _Finder:
    """Goes through the frames of a recording."""

    def __init__(
        self, predictor: Predictor, source: FrameSource, settings: AnalysisSettings, tell: Callable[[int], None]
    ) -> None:
        self._predictor, self._source, self._settings, self._tell = predictor, source, settings, tell
        self._size = predictor.scaled_size(source.size)
        self._tracker = SubjectWindow(self._size, settings.crop) if settings.crop else None
        self._n_whole = 0

    def chunks(self, first: int, state: dict[str, Any]) -> Iterator[tuple[FloatArray, FloatArray, dict[str, Any]]]:
        """Yield places (n, n_keypoints, n_peaks, 2) px, scores, and what is needed to go on after each chunk."""
        if state:
            self._n_whole = int(state["n_whole"])
            if self._tracker is not None:
                self._tracker.restore(state)
        n_frames, length = self._source.n_frames, self._settings.chunk_frames
        frames = scaled_frames(self._source, self._size, indices=range(first, n_frames))
        found: list[tuple[FloatArray, FloatArray]] = []
        held: list[Image] = []
        for index, image in frames:
            held.append(image)
            ends = (index + 1) % length == 0 or index + 1 == n_frames
            if self._tracker is not None:
                found.append(self._follow(self._tracker, held.pop()))
            elif ends or len(held) == _BATCH:
                found.append(self._predictor.predict(held, n_peaks=self._settings.n_peaks))
                self._n_whole += len(held)
                held = []
            if not ends and (index + 1) % _BATCH == 0:
                self._tell(index + 1)
            if ends:
                xy, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
                found = []
                more = {} if self._tracker is None else self._tracker.state()
                yield self._predictor.to_frame(xy, self._source.size), score, {"n_whole": self._n_whole, **more}

    def _follow(self, tracker: SubjectWindow, image: Image) -> tuple[FloatArray, FloatArray]:
        """Look at the window around the subject, or at the whole image where it is not to be found there."""
        spec, n_peaks, window = self._predictor.spec, self._settings.n_peaks, tracker.window
        if window is not None:
            x, y, width, height = window
            xy, score = self._predictor.predict([image[y : y + height, x : x + width]], n_peaks=n_peaks)
            xy = xy + np.array([x, y]) / spec.scale
            if not tracker.trusts(spec.to_network(xy).reshape(-1, 2), score.ravel()):
                window = None
        if window is None:
            xy, score = self._predictor.predict([image], n_peaks=n_peaks)
            self._n_whole += 1
        tracker.update(spec.to_network(xy).reshape(-1, 2), score.ravel(), whole=window is None)
        return xy, score
