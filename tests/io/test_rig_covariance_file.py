"""The covariance beside a calibration: it comes back to the last bit, or not at all."""

import logging
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera, Rig, RigCovariance
from pose3d.io.rig_covariance import rig_covariance_path, write_rig_covariance
from pose3d.io.rigs import load_rig, save_rig


@pytest.fixture
def rig():
    rng = np.random.default_rng(0)
    cameras = tuple(
        Camera(
            f"càm {i}", (640, 480), [[500, 0, 320], [0, 500, 240], [0, 0, 1]], np.zeros(4), [0, 0.1 * i, 0],
            [900.0 * i, 0, 2000], fisheye=i == 1,
        )
        for i in range(12)
    )  # fmt: skip
    camera, parameter = np.repeat(np.arange(12), 14), np.tile([*range(8), *range(12, 18)], 12)
    root = rng.normal(size=(168, 200))
    names = tuple(c.name for c in cameras)
    return Rig(cameras, {}, RigCovariance(root @ root.T, camera, parameter, names, names[3]))


@pytest.fixture
def saved(rig, tmp_path):
    save_rig(rig, tmp_path / "calibration.toml")
    return tmp_path / "calibration.toml"


def test_it_comes_back_to_the_last_bit(rig, saved, caplog):
    back = load_rig(saved)
    assert rig_covariance_path(saved).name == "calibration.uncertainty.npz"
    for name in ("covariance", "camera", "parameter"):
        assert np.array_equal(getattr(back.covariance, name), getattr(rig.covariance, name))
    assert (back.covariance.cameras, back.covariance.reference) == (rig.names, "càm 3")
    assert not caplog.records
    assert sorted(p.name for p in saved.parent.iterdir()) == ["calibration.toml", "calibration.uncertainty.npz"]


def test_people_can_read_it_with_numpy(saved):
    with np.load(rig_covariance_path(saved), allow_pickle=False) as file:
        assert file["name"][:2].tolist() == ["càm 0.fx", "càm 0.fy"]
        assert file["name"][14 + 6] == "càm 1.k3"
        assert file["name"][6] == "càm 0.p1"
        assert file["covariance"].shape == (168, 168)


def test_the_same_rig_makes_the_same_bytes(rig, saved, tmp_path):
    save_rig(rig, tmp_path / "b" / "calibration.toml")
    assert rig_covariance_path(tmp_path / "b" / "calibration.toml").read_bytes() == (
        rig_covariance_path(saved).read_bytes()
    )


def test_a_calibration_changed_since_has_none(saved, caplog):
    text = saved.read_bytes()
    saved.write_bytes(text.replace(b"900.0", b"901.0"))
    assert load_rig(saved).covariance is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "written for another version of the calibration" in record.getMessage()
    assert len(record.getMessage().splitlines()) == 1
    caplog.clear()
    saved.write_bytes(text.replace(b"\n", b"\r\n"))  # git on another system
    assert load_rig(saved).covariance is not None
    assert not caplog.records


@pytest.mark.parametrize("format", ["anipose", "pose2sim", "caliscope"])
def test_an_old_file_does_not_outlive_its_calibration(rig, saved, caplog, format):
    pinhole = Rig(tuple(replace(camera, fisheye=False, name=f"cam_{i}") for i, camera in enumerate(rig)))
    save_rig(pinhole, saved, format=format)
    assert not rig_covariance_path(saved).exists()
    assert load_rig(saved).covariance is None
    assert not caplog.records


def test_a_rig_without_covariance_has_none_to_write(rig, saved):
    with pytest.raises(ValueError, match="no covariance"):
        write_rig_covariance(Rig(rig.cameras), saved)


def other(path, **changes):
    """Write the file anew with other arrays."""
    with np.load(path) as file:
        values = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"covariance": None},
        {"covariance": np.array([{"a": 1}], dtype=object)},
        {"covariance": np.eye(3)},
        {"covariance": np.full((168, 168), np.nan)},
        {"covariance": -np.eye(168)},
        {"covariance": np.eye(168, dtype=np.complex128)},
        {"camera": np.full(168, 99)},
        {"camera": np.zeros(168)},
        {"parameter": np.full(168, 2**62)},
        {"parameter": np.tile([*range(7), 9, *range(12, 18)], 12)},
        {"cameras": np.array(["a", "b"])},
        {"cameras": np.array([f"c{i}" for i in range(12)])},
        {"cameras": np.arange(12)},
        {"reference": np.array(["a", "b"])},
        {"calibration_sha256": np.array(5)},
    ],
    ids=str,
)
def test_nonsense_is_left_aside(saved, caplog, changes):
    other(rig_covariance_path(saved), **changes)
    assert load_rig(saved).covariance is None
    (record,) = caplog.records
    assert "calibration.uncertainty.npz" in record.getMessage()
    assert "how well the cameras of calibration.toml are known is unknown" in record.getMessage()
    assert len(record.getMessage().splitlines()) == 1


def test_damaged_files_are_left_aside(saved, caplog):
    path = rig_covariance_path(saved)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    broken = [b"", b"PK", b"no zip at all", whole[: len(whole) // 2], whole[:-30]]
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 8 if rng.random() < 0.5 else 400):
            damaged[at] = rng.integers(256)
        broken.append(bytes(damaged))
    for data in broken:
        path.write_bytes(data)
        caplog.clear()
        found = load_rig(saved).covariance  # damage between the members may go unnoticed
        assert (found is None) == (len(caplog.records) == 1)
    path.unlink()
    path.mkdir()
    caplog.clear()
    assert load_rig(saved).covariance is None
    assert "is a folder" in caplog.text


def test_a_bomb_does_not_go_off(saved, caplog):
    path = rig_covariance_path(saved)
    header = np.lib.format.magic(1, 0)
    facts = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }\n"
    with np.load(path) as file:
        values = {name: file[name] for name in file.files if name != "covariance"}
    np.savez(path, **values)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("covariance.npy", header + len(facts).to_bytes(2, "little") + facts + bytes(10**6))
    assert load_rig(saved).covariance is None
    assert "too many to be true" in caplog.text
