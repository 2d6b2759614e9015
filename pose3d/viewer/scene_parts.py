"""The parts of a scene, each from the arrays of a playback."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pose3d.data import Status
from pose3d.data.events import STRIKE
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.viewer import palette
from pose3d.viewer.anatomy import trailed
from pose3d.viewer.arcs import AngleArcs
from pose3d.viewer.palette import Colour
from pose3d.viewer.playback import Playback
from pose3d.viewer.shapes import Ellipsoids, Labels, Lines, Markers, colours

__all__ = ["Parts"]

_SPACING_MM = (50.0, 100.0, 250.0, 500.0, 1000.0)
_PIECES = 16  # of a floor line, which fades along its way
_LARGEST_ELLIPSOID = 0.35  # of the subject's size: what is unknown altogether need not fill the view
_TRAIL_PIECES = 30
_EVENTS_S = 2.5


@dataclass(frozen=True, eq=False)
class Parts:
    """Shapes of one playback; what is the same in all frames is made once."""

    playback: Playback

    @cached_property
    def edge_sides(self) -> IntArray:
        """(n_edges,): the side of either end that has one; 0 where they differ."""
        ends = self.playback.sides[self.playback.edges]
        low, high = ends.min(1), ends.max(1)
        return np.asarray(np.where((low > 0) & (low != high), 0, high), dtype=np.int64)

    @cached_property
    def edge_radii(self) -> FloatArray:
        """(n_edges, 2) mm: thick and tapering bones, thin ones in faces and feet."""
        playback = self.playback
        xyz = playback.points.xyz[:: max(1, playback.n_frames // 300)][:, :, playback.edges]
        length = np.linalg.norm(xyz[..., 0, :] - xyz[..., 1, :], axis=-1)
        length = length.reshape(-1, len(playback.edges)) if len(playback.edges) else np.zeros((1, 0))
        known = np.isfinite(length)
        mean = np.where(known, length, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        radius = np.clip(0.085 * mean, 0.0028 * playback.size_mm, 0.0125 * playback.size_mm)
        return np.stack([radius * 1.12, radius * 0.82], axis=-1)

    @cached_property
    def side_colours(self) -> FloatArray:
        """(3, 3): by side."""
        return np.array(palette.SIDES)

    @cached_property
    def reach_mm(self) -> float:
        """How far the floor reaches from its origin."""
        playback = self.playback
        path = (playback.path_of_subject - playback.ground.origin) @ playback.ground.axes[:2].T
        return float(np.abs(path).max(initial=0.0) + 1.6 * playback.size_mm)

    @cached_property
    def spacing_mm(self) -> float:
        """Between the floor's lines."""
        wanted = self.playback.size_mm / 3.4
        return min(_SPACING_MM, key=lambda spacing: abs(np.log(spacing / wanted)))

    @cached_property
    def floor(self) -> Lines:
        """A grid that fades away from the middle of the motion."""
        ground, step = self.playback.ground, self.spacing_mm
        n = int(np.clip(np.ceil(self.reach_mm / step), 4, 40))
        at = np.arange(-n, n + 1) * step
        along = np.linspace(-n * step, n * step, _PIECES + 1)
        a, b = np.meshgrid(at, along, indexing="ij")
        grid = np.stack([a, b], axis=-1)
        pieces = np.stack([grid[:, :-1], grid[:, 1:]], axis=2).reshape(-1, 2, 2)
        pieces = np.concatenate([pieces, pieces[..., ::-1]])
        far = np.linalg.norm(pieces.mean(1), axis=-1) / (n * step)
        fade = np.clip(1 - far, 0, 1) ** 1.3
        lines = pieces @ ground.axes[:2] + ground.origin
        kept = fade > 0.01
        return Lines("floor", lines[kept], colours(palette.GRID, 0.75 * fade[kept], int(kept.sum())), 1.0)

    @cached_property
    def axes(self) -> Lines:
        """Forward, leftward and up at the floor's origin."""
        ground = self.playback.ground
        length = 0.16 * self.playback.size_mm
        ends = np.stack([np.broadcast_to(ground.origin, (3, 3)), ground.origin + length * ground.axes], axis=1)
        rgba = np.concatenate([colours(colour, 0.8, 1) for colour in palette.AXES])
        return Lines("axes", ends, rgba, 2.0)

    @cached_property
    def frusta(self) -> tuple[Lines, Labels]:
        """The cameras as pyramids with a mark that tells which side is up, and their names."""
        rig = self.playback.rig
        if rig is None:
            return Lines("frusta", np.zeros((0, 2, 3)), colours(palette.CAMERA, 1, 0)), Labels(
                np.zeros((0, 3)), (), colours(palette.CAMERA, 1, 0)
            )
        depth = 0.13 * self.playback.size_mm
        pieces, names = [], []
        for camera in rig:
            width, height = camera.size
            corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64) - 0.5
            rays = (corners - camera.matrix[:2, 2]) / np.diag(camera.matrix)[:2]
            mark = np.array([[rays[0, 0] * 0.5 + rays[1, 0] * 0.5, rays[0, 1] - 0.28 * np.ptp(rays[:, 1])]])
            at = depth * np.column_stack([np.concatenate([rays, mark]), np.ones(5)])
            pose = camera.cam_from_world
            c = (at - pose[:3, 3]) @ pose[:3, :3]
            eye = camera.center
            pairs = [(eye, c[i]) for i in range(4)] + [(c[i], c[(i + 1) % 4]) for i in range(4)]
            pieces.append(np.array([*pairs, (c[0], c[4]), (c[1], c[4])]))
            names.append(c[4])
        lines = np.concatenate(pieces)
        return (
            Lines("frusta", lines, colours(palette.CAMERA, 0.85, len(lines)), 1.4),
            Labels(np.array(names), rig.names, colours(palette.CAMERA, 1, len(names)), 14.0),
        )

    @cached_property
    def trail_points(self) -> IntArray:
        """Keypoints with a trail."""
        return trailed(self.playback.skeleton)

    @cached_property
    def arcs(self) -> AngleArcs:
        """Angles at their joints."""
        return AngleArcs(self.playback)

    def bones(
        self,
        row: int,
        who: IntArray,
        *,
        name: str = "bones",
        colour: Colour | None = None,
        alpha: float = 1.0,
        thin: float = 1.0,
    ) -> Lines:
        """Bones of one row; paler where an end was filled."""
        playback = self.playback
        ends = playback.points.xyz[row, who][:, playback.edges].reshape(-1, 2, 3)
        status = playback.points.status[row, who][:, playback.edges].reshape(-1, 2)
        kept = np.isfinite(ends[..., 0]).all(1)
        rgba = np.empty((len(ends), 4), dtype=np.float32)
        rgba[:, :3] = np.tile(self.side_colours[self.edge_sides], (len(who), 1)) if colour is None else colour
        rgba[:, 3] = np.where((status == Status.FILLED).any(1), 0.45, 1.0) * alpha
        radii = thin * np.tile(self.edge_radii, (len(who), 1))
        return Lines(name, ends[kept], rgba[kept], 5.0, radii[kept])

    def joints(
        self,
        row: int,
        who: IntArray,
        *,
        name: str = "joints",
        colour: Colour | None = None,
        alpha: float = 1.0,
        thin: float = 1.0,
    ) -> Markers:
        """Keypoints of one row; paler where they were filled."""
        playback = self.playback
        xyz = playback.points.xyz[row, who].reshape(-1, 3)
        status = playback.points.status[row, who].reshape(-1)
        kept = np.isfinite(xyz[:, 0])
        rgba = np.empty((len(xyz), 4), dtype=np.float32)
        rgba[:, :3] = np.tile(self.side_colours[playback.sides], (len(who), 1)) if colour is None else colour
        rgba[:, 3] = np.where(status == Status.FILLED, 0.45, 1.0) * alpha
        radius = np.full(int(kept.sum()), 0.0095 * thin * playback.size_mm)
        return Markers(name, xyz[kept], rgba[kept], 4.0, radius)

    def shadow(self, bones: Lines) -> Lines:
        """Return the bones' shadow on the floor, as if the light hung far above."""
        ground = self.playback.ground
        low = ground.below(bones.xyz) + 0.001 * self.playback.size_mm * ground.up
        height = np.clip(ground.height(bones.xyz).mean(1) / self.playback.size_mm, 0, 1)
        rgba = colours(palette.SHADOW, 0.55 * (1 - 0.6 * height) * bones.rgba[:, 3], len(low))
        radius = None if bones.radius_mm is None else bones.radius_mm * (1.0 + 0.8 * height[:, None])
        return Lines("shadow", low, rgba, 6.0, radius)

    def trails(self, row: int, who: IntArray, seconds: float) -> Lines:
        """Where the ends of limbs have been."""
        playback, points = self.playback, self.trail_points
        n = max(2, round(seconds * playback.fps))
        step = max(1, n // _TRAIL_PIECES)
        rows = np.arange(row, max(row - n, -1), -step)[::-1]
        path = playback.points.xyz[np.ix_(rows, who, points)]
        pieces = np.stack([path[:-1], path[1:]], axis=-2).reshape(-1, 2, 3)
        age = np.repeat((rows[1:] - (row - n)) / n, len(who) * len(points)).clip(0, 1)
        rgba = np.empty((len(pieces), 4), dtype=np.float32)
        rgba[:, :3] = np.tile(self.side_colours[playback.sides[points]], (len(pieces) // max(len(points), 1), 1))
        rgba[:, 3] = 0.75 * age**1.5
        kept = np.isfinite(pieces[..., 0]).all(1)
        return Lines("trails", pieces[kept], rgba[kept], 1.8)

    def ellipsoids(self, row: int, who: IntArray, probability: float, magnify: float = 1.0) -> Ellipsoids | None:
        """Where the points are likely to be."""
        covariance = self._covariance(row, who)
        if covariance is None:
            return None
        playback = self.playback
        xyz = playback.points.xyz[row, who].reshape(-1, 3)
        kept = np.isfinite(xyz[:, 0]) & np.isfinite(covariance).all((1, 2))
        values, vectors = np.linalg.eigh(covariance[kept])
        reach = magnify * _reach(probability) * np.sqrt(np.maximum(values, 0.0))
        reach = np.minimum(reach, _LARGEST_ELLIPSOID * playback.size_mm)
        rgba = np.empty((len(reach), 4), dtype=np.float32)
        rgba[:, :3] = np.tile(self.side_colours[playback.sides], (len(who), 1))[kept]
        rgba[:, 3] = 0.4
        return Ellipsoids(xyz[kept], vectors * reach[:, None, :], rgba)

    def _covariance(self, row: int, who: IntArray) -> FloatArray | None:
        playback = self.playback
        if playback.points.covariance is not None:
            return np.asarray(playback.points.covariance[row, who].reshape(-1, 3, 3))
        samples = playback.samples
        if samples is None or samples.n_samples < 4 or samples.individuals != playback.points.individuals:
            return None
        drawn = np.asarray(samples.xyz[row][:, who], dtype=np.float64).reshape(samples.n_samples, -1, 3)
        away = drawn - drawn.mean(0)
        return np.asarray(np.einsum("snj,snk->njk", away, away) / (samples.n_samples - 1))

    def mass(self, row: int, who: IntArray) -> tuple[Markers, Lines] | None:
        """Return the centre of mass, and the plumb line below it."""
        centres = self.playback.centre_of_mass
        if centres is None:
            return None
        xyz = centres[row, who]
        xyz = xyz[np.isfinite(xyz[:, 0])]
        plumb = np.stack([xyz, self.playback.ground.below(xyz)], axis=1)
        marker = Markers("mass", xyz, colours(palette.CENTRE_OF_MASS, 1, len(xyz)), 6.0, None, "ring")
        return marker, Lines("plumb", plumb, colours(palette.CENTRE_OF_MASS, 0.6, len(xyz)), 1.4)

    @cached_property
    def _event_points(self) -> tuple[FloatArray, FloatArray, IntArray, list[str]]:
        """Rows, places on the floor and sides of the events whose limb is a keypoint's, and their kinds."""
        playback = self.playback
        events = playback.events
        if events is None or not len(events):
            return np.zeros(0), np.zeros((0, 3)), np.zeros(0, dtype=np.int64), []
        limbs = {limb: _keypoint_of(limb, playback.skeleton.keypoints) for limb in set(events.limbs)}
        rows = playback.event_rows()
        index = np.array([-1 if limbs[limb] is None else limbs[limb] for limb in events.limbs], dtype=np.int64)
        whole = np.round(rows).astype(np.int64)
        kept = (index >= 0) & (whole >= 0) & (whole < playback.n_frames)
        places = playback.points.xyz[whole[kept], 0, index[kept]]
        kinds = [kind for kind, keep in zip(events.kinds, kept, strict=True) if keep]
        return rows[kept], playback.ground.below(places), playback.sides[index[kept]], kinds

    def events(self, row: int) -> tuple[Markers, Markers]:
        """Strikes as discs and offs as rings on the floor, for a while after they were."""
        rows, places, sides, kinds = self._event_points
        age = (row - rows) / (self.playback.fps * _EVENTS_S)
        there = (age >= 0) & (age < 1) & np.isfinite(places[:, 0])
        strikes = np.array([kind == STRIKE for kind in kinds], dtype=np.bool_)
        out = []
        for name, chosen in (("strikes", there & strikes), ("offs", there & ~strikes)):
            rgba = np.empty((int(chosen.sum()), 4), dtype=np.float32)
            rgba[:, :3] = self.side_colours[sides[chosen]]
            rgba[:, 3] = 0.9 * (1 - age[chosen])
            out.append(Markers(name, places[chosen], rgba, 6.0, None, "disc" if name == "strikes" else "ring"))
        return out[0], out[1]

    def names(self, row: int, who: IntArray) -> Labels:
        """Names of the individuals above their heads, where there are several."""
        playback = self.playback
        if len(playback.points.individuals) < 2:
            return Labels(np.zeros((0, 3)), (), colours(palette.TEXT, 1, 0))
        places, texts = [], []
        for i in who.tolist():
            xyz = playback.points.xyz[row, i]
            xyz = xyz[np.isfinite(xyz[:, 0])]
            if len(xyz):
                top = xyz[playback.ground.height(xyz).argmax()]
                places.append(top + 0.09 * playback.size_mm * playback.ground.up)
                texts.append(playback.points.individuals[i])
        return Labels(np.array(places).reshape(-1, 3), tuple(texts), colours(palette.TEXT, 1, len(texts)))


def _reach(probability: float) -> float:
    """Return how many standard deviations an ellipsoid reaches that holds a point with a probability."""
    from scipy.special import gammaincinv

    return float(np.sqrt(2 * gammaincinv(1.5, min(max(probability, 0.01), 0.999))))


def _keypoint_of(limb: str, names: tuple[str, ...]) -> int | None:
    """Return the keypoint at which an event of a limb is drawn."""
    for end in ("Heel", "HEE", "Ankle", "ANK", "BigToe"):
        if limb + end in names:
            return names.index(limb + end)
    pattern = re.compile(rf"(?i)(^|[^a-z]){re.escape(limb)}($|[^a-z])")
    return next((i for i, name in enumerate(names) if name == limb or pattern.search(name)), None)
