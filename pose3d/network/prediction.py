"""A trained network applied to images."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import ModelError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image
from pose3d.io.scaled_frames import scale_image, scaled_size
from pose3d.log import logger
from pose3d.network.decoding import decode
from pose3d.network.litert import OFFSET_GAIN, LiteRTNetwork
from pose3d.network.model_folder import ModelFolder, NetworkFile, read_model
from pose3d.network.padding import pad_image
from pose3d.network.spec import NetworkSpec

__all__ = ["Device", "Predictor"]

Device: TypeAlias = Literal["auto", "cpu", "gpu"]


class _Network(Protocol):
    """What gives the output of images of one size, whose sides are multiples of 32."""

    quantization: tuple[float, int] | None

    def run_batch(self, images: NDArray[np.uint8]) -> NDArray[Any]: ...


class Predictor:
    """Finds keypoints in images with a trained network.

    Parameters
    ----------
    model : NetworkFile
    network : object
        What computes its output.
    precision : str
        ``fp32`` or ``int8``.
    device : str
        ``cpu`` or ``gpu``.
    offset_gain : float, optional
        By which the offsets of `network` are larger than the model's.

    Attributes
    ----------
    spec : NetworkSpec
    precision, device : str
    """

    def __init__(
        self, model: NetworkFile, network: _Network, *, precision: str, device: str = "cpu", offset_gain: float = 1.0
    ) -> None:
        self.spec: NetworkSpec = model.spec
        self.temperature = model.temperature
        self.precision = precision
        self.device = device
        self._network = network
        self._decoded_as = replace(model.spec, locref_px=model.spec.locref_px / offset_gain)

    def __repr__(self) -> str:
        return f"Predictor({len(self.spec.keypoints)} keypoints, {self.precision} on the {self.device})"

    @classmethod
    def open(
        cls, model: str | Path | ModelFolder, *, precision: str | None = None, threads: int = 1, device: Device = "cpu"
    ) -> "Predictor":
        """Open a trained network.

        Parameters
        ----------
        model : path or ModelFolder
            The folder with its ``model.toml``.
        precision : str, optional
            ``fp32`` or ``int8``; by default the one that the model was found to be good enough with.
        threads : int, optional
            Of one prediction on the CPU.
        device : str, optional
            ``gpu`` runs the trained weights in TensorFlow; ``auto`` does so where there is a GPU and no `precision` but
            ``fp32`` is asked for.

        Raises
        ------
        ModelError
            If there is no such network, it is damaged, or was not exported in this precision.
        DependencyError
            If there is no GPU that TensorFlow can use though one is asked for.
        """
        file, place = read_model(model.folder if isinstance(model, ModelFolder) else model)
        if device == "gpu" or (device == "auto" and precision in (None, "fp32") and _has_gpu()):
            from pose3d.network.tensorflow_predictor import TensorFlowNetwork, count_gpus

            if device == "gpu" or count_gpus():
                return cls(file, TensorFlowNetwork(file.spec, place.weights), precision="fp32", device="gpu")
            logger.info("there is a GPU, but TensorFlow cannot use it; the CPU is used")
        chosen = file.precision if precision is None else precision
        if chosen not in ("fp32", "int8"):
            raise ValueError(f"precision is fp32 or int8, not {chosen!r}")
        path = place.int8 if chosen == "int8" else place.fp32
        if not path.is_file():
            raise ModelError(f"{path}: is missing, the network was not exported in {chosen}; train or export it anew")
        network = LiteRTNetwork(path, threads=threads)
        if network.n_keypoints != len(file.spec.keypoints):
            raise ModelError(
                f"{path}: finds {network.n_keypoints} keypoints, model.toml names {len(file.spec.keypoints)}; "
                "copy the model's folder anew"
            )
        return cls(file, network, precision=chosen, offset_gain=OFFSET_GAIN)

    def scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size to which images are scaled for this network, px."""
        return scaled_size(size, self.spec.scale)

    def predict(self, images: Sequence[Image] | Image, *, n_peaks: int = 1) -> tuple[FloatArray, FloatArray]:
        """Find keypoints in images that are scaled already.

        Parameters
        ----------
        images : (n, h, w, 3) uint8 array, or a sequence of (h, w, 3)
            Red, green, blue, of one size, scaled by the network's `scale`.
        n_peaks : int, optional

        Returns
        -------
        xy : (n, n_keypoints, n_peaks, 2) array, px of the full image
            Best peak first; NaN where there is no further one.
        score : (n, n_keypoints, n_peaks) array, 0..1
        """
        height, width = images[0].shape[:2]
        output = self._network.run_batch(np.stack([pad_image(image, multiple=self.spec.multiple) for image in images]))
        # Cells of the padding hold no keypoint.
        stride = self.spec.stride
        output = output[:, : -(-height // stride), : -(-width // stride)]
        return decode(
            output,
            spec=self._decoded_as,
            n_peaks=n_peaks,
            temperature=self.temperature,
            quantization=self._network.quantization,
        )

    def to_frame(self, xy: FloatArray, size: tuple[int, int]) -> FloatArray:
        """Correct places in a frame whose scaled width and height had to be rounded.

        Parameters
        ----------
        xy : (..., 2) array, px
            As :meth:`predict` gives them.
        size : (int, int)
            Width and height of the frame, px.
        """
        exact = np.array(size) / (np.array(self.scaled_size(size)) / self.spec.scale)
        return np.asarray((xy + 0.5) * exact - 0.5)

    def predict_image(self, image: Image, *, n_peaks: int = 1) -> tuple[FloatArray, FloatArray]:
        """Find keypoints in one image as :func:`pose3d.io.video.open_frames` gives it.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
            Blue, green, red.
        n_peaks : int, optional

        Returns
        -------
        xy : (n_keypoints, n_peaks, 2) array, px
        score : (n_keypoints, n_peaks) array, 0..1
        """
        size = (image.shape[1], image.shape[0])
        small = np.ascontiguousarray(scale_image(image, self.scaled_size(size))[:, :, ::-1])
        xy, score = self.predict([small], n_peaks=n_peaks)
        return self.to_frame(xy[0], size), score[0]


def _has_gpu() -> bool:
    """Tell whether there may be a GPU, without the seconds that TensorFlow takes to find out."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None
