"""Rigs as aniposelib's camera groups and back, for programs that stand on aniposelib."""

from typing import Any

import numpy as np

from pose3d.data.camera import Camera, Rig

__all__ = ["from_anipose", "to_anipose"]


def to_anipose(rig: Rig) -> Any:
    """Turn a rig into an ``aniposelib.cameras.CameraGroup`` with the same numbers.

    Parameters
    ----------
    rig : Rig

    Returns
    -------
    aniposelib.cameras.CameraGroup
        Importing aniposelib takes seconds (it brings JAX along).
    """
    from aniposelib.cameras import Camera as AniposeCamera
    from aniposelib.cameras import CameraGroup, FisheyeCamera

    group = []
    for camera in rig:
        kind = FisheyeCamera if camera.fisheye else AniposeCamera
        distortion = camera.distortion
        if not camera.fisheye and len(distortion) < 5:
            distortion = np.concatenate([distortion, np.zeros(5 - len(distortion))])
        group.append(
            kind(
                matrix=camera.matrix.copy(),
                dist=distortion.copy(),
                size=camera.size,
                rvec=camera.rotation.copy(),
                tvec=camera.translation.copy(),
                name=camera.name,
            )
        )
    return CameraGroup(group, dict(rig.metadata))


def from_anipose(group: Any) -> Rig:
    """Turn an ``aniposelib.cameras.CameraGroup`` into a rig with the same numbers.

    Parameters
    ----------
    group : aniposelib.cameras.CameraGroup

    Returns
    -------
    Rig
    """
    cameras = []
    for index, camera in enumerate(group.cameras):
        cameras.append(
            Camera(
                str(camera.get_name() or f"cam_{index}"),
                tuple(camera.get_size()),
                camera.get_camera_matrix(),
                camera.get_distortions(),
                camera.get_rotation(),
                camera.get_translation(),
                fisheye=type(camera).__name__ == "FisheyeCamera",
            )
        )
    return Rig(tuple(cameras), dict(group.metadata))
