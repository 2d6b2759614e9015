"""Make the network of this folder: ``python make_dots.py``. It finds dots of four colours, and was never trained.

Its logits are differences of colours, averaged over squares; its offsets are zero. It is small enough to be kept.
"""

from pathlib import Path

import numpy as np

from pose3d.network.convert import convert_model
from pose3d.network.model_folder import ModelFolder, NetworkFile, write_model
from pose3d.network.spec import NetworkSpec

FOLDER = Path(__file__).parent
# Red, green and blue of what is a dot for each.
COLOURS = np.array([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0], [0.5, 0.5, -1.0]])
SPEC = NetworkSpec(("red", "green", "blue", "yellow"), scale=0.5, stride=4, backbone="mobilenetv2")


def main() -> None:
    import keras

    image = keras.Input((None, None, 3))
    # Down to stride 8 and up again, so that the size of a feature stands in the file as it does in real ones.
    x = keras.layers.AveragePooling2D(8, padding="same")(image)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    fine = keras.layers.AveragePooling2D(4, padding="same")(image)
    x = keras.layers.Concatenate()([x, fine])
    model = keras.Model(image, keras.layers.Conv2D(12, 1)(x))
    kernel, bias = np.zeros((1, 1, 6, 12)), np.zeros(12)
    kernel[0, 0, :3, :4] = 0.005 * COLOURS.T
    kernel[0, 0, 3:, :4] = 0.02 * COLOURS.T
    bias[:4] = -3
    model.layers[-1].set_weights([kernel, bias])
    rng = np.random.default_rng(0)
    samples = np.repeat(rng.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8), 8, axis=1).repeat(8, axis=2)
    place = ModelFolder(FOLDER)
    place.fp32.write_bytes(convert_model(model, samples, precision="fp32"))
    place.int8.write_bytes(convert_model(model, samples, precision="int8"))
    write_model(NetworkFile(SPEC, "int8"), FOLDER)


if __name__ == "__main__":
    main()
