"""Cameras, boards and the expected error in space: a view that can be turned, one from above, maps of the error."""

from typing import Any

import numpy as np

from pose3d.calibration import Calibration
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.transforms import apply

from .drawing import ERROR_RAMP, Axes, Drawing, nice_ticks, number, ramp_levels, shortened, wide_range

__all__ = ["error_maps", "grade_style", "levelled", "scene", "scene_picture", "top_view"]

_YAW, _PITCH = 0.6, 0.45  # rad, of the first sight
_MOST_BOARDS = 40
VIEW = (720, 460)  # px, of the drawing; the canvas has the same proportions
_MIDDLE = np.array(VIEW) / 2

_GRADES = {"PASS": ("#1d4f91", ""), "WARN": ("#9a6200", "▲ "), "FAIL": ("#b3361b", "✖ ")}


def grade_style(grade: str) -> tuple[str, str]:
    """Return the colour of a camera of that grade, and the sign before its name."""
    return _GRADES.get(grade, _GRADES["PASS"])


def levelled(calibration: Calibration) -> tuple[FloatArray, tuple[str, str, str]]:
    """Return axes for pictures as rows (3, 3), right, away and up, and their names.

    A world that was set has its own axes, z up. Else the world is the first camera's frame, and upright is what is
    upright in most images.
    """
    poses = calibration.rig.cam_from_world
    if not np.allclose(poses[0], np.eye(4), atol=1e-6):
        return np.eye(3), ("x", "y", "z")
    up = -poses[:, 1, :3].mean(0)
    if np.linalg.norm(up) < 0.2:  # the cameras lie on their sides in all directions
        up = -poses[0, 1, :3]
    up /= np.linalg.norm(up)
    away = poses[0, 2, :3] - (poses[0, 2, :3] @ up) * up
    if np.linalg.norm(away) < 0.1:  # the first camera looks straight down
        away = -poses[0, 1, :3] + (poses[0, 1, :3] @ up) * up
    away /= np.linalg.norm(away)
    return np.stack([np.cross(away, up), away, up]), ("right", "away", "up")


def _frusta(calibration: Calibration, length: float) -> FloatArray:
    """Return each camera's centre and the four corners of its image `length` before it, (n_cameras, 5, 3) mm."""
    out = []
    for camera in calibration.rig:
        w, h = camera.size
        K = camera.matrix
        corners = (np.array([[0, 0], [w, 0], [w, h], [0, h]]) - K[:2, 2]) / [K[0, 0], K[1, 1]]
        corners = np.clip(corners, -1.2, 1.2)  # a fisheye's would be endless
        X = np.concatenate([np.zeros((1, 3)), np.column_stack([corners, np.ones(4)]) * length])
        R, t = camera.cam_from_world[:3, :3], camera.cam_from_world[:3, 3]
        out.append((X - t) @ R)
    return np.stack(out)


def _boards(calibration: Calibration) -> FloatArray:
    """Return the outlines of a few dozen boards, evenly from the recording, (n, 4, 3) mm."""
    bundle = calibration.solution.bundle
    seen = np.unique(bundle.frame)
    pick = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _MOST_BOARDS)).round().astype(int))]
    nx, ny = calibration.board.corners
    outline = calibration.board.points[[0, nx - 1, nx * ny - 1, nx * (ny - 1)]]
    return apply(bundle.world_from_board[pick][:, None], outline)


def scene(calibration: Calibration, grades: dict[str, str]) -> dict[str, Any]:
    """Return what the view that can be turned shows, as plain numbers in levelled axes around the scene's middle.

    Parameters
    ----------
    calibration : Calibration
    grades : dict of str to str
        Of each camera, by name.
    """
    basis, _ = levelled(calibration)
    centers, boards = calibration.rig.centers @ basis.T, _boards(calibration) @ basis.T
    everything = np.concatenate([centers, boards.reshape(-1, 3)])
    low, high = everything.min(0), everything.max(0)
    middle, radius = (low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, 1e-6)
    frusta = _frusta(calibration, 0.16 * radius) @ basis.T - middle
    shadow = np.abs(
        _seen(np.concatenate([frusta.reshape(-1, 3), boards.reshape(-1, 3) - middle]), radius)[:, :2] - _MIDDLE
    )
    fit = 0.47 * float(np.min(_MIDDLE * 0.86 / np.maximum(shadow.max(0), 1e-9)))
    volume = calibration.volume
    levels, _, _ = _levels(volume.calibration_mm)
    step = float(nice_ticks(0, 2 * radius, 8)[1])
    n = int(np.ceil(float(np.abs(everything - middle)[:, :2].max()) / step))
    return {
        "radius": round(radius, 1),
        "fit": round(fit, 3),
        "yaw": _YAW,
        "pitch": _PITCH,
        "floor": {"z": round(float(low[2] - middle[2] - 0.02 * radius), 1), "step": step, "n": n},
        "cameras": [
            {
                "name": grade_style(grades.get(name, "PASS"))[1] + name,
                "color": grade_style(grades.get(name, "PASS"))[0],
                "points": points.round(1).tolist(),
            }
            for name, points in zip(calibration.rig.names, frusta, strict=True)
        ],
        "boards": (boards - middle).round(1).tolist(),
        "errors": np.column_stack([volume.xyz @ basis.T - middle, levels]).round(1).tolist(),
        "ramp": list(ERROR_RAMP),
    }


def _seen(points: FloatArray, radius: float, fit: float = 0.47) -> FloatArray:
    """Project levelled points (..., 3) as the page's script does, (..., 3): right and down in px, depth."""
    x = np.cos(_YAW) * points[..., 0] + np.sin(_YAW) * points[..., 1]
    y = np.cos(_YAW) * points[..., 1] - np.sin(_YAW) * points[..., 0]
    up = np.cos(_PITCH) * points[..., 2] + np.sin(_PITCH) * y
    depth = np.cos(_PITCH) * y - np.sin(_PITCH) * points[..., 2]
    scale = fit * VIEW[1] / radius / (1 + depth / (5 * radius))
    return np.stack([VIEW[0] / 2 + scale * x, VIEW[1] / 2 - scale * up, depth], axis=-1)


def scene_picture(data: dict[str, Any]) -> str:
    """Draw the first sight of a scene, for paper and for readers without scripts."""
    draw = Drawing(*VIEW, "Cameras and boards in space")
    radius, fit, floor = data["radius"], data["fit"], data["floor"]
    ticks = np.arange(-floor["n"], floor["n"] + 1) * floor["step"]
    end = np.full_like(ticks, floor["n"] * floor["step"])
    z = np.full_like(ticks, floor["z"])
    for a, b in ((ticks, end), (end, ticks)):
        start, stop = (a, -b) if a is ticks else (-a, b), (a, b)
        ends = [_seen(np.column_stack([*pair, z]), radius, fit)[:, :2] for pair in (start, stop)]
        draw.segments(ends[0], ends[1], 'class="grid"')
    boards = _seen(np.array(data["boards"]).reshape(-1, 4, 3), radius, fit)
    for board in boards[np.argsort(-boards[..., 2].mean(-1))]:
        draw.polygons(board[None, :, :2], 'fill="#56b4e9" fill-opacity=".18" stroke="#0072b2" stroke-opacity=".55"')
    for camera in data["cameras"]:
        tip, *corners = _seen(np.array(camera["points"]), radius, fit)[:, :2]
        image = np.stack(corners)
        style = f'stroke="{camera["color"]}" stroke-width="1.4"'
        draw.polygons(image[None], f'fill="{camera["color"]}" fill-opacity=".14" {style}')
        draw.segments(np.broadcast_to(tip, image.shape), image, style)
        away = tip - image.mean(0)
        x, y = tip + 15 * away / max(float(np.linalg.norm(away)), 1e-9)
        draw.text(float(x), float(y) + 4, camera["name"], "name", anchor="middle")
    return draw.svg()


def top_view(calibration: Calibration, grades: dict[str, str]) -> str:
    """Draw cameras and boards from above, to scale."""
    basis, names = levelled(calibration)
    centers = calibration.rig.centers @ basis.T
    boards = _boards(calibration) @ basis.T
    every = np.concatenate([centers[:, :2], boards.reshape(-1, 3)[:, :2]])
    reach = max(float(np.ptp(every, axis=0).max()), 1.0)
    frusta = _frusta(calibration, 0.09 * reach) @ basis.T
    every = np.concatenate([every, frusta.reshape(-1, 3)[:, :2]])
    room = np.array([0.2, 0.08]) * reach  # for the names
    low, high = every.min(0) - room, every.max(0) + room
    drawing, axes = _map_axes(low, high, 400, f"The rig from above, {names[0]} and {names[1]} in mm")
    axes.grid(f"{names[0]} (mm)", f"{names[1]} (mm)")
    drawing.polygons(axes.at(boards[..., :2]), 'fill="#56b4e9" fill-opacity=".15" stroke="#0072b2" stroke-opacity=".5"')
    middle = centers[:, :2].mean(0)
    for i, name in enumerate(calibration.rig.names):
        color, sign = grade_style(grades.get(name, "PASS"))
        points = axes.at(frusta[i][:, :2])
        drawing.segments(np.broadcast_to(points[0], (4, 2)), points[1:], f'stroke="{color}" stroke-width="1.4"')
        drawing.polygons(points[None, 1:], f'fill="{color}" fill-opacity=".3" stroke="{color}"')
        away = (centers[i, :2] - middle) / max(float(np.linalg.norm(centers[i, :2] - middle)), 1e-9)
        x, y = float(points[0, 0] + 8 * away[0]), float(points[0, 1] - 12 * away[1] + 4)
        anchor = "start" if away[0] > 0.5 else "end" if away[0] < -0.5 else "middle"
        drawing.text(x, y, sign + shortened(name), "name", anchor=anchor)
    return drawing.svg()


def _map_axes(low: FloatArray, high: FloatArray, longest: float, title: str) -> tuple[Drawing, Axes]:
    """Make axes with one scale for both directions."""
    width, height = (high - low) * longest / max(float((high - low).max()), 1e-9)
    drawing = Drawing(width + 62, height + 46, title)
    return drawing, Axes(
        drawing, (50, 8, width, height), (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
    )


def _levels(values: FloatArray) -> tuple[FloatArray, float, float]:
    """Return places on the ramp, and its ends: the 2nd and the 98th percentile, so that one corner does not rule."""
    if not np.isfinite(values).any():
        return np.zeros(len(values)), 0.0, 1.0
    low, high = (float(v) for v in np.nanpercentile(values, [2, 98]))
    low, high = wide_range(low, high, 2.0)
    return ramp_levels(values, low, high).astype(np.float64), low, high


def error_maps(calibration: Calibration, values: FloatArray, what: str) -> list[tuple[str, str]]:
    """Draw the expected error over the recorded volume, averaged along the line of sight, from three sides.

    Parameters
    ----------
    calibration : Calibration
    values : (n,) array, mm
        One for each point of ``calibration.volume``.
    what : str
        Words for the scale.

    Returns
    -------
    list of (str, str)
        A caption and a picture for each side, all with one scale; none without a volume.
    """
    basis, names = levelled(calibration)
    xyz = calibration.volume.xyz @ basis.T
    if len(xyz) < 2:
        return []
    distance = np.linalg.norm(xyz - xyz[0], axis=-1)
    step = float(distance[distance > 1e-6].min(initial=np.inf))
    _, low, high = _levels(values)
    longest = 215 / max(float(np.ptp(xyz, axis=0).max()) + step, 1e-9)
    out = []
    for caption, (a, b) in (("from above", (0, 1)), ("from the front", (0, 2)), ("from the side", (1, 2))):
        flat = xyz[:, [a, b]]
        start, stop = flat.min(0) - step / 2, flat.max(0) + step / 2
        title = f"{what} {caption}, {number(low, 2)} to {number(high, 2)} mm"
        width, height = (stop - start) * longest
        drawing = Drawing(290, height + 76, title)
        axes = Axes(
            drawing,
            (56, 6, width, height),
            (float(start[0]), float(stop[0])),
            (float(start[1]), float(stop[1])),
        )
        n = np.maximum(np.round((stop - start) / (step / 2)), 1).astype(int)
        edges = [np.linspace(s, e, k + 1) for s, e, k in zip(start, stop, n, strict=True)]
        middles = np.stack(np.meshgrid(*[(e[1:] + e[:-1]) / 2 for e in edges], indexing="ij"), axis=-1)
        squared = ((middles[:, :, None] - flat) ** 2).sum(-1) / (0.5 * step) ** 2
        weight = np.where(squared < 4, np.exp(-squared / 2), 0.0)
        total = weight.sum(-1)
        rms = np.sqrt((weight * values**2).sum(-1) / np.maximum(total, 1e-12))
        axes.grid(f"{names[a]} (mm)", f"{names[b]} (mm)", n_x=4)
        axes.cells((edges[0], edges[1]), ramp_levels(rms, low, high), total > 0.3, ERROR_RAMP)
        Axes(drawing, (56, 6, width, height + 28), axes.x, axes.y).color_scale(low, high, "mm")
        out.append((caption, drawing.svg()))
    return out
