"""What the page knows of a recording: a description in JSON, and numbers in compact blocks of float32.

A block is read as it is drawn: rows outermost, one field after the other. NaN is what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data import Camera, Status
from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.anatomy import trailed
from pose3d.viewer.arcs import AngleArcs
from pose3d.viewer.optics import to_image
from pose3d.viewer.playback import Playback
from pose3d.viewer.trust import expected_error
from pose3d.viewer.view_camera import ViewCamera, follows, frame_camera

__all__ = ["CHUNK_ROWS", "PackedPlayback", "SecondRecording", "norm_of"]

CHUNK_ROWS = 256
_OVERVIEW_ROWS = 2048  # of the whole recording, for what has not come yet
_PLOT_BINS = 4096  # from here on plots draw least and greatest of each bin
_UNKNOWN = 255
_COLOURS = (
    *("BACKGROUND", "PANEL", "GRID", "TEXT", "DIM", "SHADOW", "LEFT", "RIGHT", "MIDLINE", "RAW", "CAMERA", "DETECTION"),
    *("CENTRE_OF_MASS", "ANGLE", "SECOND", "GOOD", "WEAK", "WEAKER", "MISSING", "FILLED"),
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SecondRecording:
    """Another recording in the same space, such as one before a treatment.

    Parameters
    ----------
    playback : Playback
    shift_mm : float, mm
        How far to the left of the first it is drawn; 0 lays both over each other.
    """

    playback: Playback
    shift_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class PackedPlayback:
    """A playback as the page asks for it.

    Parameters
    ----------
    playback : Playback
    second : SecondRecording, optional
    """

    playback: Playback
    second: SecondRecording | None = None

    @cached_property
    def fields(self) -> dict[str, tuple[int, ...]]:
        """The shape of each field in a row of a block, in their order."""
        play = self.playback
        people = play.points.xyz.shape[1:3]
        fields: dict[str, tuple[int, ...]] = {"xyz": (*people, 3), "status": people, "error": people, "path": (3,)}
        if play.points.covariance is not None:
            fields["covariance"] = (*people, 6)
        if play.raw is not None:
            fields["raw"] = (*people, 3)
        if play.centre_of_mass is not None:
            fields["centre"] = (people[0], 3)
        if self.second is not None and self.second.playback.n_frames:
            fields["second"] = self.second.playback.points.xyz.shape[1:]
        if self._seeing:
            fields["reprojected"] = (len(self._seeing), *people, 2)
        if play.views is not None:
            fields["detected"] = (len(play.views.cameras), *people, 2)
            fields["residual"] = (len(play.views.cameras) if play.rig is not None else 0,)
        if play.angles is not None:
            angles = play.angles.deg.shape[1:]
            fields["angles"] = angles
            if play.angles.low_deg is not None:
                fields["low"] = fields["high"] = angles
        return fields

    @cached_property
    def _seeing(self) -> tuple[Camera, ...]:
        return () if self.playback.rig is None else tuple(self.playback.rig)

    @cached_property
    def row_floats(self) -> int:
        """How many numbers a row of a block has."""
        return sum(int(np.prod(shape)) for shape in self.fields.values())

    @property
    def n_chunks(self) -> int:
        """Number of blocks."""
        return -(-self.playback.n_frames // CHUNK_ROWS)

    def chunk(self, index: int) -> bytes:
        """Return one block of rows, little-endian float32."""
        first = index * CHUNK_ROWS
        return self.rows(slice(first, min(first + CHUNK_ROWS, self.playback.n_frames))).tobytes()

    def rows(self, rows: slice) -> Floats:
        """Return rows as a block, (n_rows, row_floats)."""
        play = self.playback
        points, angles = play.points, play.angles
        parts: dict[str, Any] = {
            "xyz": points.xyz[rows],
            "status": points.status[rows],
            "error": points.error[rows],
            "path": play.path_of_subject[rows],
        }
        if points.covariance is not None:
            parts["covariance"] = points.covariance[rows][..., *np.triu_indices(3)]
        if play.raw is not None:
            parts["raw"] = play.raw.xyz[rows]
        if play.centre_of_mass is not None:
            parts["centre"] = play.centre_of_mass[rows]
        if self.second is not None and "second" in self.fields:  # at the same time after its beginning
            other = self.second.playback
            at = np.arange(play.n_frames)[rows] / play.fps * other.fps
            parts["second"] = other.points.xyz[np.minimum(np.round(at).astype(np.int64), other.n_frames - 1)]
        if self._seeing:
            parts["reprojected"] = np.stack([to_image(camera, points.xyz[rows]) for camera in self._seeing], axis=1)
        if play.views is not None:
            parts["detected"] = play.views.xy[rows]
            parts["residual"] = self._residual_px(parts.get("reprojected"), parts["detected"])
        if angles is not None:
            parts["angles"] = angles.deg[rows]
            if angles.low_deg is not None and angles.high_deg is not None:
                parts["low"], parts["high"] = angles.low_deg[rows], angles.high_deg[rows]
        n = len(points.xyz[rows])
        blocks = [np.asarray(parts[name], dtype="<f4").reshape(n, -1) for name in self.fields]
        return np.concatenate(blocks, axis=1)

    def _residual_px(self, reprojected: FloatArray | None, detected: FloatArray) -> FloatArray:
        """Return what :attr:`Playback.residual_px` holds of these rows: all rows would delay the first picture."""
        if reprojected is None or self.playback.views is None:
            return np.zeros((len(detected), 0))
        places = {camera.name: i for i, camera in enumerate(self._seeing)}
        out = np.full(detected.shape[:2], np.nan)
        for c, name in enumerate(self.playback.views.cameras):
            if name in places:
                away = reprojected[:, places[name]] - detected[:, c]
                distance = np.hypot(away[..., 0], away[..., 1]).reshape(len(away), -1)
                known = np.isfinite(distance)
                with np.errstate(invalid="ignore"):
                    out[:, c] = np.where(known, distance, 0.0).sum(1) / known.sum(1)
        return out

    def overview(self) -> bytes:
        """Return points and path of every so many rows (`overview_step`), which the page has from the beginning."""
        play, step = self.playback, self.overview_step
        xyz = play.points.xyz[::step]
        block = [xyz.reshape(len(xyz), -1), play.path_of_subject[::step]]
        return np.concatenate(block, axis=1).astype("<f4").tobytes()

    @property
    def overview_step(self) -> int:
        """Rows from one of the overview to the next."""
        return max(1, -(-self.playback.n_frames // _OVERVIEW_ROWS))

    def strip(self) -> bytes:
        """Return heat, missing and filled share of each row, uint8 (3, n_frames); 255 where nothing is known."""
        play = self.playback
        shares = np.stack([play.quality, play.missing_share, play.filled_share])
        known = np.isfinite(shares)
        scaled = np.round(np.clip(np.where(known, shares, 0), 0, 1) * (_UNKNOWN - 1)).astype(np.uint8)
        return np.where(known, scaled, np.uint8(_UNKNOWN)).tobytes()

    @property
    def plot_step(self) -> int:
        """Rows of one bin of the plots' overview."""
        return max(1, -(-self.playback.n_frames // _PLOT_BINS))

    def plots(self) -> bytes:
        """Return least and greatest angle of each bin, float32 (n_bins, 2, n_individuals, n_angles)."""
        angles = self.playback.angles
        if angles is None:
            return b""
        step, deg = self.plot_step, angles.deg
        starts = np.arange(0, len(deg), step)
        with np.errstate(invalid="ignore"):
            low = np.fmin.reduceat(deg, starts, axis=0)
            high = np.fmax.reduceat(deg, starts, axis=0)
        return np.stack([low, high], axis=1).astype("<f4").tobytes()

    @cached_property
    def description(self) -> dict[str, Any]:
        """All that the page needs to begin, as JSON's types."""
        play = self.playback
        points = play.points
        error, unit = expected_error(points)
        view = frame_camera(play)
        ground = play.ground
        return {
            "name": play.name,
            "n_frames": play.n_frames,
            "start": points.start,
            "fps": play.fps,
            "individuals": list(points.individuals),
            "keypoints": list(points.keypoints),
            "edges": play.edges.tolist(),
            "sides": play.sides.tolist(),
            "trailed": trailed(play.skeleton).tolist(),
            "remarks": list(play.remarks),
            "ground": {"origin": ground.origin.tolist(), "axes": ground.axes.tolist()},
            "view": _describe_view(view),
            "follow": follows(play),
            "follow_from": play.path_of_subject[_framed_row(play.n_frames)].tolist() if play.n_frames else [0, 0, 0],
            "size_mm": play.size_mm,
            "cameras": [self._describe_camera(name) for name in play.cameras],
            "angles": self._describe_angles(),
            "arcs": [
                {"angle": arc.angle, "keypoints": arc.keypoints, "straight": arc.from_straight}
                for arc in AngleArcs(play).arcs
            ],
            "second": self._describe_second(),
            "events": self._describe_events(),
            "bad": [{"first": one.first, "last": one.last, "reason": one.reason} for one in play.bad_frames],
            "expected_error": {"median": _number(_median(error)), "unit": unit},
            "fields": {name: list(shape) for name, shape in self.fields.items()},
            "chunk_rows": CHUNK_ROWS,
            "row_floats": self.row_floats,
            "overview_step": self.overview_step,
            "plot_step": self.plot_step,
            "status": {"missing": int(Status.MISSING), "filled": int(Status.FILLED)},
            "palette": {name.lower(): palette.hex_colour(getattr(palette, name)) for name in _COLOURS},
            "axes": [palette.hex_colour(colour) for colour in palette.AXES],
            "ramp": [palette.hex_colour(tuple(c)) for c in palette.quality_colours(np.linspace(0, 1, 9)).tolist()],
        }

    def _describe_camera(self, name: str) -> dict[str, Any]:
        play = self.playback
        known: dict[str, Any] = {"name": name, "video": name in play.videos, "detections": -1, "reprojections": -1}
        if play.views is not None and name in play.views.cameras:
            known["detections"] = play.views.cameras.index(name)
        if play.rig is not None and name in play.rig:
            camera = play.rig[name]
            known |= {
                "reprojections": [each.name for each in self._seeing].index(name),
                "size": list(camera.size),
                "matrix": camera.matrix.tolist(),
                "distortion": camera.distortion.tolist(),
                "fisheye": camera.fisheye,
                "pose": camera.cam_from_world.tolist(),
            }
        return known

    def _describe_angles(self) -> dict[str, Any] | None:
        play = self.playback
        if play.angles is None:
            return None
        bands = {} if play.norms is None else play.norms.bands
        norms = {}
        for name in play.angles.names:
            which = norm_of(name, bands)
            if which is not None:
                mean, sd = bands[which].at(101)
                norms[name] = {"mean": mean.tolist(), "sd": sd.tolist()}
        known = np.isfinite(play.angles.deg).any((0, 1))
        return {
            "names": list(play.angles.names),
            "known": known.tolist(),
            "norms": norms,
            "source": None if play.norms is None else play.norms.source,
        }

    def _describe_second(self) -> dict[str, Any] | None:
        if self.second is None or "second" not in self.fields:
            return None
        other = self.second.playback
        return {
            "name": other.name,
            "edges": other.edges.tolist(),
            "shift_mm": self.second.shift_mm,
            "duration_s": other.duration_s,
        }

    def _describe_events(self) -> list[dict[str, Any]]:
        play = self.playback
        if play.events is None:
            return []
        rows = play.event_rows()
        return [
            {"row": float(row), "limb": limb, "kind": kind}
            for row, limb, kind in zip(rows, play.events.limbs, play.events.kinds, strict=True)
        ]


def norm_of(angle: str, bands: Mapping[str, object]) -> str | None:
    """Return the norm that an angle has: its own name without the side."""
    for name in (angle, angle.removesuffix("_l").removesuffix("_r")):
        if name in bands:
            return name
    return None


def _describe_view(view: ViewCamera) -> dict[str, Any]:
    return {
        "target": view.target.tolist(),
        "axes": view.axes.tolist(),
        "azimuth_deg": view.azimuth_deg,
        "elevation_deg": view.elevation_deg,
        "distance_mm": view.distance_mm,
        "field_deg": view.field_deg,
    }


def _framed_row(n_frames: int) -> int:
    """Return the row about whose place in the path :func:`frame_camera` frames a motion that is followed."""
    rows = range(0, n_frames, max(1, n_frames // 600))
    return rows[len(rows) // 2]


def _median(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
