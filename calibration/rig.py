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
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.transforms import apply, inverse, rotvec_translation
from pose3d.log import Progress, logger, no_progress

from .boards import symmetries
from .bundle import LENS_SIZE, Bundle, Solution, refine, residuals, select_views
from .detection import detect_board
from .extrinsics import Graph, Link, candidate_poses, link_cameras, place_boards
from .findings import Finding
from .intrinsics import Lens, calibrate_lens, lens_bundle
from .poses import board_poses
from .quality import Quality, measure
from .selection import better_together
from .uncertainty import Uncertainty, VolumeError, parameter_uncertainty, volume_error

__all__ = ["Calibration", "calibrate_detections", "calibrate_rig"]

_OUT_OF_STEP = 2.0  # times the cameras' own noise
_BAD_VIEW = 6.0  # a view whose median residual is this many times the camera's noise is left out


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated rig and how it came about.

    Attributes
    ----------
    rig : Rig
        Cameras that could be linked; the world is the first one's frame.
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
            A rigid transform. Covariances stand as they are: they are in the cameras' own axes.
        """
        bundle = self.solution.bundle
        poses = bundle.cam_from_world @ inverse(new_from_old)
        moved = replace(bundle, cam_from_world=poses, world_from_board=new_from_old @ bundle.world_from_board)
        rotation, translation = rotvec_translation(poses)
        cameras = [replace(c, rotation=rotation[i], translation=translation[i]) for i, c in enumerate(self.rig)]
        return replace(
            self,
            rig=Rig(tuple(cameras), self.rig.metadata),
            solution=replace(self.solution, bundle=moved),
            volume=replace(self.volume, xyz=apply(new_from_old, self.volume.xyz)),
        )


def calibrate_rig(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    intrinsics: Rig | None = None,
    fisheye: bool = False,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from synchronised clips (or image folders) of a board.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to its clip or folder.
    board : Board
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held. Matched by name, sizes must agree.
    fisheye : bool
        Use the fisheye model for the cameras that `intrinsics` does not give.
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
    detections = detect_board(sources, board, offsets=offsets, truncate=truncate, workers=workers, progress=progress)
    return calibrate_detections(detections, intrinsics=intrinsics, fisheye=fisheye, progress=progress)


def calibrate_detections(
    detections: BoardDetections,
    *,
    intrinsics: Rig | None = None,
    fisheye: bool = False,
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from a board's corners.

    Parameters
    ----------
    detections : BoardDetections
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held.
    fisheye : bool
    progress : callable, optional

    Returns
    -------
    Calibration
        The same detections give the same numbers.

    Raises
    ------
    CalibrationError
        If no lens can be estimated, no two cameras can be linked, or `intrinsics` do not fit the clips.
    """
    _check_intrinsics(detections, intrinsics)
    lost: dict[str, str] = {}
    seen = [name for name, n in zip(detections.cameras, detections.n_views, strict=True) if n]
    for name in detections.cameras:
        if name not in seen:
            lost[name] = "it never saw the board"
    detections = _select(detections, seen)
    lenses = []
    for i, name in enumerate(seen):
        progress("calibrating lenses", i, len(seen))
        known = intrinsics[name] if intrinsics is not None and name in intrinsics else None
        try:
            lens = calibrate_lens(
                detections.xy[:, i],
                detections.board.points,
                detections.sizes[i],
                name=name,
                fisheye=fisheye,
                known=known,
            )
        except CalibrationError as error:
            lost[name] = str(error).removeprefix(f"camera {name}: ")
            continue
        logger.debug("%s alone: focal length %.1f px, noise %.2f px", name, lens.numbers[0], lens.sigma)
        lenses.append(lens)
    detections = _select(detections, [name for name in seen if name not in lost])
    progress("calibrating lenses", len(seen), len(seen))
    return _calibrate_together(detections, lenses, lost, progress)


def _check_intrinsics(detections: BoardDetections, intrinsics: Rig | None) -> None:
    if intrinsics is None:
        return
    if not set(intrinsics.names) & set(detections.cameras):
        raise CalibrationError(
            f"the known intrinsics are for {', '.join(intrinsics.names)}, the clips for "
            f"{', '.join(detections.cameras)}: no camera has both; name the clips as the calibration does"
        )
    for name, size in zip(detections.cameras, detections.sizes, strict=True):
        if name in intrinsics and intrinsics[name].size != size:
            width, height = intrinsics[name].size
            raise CalibrationError(
                f"camera {name}: the clip is {size[0]}x{size[1]}, but its known intrinsics are for {width}x{height}; "
                "record at that size or calibrate the lens anew"
            )


def _select(detections: BoardDetections, names: list[str]) -> BoardDetections:
    index = [detections.cameras.index(name) for name in names]
    return replace(
        detections,
        cameras=tuple(names),
        sizes=tuple(detections.sizes[i] for i in index),
        xy=detections.xy[:, index],
    )


def _calibrate_together(
    detections: BoardDetections, lenses: list[Lens], lost: dict[str, str], progress: Progress
) -> Calibration:
    board, points = detections.board, detections.board.points
    order, turns = symmetries(board)
    found = [
        board_poses(detections.xy[:, i], points, lens.matrix, lens.distortion, fisheye=lens.fisheye)
        for i, lens in enumerate(lenses)
    ]
    if not found:
        raise CalibrationError("no camera could be calibrated: " + "; ".join(f"{n}: {w}" for n, w in lost.items()))
    candidates = np.stack([candidate_poses(poses, error, turns) for poses, error in found], axis=1)
    graph = link_cameras(candidates)
    for i, name in enumerate(detections.cameras):
        if i not in graph.linked:
            lost[name] = "it never saw the board at the same instant as another camera of the group"
    if len(graph.linked) == 1 and len(detections.cameras) + len(lost) > 1:
        raise CalibrationError(
            "no two cameras saw the board at the same instant: record a clip in which the board moves through the "
            f"space that the cameras share ({_shared_views(detections)})"
        )
    kept = sorted(graph.linked)
    world_from_board, choice = place_boards(candidates, graph.cam_from_root, graph.linked)
    xy = np.where(
        (choice >= 0)[..., None, None],
        np.take_along_axis(detections.xy, order[np.maximum(choice, 0) // 2][..., None], axis=2),
        np.nan,
    )
    placed = np.isfinite(world_from_board[:, 0, 0])
    start = lens_bundle(
        [lenses[i] for i in kept],
        [detections.sizes[i] for i in kept],
        points,
        xy[placed][:, kept],
        graph.cam_from_root[kept],
        world_from_board[placed],
    )
    own_sigma = np.array([lenses[i].sigma for i in kept])
    solution, dropped = _refine(start, own_sigma, int(placed.sum()), progress)
    names = tuple(detections.cameras[i] for i in kept)
    frames = detections.frames[placed]
    quality = measure(solution, board, names=names, frames=frames, dropped=dropped)
    rig = _make_rig(solution, names, [detections.sizes[i] for i in kept], quality)
    used = replace(_select(detections, list(names)), frames=frames, xy=xy[placed][:, kept])
    _say_links(graph, detections.cameras)
    uncertainty = parameter_uncertainty(solution)
    return Calibration(
        rig=rig,
        board=board,
        quality=quality,
        unlinked=dict(sorted(lost.items())),
        detections=used,
        solution=solution,
        uncertainty=uncertainty,
        volume=volume_error(solution, uncertainty, used.sizes),
        links={
            (detections.cameras[a], detections.cameras[b]): link
            for (a, b), link in graph.links.items()
            if a in kept and b in kept
        },
    )


def _shared_views(detections: BoardDetections) -> str:
    views = ", ".join(f"{n} {c}" for n, c in zip(detections.cameras, detections.n_views, strict=True))
    return f"views of the board: {views}"


def _say_links(graph: Graph, names: tuple[str, ...]) -> None:
    for a, b in graph.tree:
        link = graph.links[a, b]
        if link.agreeing < 5:
            logger.warning(
                "%s and %s are linked by %d of %d shared views only", names[a], names[b], link.agreeing, link.shared
            )


def _refine(start: Bundle, own_sigma: FloatArray, n_frames: int, progress: Progress) -> tuple[Solution, BoolArray]:
    """Refine all together if that predicts held-out instants better than lenses from each camera's own views.

    Views that fit nothing are left out.
    """
    lens = np.arange(LENS_SIZE + 6) < LENS_SIZE
    dropped = np.zeros((n_frames, len(start.lens)), dtype=bool)

    def solve(bundle: Bundle) -> Solution:
        solution = refine(bundle, own_sigma=own_sigma, progress=progress)
        for _ in range(3):
            bundle = solution.bundle
            median = np.nanmedian(np.linalg.norm(residuals(bundle), axis=-1), axis=1)
            bad = median > _BAD_VIEW * solution.sigma[bundle.camera]
            if not bad.any():
                break
            dropped[bundle.frame[bad], bundle.camera[bad]] = True
            solution = refine(select_views(bundle, ~bad), rounds=2, own_sigma=own_sigma, progress=progress)
        return solution

    solution = solve(replace(start, free=start.free & ~lens))
    held, held_dropped = solution, dropped.copy()
    unknown = bool((start.free & lens).any())
    together = unknown and better_together(solution, start.free, own_sigma)
    if together:
        dropped[:] = False
        solution = solve(replace(start, cam_from_world=held.bundle.cam_from_world))
        # what is no matter of lenses (shutters out of step) would only bend them
        together = bool(np.median(solution.sigma / own_sigma) <= _OUT_OF_STEP)
    if not together:
        solution, dropped = held, held_dropped
    if unknown and not together:
        logger.info(
            "lenses are held as each camera's own views give them: together they predict nothing clearly better"
        )
    excess = float(np.median(solution.sigma / own_sigma))
    if excess > _OUT_OF_STEP:
        logger.warning(
            "the cameras together fit %.0f times worse than each alone (%.2f px against %.2f px): they may not be in "
            "step, or one moved",
            excess,
            1.1774 * float(np.median(solution.sigma)),
            1.1774 * float(np.median(own_sigma)),
        )
    return solution, dropped


def _make_rig(solution: Solution, names: tuple[str, ...], sizes: list[tuple[int, int]], quality: Quality) -> Rig:
    bundle = solution.bundle
    rotation, translation = rotvec_translation(bundle.cam_from_world @ inverse(bundle.cam_from_world[0]))
    cameras = tuple(
        Camera(
            name,
            sizes[i],
            bundle.matrix(i),
            bundle.distortion(i),
            rotation[i],
            translation[i],
            fisheye=bool(bundle.fisheye[i]),
        )
        for i, name in enumerate(names)
    )
    return Rig(cameras, {"adjusted": True, "error": quality.error_px})
