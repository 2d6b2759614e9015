"""From a video to the 2D keypoints of all people in it, by BlazePose, on from where it was ended."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data import Skeleton
from pose3d.data.names import counted
from pose3d.errors import DataError, ModelError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc_stream import read_notes, write_dlc_blocks
from pose3d.io.fingerprint import fingerprint
from pose3d.io.images import FrameSource
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.scaled_frames import scaled_frames, scaled_size
from pose3d.io.video import open_frames
from pose3d.log import Progress, no_progress
from pose3d.network.analysis import AnalysisSummary, is_replaceable
from pose3d.network.blazepose.detector import Detector
from pose3d.network.blazepose.files import DETECTOR_FILE, LANDMARK_FILE, is_blazepose
from pose3d.network.blazepose.landmarks import LandmarkNetwork
from pose3d.network.blazepose.tracking import SKELETON, PeopleTracker, TrackingSettings
from pose3d.network.chunk_store import Arrays, ChunkStore
from pose3d.network.model_folder import file_digest

__all__ = ["PeopleSettings", "PeopleSummary", "analyze_people", "choose_shrinking"]

_SCORER = "pose3d_"  # and the name of the network
_NOTE = "pose3d_fingerprint"
_SHORT_SIDE = 540  # px, at least, of images that are made smaller: twice the side of what the landmark network sees
_SURE = 0.5


@dataclass(frozen=True)
class PeopleSettings:
    """How people are found.

    Attributes
    ----------
    tracking : TrackingSettings
    shrinking : int or None
        The image is made smaller by this factor first, which saves time; None: so that its shorter side keeps 540 px.
        1 is for people who are small in a large image.
    chunk_frames : int
        Frames after which what is done is kept.
    """

    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    shrinking: int | None = None
    chunk_frames: int = 240

    def __post_init__(self) -> None:
        if self.chunk_frames < 1 or (self.shrinking is not None and self.shrinking < 1):
            raise ValueError("chunk_frames and shrinking are at least 1")


@dataclass(frozen=True)
class PeopleSummary(AnalysisSummary):
    """What became of a video; `n_whole` counts the frames in which the detector looked for people.

    Attributes
    ----------
    n_people : int
        Most at once.
    """

    n_people: int = 0

    def lines(self) -> list[str]:
        """Return the summary for people."""
        if self.up_to_date:
            return super().lines()
        resumed = f", {self.n_resumed} of them done before" if self.n_resumed else ""
        at_once = "nobody" if self.n_people == 0 else "one person" if self.n_people == 1 else f"{self.n_people} people"
        sure = "" if self.n_people == 0 else f"; {100 * self.sure:.0f} % of the keypoints with a score above {_SURE:g}"
        speed = f"{counted(self.n_frames, 'frame')}{resumed} at {self.frames_per_s:.0f} frames/s"
        return [f"{self.output}: {speed}; {at_once} in view at most{sure}"]


def analyze_people(
    video: str | Path,
    output: str | Path,
    *,
    model: str | Path = "blazepose-full",
    settings: PeopleSettings | None = None,
    progress: Progress = no_progress,
) -> PeopleSummary:
    """Find the landmarks of all people in every frame of a video.

    The output has DeepLabCut's layout: of a single animal where there is never more than one person in view, otherwise
    with the individuals ``person_1``, ``person_2``, ..., who are **no identities** across cameras: triangulation finds
    the subject among them. Keypoints are those of the skeleton ``blazepose33``. Finished chunks wait in
    ``<stem of the output>.partial/``; called again after it was ended, it goes on where it was, and the output is the
    same to the last byte.

    Parameters
    ----------
    video : path
        Or a folder of images.
    output : path
        An ``.h5``.
    model : str or path
        A name of the zoo, which is fetched if need be, or the folder of the networks.
    settings : PeopleSettings, optional
    progress : Progress, optional

    Returns
    -------
    PeopleSummary

    Raises
    ------
    VideoError, FormatError
        If the video cannot be read, or breaks off; what was finished before is kept.
    ModelError, DependencyError
        If the networks cannot be applied, or fetched.
    DataError
        If the output is no h5, or another program's is there.
    Pose3DError
        If a file cannot be written.

    References
    ----------
    Bazarevsky et al. (2020), BlazePose: on-device real-time body pose tracking, arXiv:2006.10204.
    """
    settings, output = settings or PeopleSettings(), Path(output)
    source = open_frames(video)
    folder = _folder(model)
    facts: dict[str, Any] = {
        "video": Path(video),
        "output": output,
        "n_frames": source.n_frames,
        "n_keypoints": len(Skeleton.preset(SKELETON).keypoints),
        "precision": "fp32",
        "device": "cpu",
    }
    key = _key(source, folder, settings)
    if read_notes(output).get(_NOTE) == key:
        return PeopleSummary(**facts, up_to_date=True)
    if not is_replaceable(output):
        raise DataError(f"{output}: is there already and was not made by pose3d analyze; name another file, or move it")
    tracker = PeopleTracker(
        Detector(folder / DETECTOR_FILE), LandmarkNetwork(folder / LANDMARK_FILE), settings.tracking
    )
    began, cpu_began = time.perf_counter(), time.process_time()
    store = ChunkStore(output, n_frames=source.n_frames, fingerprint=key)
    resumed = store.done_frames
    progress(output.stem, resumed, source.n_frames)
    for arrays, state in _chunks(tracker, source, settings, store):
        store.append(arrays, state)
        progress(output.stem, store.done_frames, source.n_frames)
    n_people, n_found, n_sure = _write(store, output, key, f"{_SCORER}{folder.absolute().name}")
    n_whole = int(store.state["counts"][-1])
    store.remove()
    return PeopleSummary(
        **facts,
        n_resumed=resumed,
        n_whole=n_whole,
        seconds=time.perf_counter() - began,
        cpu_s=time.process_time() - cpu_began,
        sure=n_sure / n_found if n_found else float("nan"),
        n_people=n_people,
    )


def choose_shrinking(size: tuple[int, int]) -> int:
    """Return by which factor images are made smaller before people are looked for.

    Examples
    --------
    >>> [choose_shrinking(size) for size in ((640, 480), (1080, 1920), (3840, 2160))]
    [1, 2, 4]
    """
    return max(1, min(size) // _SHORT_SIDE)


def _folder(model: str | Path) -> Path:
    folder = Path(model).expanduser()
    if not folder.is_dir():
        from pose3d.network.zoo import fetch_model

        folder = fetch_model(str(model))
    if not is_blazepose(folder):
        raise ModelError(f"{model}: does not find people; blazepose-full does")
    return folder


def _key(source: FrameSource, folder: Path, settings: PeopleSettings) -> str:
    """Return the fingerprint of all that the output depends on."""
    files = {name: file_digest(folder / name) for name in (DETECTOR_FILE, LANDMARK_FILE)}
    facts = asdict(settings) | {"method": 1, "files": files, "scorer": folder.absolute().name}
    return fingerprint({"video": source.path}, facts)


def _chunks(
    tracker: PeopleTracker, source: FrameSource, settings: PeopleSettings, store: ChunkStore
) -> Iterator[tuple[dict[str, FloatArray], dict[str, ArrayLike]]]:
    """Yield the frames that are left, by chunks, and the state after each: people in their slots, x, y and score."""
    if store.state:
        tracker.restore(store.state)
    n_frames, length = source.n_frames, settings.chunk_frames
    shrinking = choose_shrinking(source.size) if settings.shrinking is None else settings.shrinking
    small = scaled_size(source.size, 1 / shrinking)
    scale = np.array(source.size) / small
    shape = (settings.tracking.most_people, len(Skeleton.preset(SKELETON).keypoints), 3)
    held: list[FloatArray] = []
    for index, image in scaled_frames(source, small, indices=range(store.done_frames, n_frames)):
        people = np.full(shape, np.nan)
        for slot, pose in tracker.find(image):
            people[slot, :, :2] = (pose.xy + 0.5) * scale - 0.5
            people[slot, :, 2] = pose.score
        held.append(people)
        if (index + 1) % length == 0 or index + 1 == n_frames:
            yield {"people": np.array(held, dtype=np.float32)}, tracker.state()
            held = []


def _write(store: ChunkStore, output: Path, key: str, scorer: str) -> tuple[int, int, int]:
    """Write the output; return the most people at once, and the keypoints found, all and sure ones."""
    n_people = n_found = n_sure = 0
    for chunk in store.chunks():
        score = chunk["people"][..., 2]
        used = np.flatnonzero(np.isfinite(score).any((0, 2)))
        n_people = max(n_people, int(used[-1]) + 1 if len(used) else 0)
        n_found += int(np.isfinite(score).sum())
        n_sure += int((score >= _SURE).sum())
    n_written = max(n_people, 1)

    def block(chunk: Arrays) -> FloatArray:
        return np.asarray(chunk["people"][:, :n_written, :, None])

    names = tuple(f"person_{i + 1}" for i in range(n_written)) if n_written > 1 else (SINGLE_INDIVIDUAL,)
    write_dlc_blocks(
        output,
        map(block, store.chunks()),
        individuals=names,
        keypoints=Skeleton.preset(SKELETON).keypoints,
        scorer=scorer,
        notes={_NOTE: key},
    )
    return n_people, n_found, n_sure
