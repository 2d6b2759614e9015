"""From board clips to a calibrated rig."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.transforms import apply, inverse, rotvec_translation
from pose3d.log import Progress, logger, no_progress

from .anipose import solve_with_anipose
from .detection.search import search_board
from .detection.views import choose_instants
from .findings import Finding
from .mistakes.agreement import held_lenses, sightings
from .mistakes.exchanged import find_exchanged, find_exchanged_places
from .mistakes.mirrors import find_mirrored
from .mistakes.moves import find_moved
from .mistakes.shutters import measure_timing, timing_findings
from .mistakes.timing import find_offsets, offset_findings, shift_detections
from .solver.bundle import LENS_SIZE, Solution
from .solver.extrinsics import Link
from .solver.intrinsics import Lens
from .solver.solve import estimate_lenses, hold_rig, solve_rig
from .trust.quality import Quality, measure
from .trust.rig_covariance import rig_covariance
from .trust.uncertainty import Uncertainty, VolumeError, parameter_uncertainty, volume_error

__all__ = ["SOLVERS", "Calibration", "calibrate_detections", "calibrate_rig"]

_MOST_INSTANTS = 800  # more, of a board that is moved on, hardly add to what is known
SOLVERS = ("pose3d", "aniposelib")


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated rig and how it came about.

    Attributes
    ----------
    rig : Rig
        Cameras that could be linked; the world is the first one's frame. Where anything was estimated it carries its
        covariance, relative to the recorded volume: see :mod:`pose3d.calibration.trust.rig_covariance`.
    board : Board
        As it was found.
    quality : Quality
    unlinked : dict of str to str
        Cameras that are not in the rig, and why.
    detections : BoardDetections
        What took part: the cameras of the rig, the instants of ``solution.bundle.world_from_board``.
    solution : Solution
        The refined bundle, in the rig's world; cameras in the rig's order.
    uncertainty : Uncertainty
    volume : VolumeError
    links : dict of (str, str) to Link
        Pairs of cameras with shared views.
    findings : tuple of Finding
        What is wrong with the recording or its result.
    """

    rig: Rig
    board: Board
    quality: Quality
    unlinked: dict[str, str]
    detections: BoardDetections
    solution: Solution
    uncertainty: Uncertainty
    volume: VolumeError
    links: dict[tuple[str, str], Link]
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json summary."""
        return {
            "cameras": list(self.rig.names),
            "board": self.board.describe(),
            "n_instants": len(self.detections.frames),
            "unlinked": self.unlinked,
            **self.quality.to_dict(),
            **self.volume.to_dict(),
            "parameters": self.uncertainty.to_dict(self.rig.names, tuple(camera.fisheye for camera in self.rig)),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def transformed(self, new_from_old: FloatArray) -> "Calibration":
        """Return the calibration in another world.

        Parameters
        ----------
        new_from_old : (4, 4) array, mm
            A rigid transform.
        """
        bundle = self.solution.bundle
        poses = bundle.cam_from_world @ inverse(new_from_old)
        moved = replace(bundle, cam_from_world=poses, world_from_board=new_from_old @ bundle.world_from_board)
        rotation, translation = rotvec_translation(poses)
        cameras = [replace(c, rotation=rotation[i], translation=translation[i]) for i, c in enumerate(self.rig)]
        known = self.rig.covariance
        return replace(
            self,
            rig=Rig(
                tuple(cameras),
                self.rig.metadata,
                None if known is None else known.transformed(poses, new_from_old),
            ),
            solution=replace(self.solution, bundle=moved),
            uncertainty=self.uncertainty.transformed(poses, new_from_old),
            volume=replace(self.volume, xyz=apply(new_from_old, self.volume.xyz)),
        )


def calibrate_rig(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    intrinsics: Rig | None = None,
    lens_model: str | None = None,
    fisheye: bool | None = None,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from synchronised clips (or image folders) of a board.

    The two steps, :func:`search_board` and :func:`calibrate_detections`, can more: frames matched by their times, clips
    of its own for a camera's lens, another solver.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to its clip or folder.
    board : Board
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held. Matched by name, sizes must agree.
    lens_model, fisheye
        As in :func:`calibrate_detections`.
    offsets, truncate, workers
        As in :func:`pose3d.calibration.detect_board`.
    progress : callable, optional

    Returns
    -------
    Calibration

    Raises
    ------
    CalibrationError
        If the board is not found, or no two cameras can be linked.
    VideoError
        If a clip cannot be read.

    Examples
    --------
    Photos of a board in six attitudes before two cameras that stand 150 mm apart:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import cv2
    >>> import numpy as np
    >>> from pose3d import Board, calibrate_rig
    >>> from pose3d.calibration import draw_board
    >>> board = Board("charuco", (5, 4), 40, 30, "4X4_50")
    >>> paper = draw_board(board, pixels_per_square=40)  # a pixel is a millimetre
    >>> mm_from_paper = np.array([[1, 0, -79.5], [0, 1, -79.5], [0, 0, 1]])
    >>> matrix = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1]])
    >>> turns = [(0.4, 0, 0), (0, 0.4, 0), (-0.4, 0.2, 0), (0.2, -0.4, 0.3), (-0.2, -0.3, 0.6), (0.5, 0.3, -0.3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, x in (("left", 0), ("right", -150)):
    ...         (Path(folder) / name).mkdir()
    ...         for i, turn in enumerate(turns):
    ...             pose = np.column_stack([cv2.Rodrigues(np.array(turn))[0][:, :2], [x + 15, -40, 500]])
    ...             photo = cv2.warpPerspective(paper, matrix @ pose @ mm_from_paper, (640, 480), borderValue=255)
    ...             _ = cv2.imwrite(f"{folder}/{name}/{i}.png", photo)
    ...     calibration = calibrate_rig({"left": f"{folder}/left", "right": f"{folder}/right"}, board)
    >>> calibration.rig
    Rig(2 cameras: left, right)
    >>> left, right = calibration.rig.centers
    >>> bool(abs(np.linalg.norm(right - left) - 150) < 1)
    True
    """
    detections, findings = search_board(
        sources, board, offsets=offsets, truncate=truncate, workers=workers, progress=progress
    )
    found = calibrate_detections(
        detections, intrinsics=intrinsics, lens_model=lens_model, fisheye=fisheye, progress=progress
    )
    return replace(found, findings=(*findings, *found.findings))


def calibrate_detections(
    detections: BoardDetections,
    *,
    intrinsics: Rig | None = None,
    lens_clips: Mapping[str, BoardDetections] | None = None,
    lens_model: str | None = None,
    fisheye: bool | None = None,
    earlier: Rig | None = None,
    solver: str = "pose3d",
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from a board's corners, and find out what is wrong with the recording.

    Parameters
    ----------
    detections : BoardDetections
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held.
    lens_clips : mapping of str to BoardDetections, optional
        Cameras with a clip of their own for the lens (:func:`detect_each`); it is held, its uncertainty is kept.
    lens_model : {"k1", "k2", "full", "k3"}, optional
        See :data:`pose3d.calibration.LENS_MODELS`; by default the one that predicts held-out instants best.
    fisheye : bool, optional
        Whether lenses are fisheyes; by default the views of a wide lens decide.
    earlier : Rig, optional
        An earlier calibration of the same cameras, which tells whether two cameras' clips are exchanged.
    solver : {"pose3d", "aniposelib"}
        aniposelib's own solver, to compare; its cameras are then measured as ours are.
    progress : callable, optional

    Returns
    -------
    Calibration
        The same detections give the same numbers. Clips that are clearly out of step by whole frames are shifted, and
        a finding says so.

    Raises
    ------
    CalibrationError
        If no lens can be estimated, no two cameras can be linked, or `intrinsics` do not fit the clips.
    ValueError
        If there is no such solver.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver {solver!r} is unknown; there are {', '.join(SOLVERS)}")
    own, covariance = _lenses_of_clips(lens_clips or {}, lens_model, fisheye)
    known = _joined(intrinsics, own)
    findings = [] if known is None else list(find_exchanged(detections, known))
    try:
        lenses, lost = estimate_lenses(detections, intrinsics=known, fisheye=fisheye)
    except CalibrationError as error:
        raise CalibrationError(findings[0].line()) if findings else error from error
    detections, noticed = _in_step(detections, lenses)
    findings += noticed
    if len(detections.frames) > _MOST_INSTANTS:
        chosen = choose_instants(detections, _MOST_INSTANTS)
        logger.info("%d of %d instants are used, those that differ most", len(chosen), len(detections.frames))
        detections = replace(detections, frames=detections.frames[chosen], xy=detections.xy[chosen])
    if solver == "aniposelib":
        solved = hold_rig(detections, solve_with_anipose(detections, intrinsics=known, fisheye=bool(fisheye)))
    else:
        solved = solve_rig(detections, lenses, lens_covariance=covariance, lens_model=lens_model, progress=progress)
    solution, used = solved.solution, solved.detections
    quality = measure(
        solution, used.board, names=used.cameras, frames=used.frames, dropped=solved.dropped, sizes=used.sizes
    )
    uncertainty = parameter_uncertainty(solution, solved.lens_covariance)
    for rig in (known, earlier):
        if rig is not None and not any(finding.kind == "exchanged" for finding in findings):
            findings += find_exchanged_places(solved.links, rig)
    findings += timing_findings(measure_timing(solution, used))
    if not findings:  # shutters out of step look as if a camera had moved
        findings += find_moved(sightings(used, held_lenses(solution)))
    made = _make_rig(solution, used, quality)
    return Calibration(
        rig=replace(made, covariance=rig_covariance(solution, uncertainty, made.names, used.sizes)),
        board=used.board,
        quality=quality,
        unlinked=dict(sorted((lost | solved.lost).items())),
        detections=used,
        solution=solution,
        uncertainty=uncertainty,
        volume=volume_error(solution, uncertainty, used.sizes),
        links=solved.links,
        findings=tuple(findings),
    )


def _lenses_of_clips(
    clips: Mapping[str, BoardDetections], lens_model: str | None, fisheye: bool | None
) -> tuple[list[Camera], dict[str, FloatArray]]:
    """Calibrate each camera's lens from a clip of its own; returns the cameras, and how well each lens is known."""
    cameras, covariance = [], {}
    for name, clip in clips.items():
        alone = clip.select([name])
        try:
            lenses, _ = estimate_lenses(alone, fisheye=fisheye)
        except CalibrationError as error:
            reason = str(error).partition(f"{name}: ")[2] or str(error)
            raise CalibrationError(f"the lens clip of camera {name}: {reason}") from error
        solved = solve_rig(alone, lenses, lens_model=lens_model)
        cameras.append(_make_rig(solved.solution, solved.detections).cameras[0])
        spread = parameter_uncertainty(solved.solution, solved.lens_covariance)
        covariance[name] = np.zeros((LENS_SIZE, LENS_SIZE))
        covariance[name][np.ix_(spread.number, spread.number)] = spread.covariance
    return cameras, covariance


def _joined(intrinsics: Rig | None, own: list[Camera]) -> Rig | None:
    """Return the known lenses; a camera's own clip counts before a calibration that was given."""
    if not own:
        return intrinsics
    names = {camera.name for camera in own}
    others = [] if intrinsics is None else [camera for camera in intrinsics if camera.name not in names]
    return Rig((*own, *others))


def _in_step(detections: BoardDetections, lenses: Mapping[str, Lens]) -> tuple[BoardDetections, tuple[Finding, ...]]:
    """Look for clips that are late or mirrored; those late by whole frames, beyond doubt, are returned in step."""
    seen = sightings(detections.select(list(lenses)), list(lenses.values()))
    offsets = find_offsets(seen)
    findings = offset_findings(offsets, given=_offsets_given(detections))
    sure = {name for finding in findings if finding.grade == "FAIL" for name in finding.cameras}
    if sure:
        detections = shift_detections(detections, {name: n for name, n in offsets.frames.items() if name in sure})
        seen = sightings(detections.select(list(lenses)), list(lenses.values()))
    return detections, (*findings, *find_mirrored(seen, detections.board))


def _offsets_given(detections: BoardDetections) -> dict[str, int]:
    """Return the offsets with which clips were read already."""
    if detections.own_frames is None:
        return {}
    shifts = detections.camera_frames - detections.frames[:, None]
    same = (shifts == shifts[:1]).all(0)
    return {name: int(shifts[0, i]) for i, name in enumerate(detections.cameras) if same[i]}


def _make_rig(solution: Solution, used: BoardDetections, quality: Quality | None = None) -> Rig:
    bundle = solution.bundle
    rotation, translation = rotvec_translation(bundle.cam_from_world)
    cameras = tuple(
        Camera(
            name,
            used.sizes[i],
            bundle.matrix(i),
            bundle.distortion(i),
            rotation[i],
            translation[i],
            fisheye=bool(bundle.fisheye[i]),
        )
        for i, name in enumerate(used.cameras)
    )
    return Rig(cameras, {} if quality is None else {"adjusted": True, "error": quality.error_px})
