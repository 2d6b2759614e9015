"""From trained weights to the files that are applied: LiteRT in floating point, and in whole numbers of 8 bits.

TensorFlow's converter prints what it likes and can end the program that calls it, so it runs in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pose3d.errors import ModelError
from pose3d.io.files import atomic_path
from pose3d.io.images import Image
from pose3d.log import Progress, logger, no_progress
from pose3d.network.model_folder import ModelFolder
from pose3d.network.padding import pad_image
from pose3d.network.spec import NetworkSpec

__all__ = ["choose_precision", "export_litert"]

_MOST_SAMPLES = 64  # images from which the ranges of whole numbers are learnt
_WORSE = 1.02


def export_litert(
    spec: NetworkSpec,
    folder: ModelFolder,
    images: Sequence[Image],
    *,
    precisions: Sequence[str] = ("fp32", "int8"),
    progress: Progress = no_progress,
) -> dict[str, Path]:
    """Export a network's weights for LiteRT.

    Parameters
    ----------
    spec : NetworkSpec
    folder : ModelFolder
        Holds the weights; the files are written beside them. ``model.toml`` is not touched: write it afterwards.
    images : sequence of (h, w, 3) uint8 array
        Of the training, red, green, blue, scaled as the network sees them. The ranges of whole numbers are learnt from
        64 of them.
    precisions : sequence of str, optional
        ``fp32``, ``int8``.
    progress : Progress, optional

    Returns
    -------
    dict of str to Path
        The file of each precision.

    Raises
    ------
    ModelError
        If TensorFlow cannot convert it.
    Pose3DError
        If the files cannot be written.
    """
    if not len(images):
        raise ValueError("images are needed to export a network")
    targets = {"fp32": folder.fp32, "int8": folder.int8}
    chosen = [images[i] for i in np.linspace(0, len(images) - 1, min(len(images), _MOST_SAMPLES)).round().astype(int)]
    largest = np.max([pad_image(image, multiple=spec.multiple).shape[:2] for image in chosen], axis=0)
    samples = np.stack([pad_image(image, (int(largest[1]), int(largest[0]))) for image in chosen])
    with tempfile.TemporaryDirectory(prefix="pose3d-export-") as place:
        request = Path(place) / "request.json"
        np.save(Path(place) / "images.npy", samples, allow_pickle=False)
        facts = {"spec": asdict(spec), "weights": str(folder.weights.absolute()), "precisions": list(precisions)}
        request.write_text(json.dumps(facts), encoding="utf-8")
        progress("export", 0, len(precisions))
        _convert(request, folder)
        made = {}
        for precision in precisions:
            data = (Path(place) / f"{precision}.tflite").read_bytes()
            with atomic_path(targets[precision]) as temporary:
                temporary.write_bytes(data)
            made[precision] = targets[precision]
    progress("export", len(precisions), len(precisions))
    return made


def _convert(request: Path, folder: ModelFolder) -> None:
    command = [sys.executable, "-m", "pose3d.network.convert", str(request)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    logger.debug("converter: %s", done.stderr.strip()[-2000:])
    if done.returncode == 0:
        return
    answer = request.with_name("error.txt")
    if answer.is_file():
        reason = answer.read_text(encoding="utf-8")
    else:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        reason = f"it ended with {done.returncode}: {lines[-1].strip()[:200]}"
    raise ModelError(f"{folder.folder}: TensorFlow could not export the network ({reason}); --debug shows more")


def choose_precision(errors: Mapping[str, float]) -> str:
    """Choose how a network is applied: in whole numbers where that loses no more than 2 % on held-out images.

    Parameters
    ----------
    errors : mapping of str to float
        Precision (``fp32``, ``int8``) to error on held-out images, px.

    Examples
    --------
    >>> choose_precision({"fp32": 2.0, "int8": 2.03}), choose_precision({"fp32": 2.0, "int8": 2.06})
    ('int8', 'fp32')
    """
    if "int8" not in errors or not np.isfinite(errors["int8"]):
        return "fp32"
    return "int8" if "fp32" not in errors or errors["int8"] <= _WORSE * errors["fp32"] else "fp32"
