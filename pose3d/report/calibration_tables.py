"""The calibration report's tables: distances, lenses and poses with their standard deviations, settings."""

import platform
from typing import Any

import numpy as np

import pose3d
from pose3d.calibration import Calibration
from pose3d.geometry.arrays import FloatArray

from .calibration_measures import CameraViews, baselines, center_sd_mm
from .drawing import number

__all__ = ["distances", "parameters", "settings", "value_and_sd"]

_LENS_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_FISHEYE_NAMES = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")


def value_and_sd(value: float, sd: float) -> str:
    """Return a value with as many digits as its standard deviation justifies: two of the deviation.

    Examples
    --------
    >>> value_and_sd(1002.3456, 0.6123), value_and_sd(-0.12003, 0.00042), value_and_sd(1250.7, 31.0)
    ('1002.35 ± 0.61', '-0.12003 ± 0.00042', '1251 ± 31')
    >>> value_and_sd(0.05, 0.0)
    '0.05 (held)'
    """
    if not np.isfinite(sd) or not np.isfinite(value):
        return f"{value:.6g} (not determined)"
    if sd <= 0:
        return f"{value:.5g} (held)"
    decimals = 1 - int(np.floor(np.log10(sd)))
    if abs(value) < 1e-4 and decimals > 7:
        return f"{value:.1e} ± {sd:.1e}"
    return f"{value:.{max(decimals, 0)}f} ± {sd:.{max(decimals, 0)}f}"


def _distance(length: float, sd: float) -> str:
    return value_and_sd(length, sd if sd < length else np.nan)


def distances(calibration: Calibration) -> dict[str, Any] | None:
    """Return the distances between cameras."""
    if len(calibration.rig) < 2:
        return None
    length, sd = baselines(calibration)
    names = calibration.rig.names
    cells = [
        [_distance(length[i, j], sd[i, j]) if j < i else "" for j in range(len(names) - 1)] for i in range(len(names))
    ]
    return {"heads": names[:-1], "rows": list(zip(names[1:], cells[1:], strict=True))}


def parameters(calibration: Calibration) -> dict[str, Any]:
    """Return the sixth part: all numbers with their standard deviations."""
    bundle, uncertainty = calibration.solution.bundle, calibration.uncertainty
    n_coefficients = [len(camera.distortion) for camera in calibration.rig]
    lens_heads = max(
        (_lens_names(camera.fisheye, n) for camera, n in zip(calibration.rig, n_coefficients, strict=True)), key=len
    )
    if any(camera.fisheye for camera in calibration.rig) and not all(camera.fisheye for camera in calibration.rig):
        lens_heads = tuple(dict.fromkeys((*_FISHEYE_NAMES, *lens_heads)))
    lenses, poses = [], []
    center_sd, turn_sd = center_sd_mm(calibration), uncertainty.rotation_sd_deg
    for i, camera in enumerate(calibration.rig):
        mine = dict(
            zip(
                _lens_names(camera.fisheye, n_coefficients[i]),
                (value_and_sd(v, s) for v, s in zip(bundle.lens[i], uncertainty.lens_sd[i], strict=True)),
                strict=False,
            )
        )
        model = "fisheye" if camera.fisheye else "Brown-Conrady"
        lenses.append(
            (camera.name, f"{camera.size[0]} x {camera.size[1]}", model, [mine.get(h, "") for h in lens_heads])
        )
        free = bool(bundle.free[i, 12:].any())
        poses.append(
            (
                camera.name,
                [f"{v:.2f}" for v in camera.center],
                [f"{v:.3f}" for v in np.rad2deg(camera.rotation)],
                [_deviation(v) if free else "origin" for v in center_sd[i]],
                [_deviation(v) if free else "origin" for v in turn_sd[i]],
            )
        )
    return {"lens_heads": lens_heads, "lenses": lenses, "poses": poses}


def _deviation(value: float) -> str:
    return number(float(value), 2)


def _lens_names(fisheye: bool, n: int) -> tuple[str, ...]:
    return (_FISHEYE_NAMES if fisheye else _LENS_NAMES)[: 4 + n]


def settings(calibration: Calibration, every: list[CameraViews], fps: float | None) -> list[tuple[str, str]]:
    """Return what was calibrated, and with what."""
    import cv2
    import scipy

    versions = (
        f"pose3d {pose3d.__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, OpenCV {cv2.__version__}"
    )
    frames: FloatArray = calibration.detections.frames.astype(np.float64)
    span = f"{frames.min():.0f} to {frames.max():.0f}" if len(frames) else "none"
    return [
        ("board", calibration.board.describe()),
        ("instants", f"{len(frames)} (recording frames {span})"),
        ("views, corners", f"{sum(len(v.frames) for v in every)}, {sum(len(v.xy) for v in every)}"),
        *([("frame rate", f"{fps:g} a second")] if fps is not None else []),
        (
            "solver",
            f"{calibration.solution.iterations} steps, "
            + ("converged" if calibration.solution.converged else "not converged"),
        ),
        ("versions", versions),
    ]
