"""What `pose3d triangulate` does, as one call: from the files of each camera's keypoints to 3D keypoints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pose3d.data import Rig, Skeleton
from pose3d.data.edits import Edits
from pose3d.data.timing import FrameTimes, Timing
from pose3d.errors import ConfigError
from pose3d.io.edits import edit_tables
from pose3d.io.fingerprint import fingerprint
from pose3d.io.keypoint_stream import open_keypoints
from pose3d.io.rig_covariance import rig_covariance_path
from pose3d.io.rigs import load_rig
from pose3d.io.sync_toml import read_sync
from pose3d.io.timestamps import read_timestamps
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.association.people_selection import SubjectHint
from pose3d.reconstruction.association.swap_names import guess_pairs
from pose3d.reconstruction.corrections import EditedSource
from pose3d.reconstruction.files import RecordingSummary, reconstruct_to_files
from pose3d.reconstruction.recording import Reconstructor
from pose3d.reconstruction.refinement.settings import RefinementSettings
from pose3d.reconstruction.results import ViewSettings
from pose3d.reconstruction.source import FrameSource, SpooledSource, TimedSource, choose_subject
from pose3d.reconstruction.synchronization.resampling import timing_from_timestamps

__all__ = ["TriangulationRequest", "read_timing", "triangulate_files"]


@dataclass(frozen=True)
class TriangulationRequest:
    """How 3D keypoints are to be made; the defaults suit most recordings.

    Attributes
    ----------
    refinement : RefinementSettings
        Without limbs in them, those of the skeleton are taken.
    views : ViewSettings
        Without pairs in them, those of the skeleton are taken, or guessed from the keypoints' names.
    refine : bool
        False stops after the robust triangulation of single frames.
    repair_sides : bool
        Look for left and right exchanged.
    skeleton : Skeleton, optional
    offsets : mapping of str to int
    truncate : bool
    fps : float, optional
        All three as in :func:`~pose3d.io.keypoint_stream.open_keypoints`.
    sync : path, optional
        A ``sync.toml``, or timestamps of the frames.
    subject : SubjectHint, optional
        Where the subject is at one frame, among several people.
    edits : Edits
        What a person corrected.
    """

    refinement: RefinementSettings = field(default_factory=RefinementSettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    refine: bool = True
    repair_sides: bool = True
    skeleton: Skeleton | None = None
    offsets: Mapping[str, int] = field(default_factory=dict)
    truncate: bool = False
    fps: float | None = None
    sync: str | Path | None = None
    subject: SubjectHint | None = None
    edits: Edits = field(default_factory=Edits)

    def facts(self) -> dict[str, object]:
        """Return everything that the result depends on, besides files."""
        return {
            "settings": self.refinement.to_dict(),
            "views": asdict(self.views),
            "refine": self.refine,
            "repair_sides": self.repair_sides,
            "skeleton": None if self.skeleton is None else asdict(self.skeleton),
            "offsets": dict(self.offsets),
            "truncate": self.truncate,
            "fps": self.fps,
            "subject": repr(self.subject),
            "edits": edit_tables(self.edits.of_points.entries),
        }


def triangulate_files(
    sources: Mapping[str, str | Path],
    calibration: str | Path,
    output: str | Path,
    request: TriangulationRequest | None = None,
    *,
    progress: Progress = no_progress,
) -> RecordingSummary:
    """Make 3D keypoints from the 2D keypoints of each camera.

    A recording of any length needs the memory of a few hundred frames. What is finished waits in
    ``<trial>.partial/``: called again after it was ended, it goes on there. The files appear at the end.

    Parameters
    ----------
    sources : mapping of camera name to path
        See :func:`~pose3d.io.keypoint_stream.open_keypoints`.
    calibration : path
        With what is known of its uncertainty, where that lies beside it.
    output : path
        The csv to write, with anipose's columns; covariance and status go beside it, and samples where they are asked
        for.
    request : TriangulationRequest, optional
    progress : Progress

    Returns
    -------
    RecordingSummary

    Raises
    ------
    Pose3DError
        If a file is missing, damaged or foreign, if they do not fit one another, or a setting is out of range.
    """
    request = request or TriangulationRequest()
    rig = load_rig(calibration)
    if request.sync is not None and request.offsets:
        raise ConfigError(f"{request.sync}: offsets are given as well; give either, since both would add up")
    timing = None if request.sync is None else read_timing(request.sync, tuple(sources))
    with open_keypoints(
        sources,
        skeleton=request.skeleton,
        offsets=request.offsets or None,
        truncate=request.truncate or timing is not None,
        fps=request.fps,
    ) as stream:
        source: FrameSource = stream if timing is None else TimedSource(stream, timing)
        settings, views, pairs = _completed(request, source.keypoints)
        said: list[str] = []
        if _untracked(source):
            source, said = choose_subject(source, rig, pairs=views.pairs, hint=request.subject, progress=progress)
        edited = EditedSource(source, request.edits, pairs=pairs, searched=views.pairs)
        try:
            summary = reconstruct_to_files(
                Reconstructor(edited, rig, settings, views=views, refine=request.refine),
                edited,
                rig,
                Path(output),
                fingerprint=fingerprint(_inputs(sources, calibration, request.sync, rig), request.facts()),
                progress=progress,
            )
        finally:
            if isinstance(source, SpooledSource):
                source.close()
    return replace(summary, said=(*said, *edited.lines()))


def _completed(
    request: TriangulationRequest, keypoints: Sequence[str]
) -> tuple[RefinementSettings, ViewSettings, tuple[tuple[str, str], ...]]:
    """Take limbs and pairs from the skeleton, where the request has none; return also the pairs that are there."""
    settings, views, skeleton = request.refinement, request.views, request.skeleton
    if not settings.limbs and not settings.weak_limbs and skeleton is not None:
        settings = replace(settings, limbs=_known(skeleton.edges, keypoints))
    pairs = tuple(views.pairs) or (() if skeleton is None else _known(skeleton.pairs, keypoints))
    pairs = pairs or guess_pairs(keypoints)
    return settings, replace(views, pairs=pairs if request.repair_sides else ()), pairs


def read_timing(path: str | Path, cameras: Sequence[str]) -> Timing | FrameTimes:
    """Read when cameras saw what, from a ``sync.toml`` or from timestamps.

    Raises
    ------
    FormatError
        If the file is neither.
    """
    if Path(path).suffix.lower() == ".toml":
        return read_sync(path)
    return timing_from_timestamps(read_timestamps(path, cameras=cameras))


def _known(links: Sequence[tuple[str, str]], keypoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    there = set(keypoints)
    return tuple((a, b) for a, b in links if a in there and b in there)


def _untracked(source: FrameSource) -> bool:
    """Tell whether individuals are numbers in each view's list rather than identities."""
    return len(source.individuals) > 1 and all(name.startswith("person_") for name in source.individuals)


def _inputs(
    sources: Mapping[str, str | Path], calibration: str | Path, sync: str | Path | None, rig: Rig
) -> dict[str, str | Path]:
    inputs: dict[str, str | Path] = {f"keypoints {name}": path for name, path in sources.items()}
    inputs["calibration"] = calibration
    if rig.covariance is not None:
        inputs["calibration's uncertainty"] = rig_covariance_path(calibration)
    if sync is not None:
        inputs["sync"] = sync
    return inputs
