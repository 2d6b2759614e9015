"""Runs ezc3d in a process of its own: ``python -P c3d_worker.py IN.c3d OUT.npz``.

Its parser is C++ and may crash on a damaged file; then this process ends, and not the one that asked.
"""

import json
import sys
from typing import Any

import numpy as np

__all__: list[str] = []


def parse(source: str, target: str) -> None:
    """Read a C3D and write points, plates and parameters as arrays without pickle."""
    import ezc3d

    trouble = ""
    try:
        file = ezc3d.c3d(source, extract_forceplat_data=True, ignore_bad_formatting=True)
    except Exception as error:
        trouble = str(error)  # plates of a kind that ezc3d does not know; if it is not they, it fails again
        file = ezc3d.c3d(source, ignore_bad_formatting=True)
    arrays: dict[str, Any] = {
        "points": file["data"]["points"][:3],
        "first_frame": file["header"]["points"]["first_frame"],
        "analog_rate": file["header"]["analogs"]["frame_rate"],
    }
    plates = file["data"].get("platform", [])
    for i, plate in enumerate(plates):
        for key in ("force", "center_of_pressure", "corners"):
            arrays[f"plate{i}_{key}"] = plate[key]
    parameters = {
        group: {name: _plain(item["value"]) for name, item in members.items() if name != "__METADATA__"}
        for group, members in file["parameters"].items()
    }
    units = [(plate["unit_force"], plate["unit_position"]) for plate in plates]
    told = {"parameters": parameters, "plates": units, "plate_trouble": trouble}
    np.savez(target, json=np.frombuffer(json.dumps(told).encode("utf-8", "replace"), np.uint8), **arrays)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


if __name__ == "__main__":
    try:
        parse(*sys.argv[1:])
    except Exception as error:
        sys.exit(" ".join(str(error).split())[:300] or type(error).__name__)
