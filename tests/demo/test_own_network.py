"""The network that comes with the demo, on people whom it has never seen."""

import numpy as np
import pytest

from pose3d.demo import install_network
from pose3d.demo.body_images import write_walk_images
from pose3d.io.images import read_image
from pose3d.network.model_folder import read_model
from pose3d.network.prediction import Predictor


def test_the_network_is_whole_and_small(tmp_path) -> None:
    model, place = read_model(install_network(tmp_path / "network"))
    assert sorted(model.digests) == sorted(path.name for path in place.folder.iterdir() if path.suffix != ".toml")
    assert sum(path.stat().st_size for path in place.folder.iterdir()) < 4e6


@pytest.mark.slow
def test_keypoints_of_strangers_are_found(tmp_path) -> None:
    images = write_walk_images(tmp_path / "images", {3: [20], 8: [75]}, size=(960, 720))
    predictor = Predictor.open(install_network(tmp_path / "network"), device="cpu")
    assert predictor.spec.keypoints == images.labels.keypoints
    found = np.stack([predictor.predict_image(read_image(path))[0][:, 0] for path in images.paths])
    truth = images.labels.visible().xy[:, 0]
    error = np.linalg.norm(found - truth, axis=-1)
    error = error[np.isfinite(error)]
    assert len(error) > 100
    assert np.median(error) < 2.5
    assert (error < 15).mean() > 0.95
    # What needs no image is far off, and so this is seen.
    other = np.linalg.norm(truth[4:] - truth[:4], axis=-1)
    assert np.nanmedian(other) > 20
