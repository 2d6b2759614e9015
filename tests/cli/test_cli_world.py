"""align and compare on files."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose3d.cli_console import register
from pose3d.cli_world import align, compare
from pose3d.data import Keypoints3D, Rig, Status
from pose3d.geometry.transforms import rigid
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.rigs import load_rig, save_rig

TURN = rigid([1.9, 0.3, -0.4], [150.0, 800.0, 2600.0])
POINTS = {
    "p1": [0, 0, 0],
    "p2": [600, 0, 0],
    "p3": [500, 500, 0],
    "p4": [-200, 400, 0],
    "p5": [-300, -300, 0],
    "wand-a": [100, 100, 300],
    "wand-b": [100, 100, 800],
}


@pytest.fixture
def world(monkeypatch) -> Callable:
    """Run align or compare in this process: exit code, output, lines of error."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    app = typer.Typer(rich_markup_mode="rich")
    register(app, panel="World", examples=["pose3d align a.toml"])(align)
    register(app, panel="World", examples=["pose3d compare a.toml b.toml"])(compare)

    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="pose3d")
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
def files(tmp_path, rig: Rig):
    """A calibration in a tilted world, clicks and 3D points in it."""
    tilted = rig.transformed(TURN)
    save_rig(tilted, tmp_path / "tilted.toml")
    rows = ["camera,point,x,y"]
    rng = np.random.default_rng(0)
    for camera in rig:
        pixels = camera.project(np.array(list(POINTS.values()), dtype=float)) + rng.normal(scale=0.2, size=(7, 2))
        rows += [f"{camera.name},{name},{x!r},{y!r}" for name, (x, y) in zip(POINTS, pixels.tolist(), strict=True)]
    (tmp_path / "clicks.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    xyz = np.array(list(POINTS.values()), dtype=float) @ TURN[:3, :3].T + TURN[:3, 3]
    xyz = np.tile(xyz, (6, 1, 1))[:, None]
    shape = xyz.shape[:-1]
    points = Keypoints3D(
        xyz,
        np.zeros(shape),
        np.full(shape, 4),
        np.ones(shape),
        np.full(shape, Status.OBSERVED),
        ("one",),
        tuple(POINTS),
        fps=10.0,
    )
    write_pose3d(points, tmp_path / "points.csv")
    return tmp_path


def off(path, rig: Rig) -> tuple[float, float]:
    """Degrees and mm by which the cameras of a file differ from the truth."""
    found = load_rig(path)
    turn = found.cam_from_world[:, :3, :3] @ np.swapaxes(rig.cam_from_world[:, :3, :3], -1, -2)
    angle = np.degrees(np.arccos(np.clip((np.einsum("nii->n", turn) - 1) / 2, -1, 1)))
    return float(angle.max()), float(np.linalg.norm(found.centers - rig.centers, axis=-1).max())


@pytest.mark.parametrize(
    ("options", "within_mm"),
    [
        (["--pixels", "clicks.csv", "--floor", "p1,p2,p3,p4,p5"], 12),
        (["--points", "points.csv", "--floor", "p1,p2,p3,p4,p5"], 0.01),
        (["--points", "points.csv", "--axes", "x:p1>p2,z:wand-a>wand-b", "--origin", "p1"], 0.01),
        (["--points", "points.csv", "--up", "wand-a>wand-b", "--forward", "p1>p2", "--origin", "p1"], 0.01),
        (["--points", "points.csv", "--floor", "p3,p4,p5", "--forward", "p1>p2", "--origin", "p1"], 0.01),
    ],
)
def test_a_tilted_calibration_gets_the_true_world(world, files, rig, options, within_mm: float) -> None:
    options = [str(files / o) if o.endswith(".csv") else o for o in options]
    code, out, err = world("align", files / "tilted.toml", *options, "-o", files / "aligned.toml")
    assert (code, err) == (0, ""), err
    turn, shift = off(files / "aligned.toml", rig)
    assert turn < 0.2
    assert shift < within_mm
    assert "stands at x" in out
    assert out.splitlines()[0] == load_rig(files / "aligned.toml").metadata["world"]


def test_clicks_alone_are_the_floor(world, files, rig) -> None:
    lines = (files / "clicks.csv").read_text(encoding="utf-8").splitlines()
    (files / "floor.csv").write_text("\n".join(line for line in lines if "wand" not in line), encoding="utf-8")
    code, out, _ = world(
        "align", files / "tilted.toml", "--pixels", files / "floor.csv", "-o", files / "a.toml", "--json"
    )
    assert code == 0
    summary = json.loads(out)
    assert off(files / "a.toml", rig)[0] < 0.2
    assert summary["rms_mm"] < 2
    assert 0 < summary["tilt_sd_deg"] < 0.2
    assert set(summary["cameras"]) == set(rig.names)
    assert all(z > 1000 for _, _, z in summary["cameras"].values())


def test_2d_files_of_the_cameras_and_anipose_config(world, recording, rig, figure) -> None:
    names = ("Nose", "Neck", "MidHip")
    config = recording.folder / "config.toml"
    config.write_text(
        f'[triangulation]\naxes = [["z", "{names[0]}", "{names[1]}"], ["x", "{names[0]}", "{names[2]}"]]\n'
        f'reference_point = "{names[1]}"\n',
        encoding="utf-8",
    )
    from pose3d.data import Skeleton

    known = dict(zip(Skeleton.preset("body25").keypoints, figure[0], strict=True))
    if not set(names) <= set(known):
        names = tuple(known)[:3]
        text = config.read_text(encoding="utf-8")
        for old, new in zip(("Nose", "Neck", "MidHip"), names, strict=True):
            text = text.replace(f'"{old}"', f'"{new}"')
        config.write_text(text, encoding="utf-8")
    points = [word for source in recording.sources for word in ("--points", source)]
    output = recording.folder / "aligned.toml"
    code, _, err = world("align", recording.calibration, *points, "--config", config, "-o", output)
    assert (code, err) == (0, "")
    found = load_rig(output)
    z = known[names[1]] - known[names[0]]
    z = z / np.linalg.norm(z)
    for name in rig.names:  # a camera's height is its way from the origin along z
        middle = np.median(figure[:, list(known).index(names[1])], axis=0)
        assert abs(found[name].center[2] - (rig[name].center - middle) @ z) < 1


def test_a_known_length_scales(world, files, rig) -> None:
    code, out, _ = world(
        "align", files / "tilted.toml", "--points", files / "points.csv", "--length", "wand-a-wand-b=510",
        "-o", files / "a.toml", "--json",
    )  # fmt: skip
    assert code == 0
    summary = json.loads(out)
    assert abs(summary["length"]["factor"] - 1.02) < 1e-6
    apart = [np.linalg.norm(r.centers[0] - r.centers[1]) for r in (load_rig(files / "a.toml"), rig)]
    assert abs(apart[0] / apart[1] - 1.02) < 1e-6
    assert "2.00" in summary["world"]
    assert "% longer" in summary["world"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "points are needed"),
        (["--points", "points.csv"], "what the world shall be is needed"),
        (["--points", "points.csv", "--floor", "p1,p2"], "no three points"),
        (["--points", "points.csv", "--floor", "p1,p2,p3", "--axes", "x:p1>p2,z:p3>p4"], "leave all but one out"),
        (["--points", "points.csv", "--axes", "x:p1>p2,z:p3>p4"], "need a point as their origin"),
        (["--points", "points.csv", "--axes", "x=p1>p2", "--origin", "p1"], "is no axis"),
        (["--points", "points.csv", "--up", "p1"], "is no direction"),
        (["--points", "points.csv", "--length", "p1-p2"], "is no length"),
        (["--points", "points.csv", "--length", "p1-p2=abc"], "is no length"),
        (["--points", "points.csv", "--length", "p1-p2=nan"], "is no length"),
        (["--points", "points.csv", "--pixels", "clicks.csv", "--floor", "p1,p2,p3"], "in one of the two"),
    ],
)
def test_wrong_usage_is_told(world, files, options, says: str) -> None:
    options = [str(files / o) if o.endswith(".csv") else o for o in options]
    code, out, err = world("align", files / "tilted.toml", *options, "-o", files / "a.toml")
    assert (code, out) == (2, "")
    assert says in " ".join(err.replace("│", " ").split())
    assert not (files / "a.toml").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--points", "points.csv", "--floor", "p1,p2,p9"], 'no point "p9"'),
        (["--points", "absent.csv", "--floor", "p1,p2,p3"], "absent.csv"),
        (["--points", "points.csv", "--axes", "x:p1>p2,x:p3>p4", "--origin", "p1"], "two different ones of x, y and z"),
        (["--points", "points.csv", "--config", "tilted.toml"], "needs axes"),
        (["--points", "points.csv", "--floor", "p1,p2,wand-a"], "cannot be decided"),
        (["--points", "points.csv", "--length", "p1-p9=3"], 'no point "p9"'),
    ],
)
def test_bad_input_is_one_line(world, files, options, says: str) -> None:
    options = [str(files / o) if o.endswith((".csv", ".toml")) else o for o in options]
    code, out, err = world("align", files / "tilted.toml", *options, "-o", files / "a.toml")
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("pose3d: error: ")
    assert says in line
    assert "unexpected" not in line
    assert not (files / "a.toml").exists()


def test_what_is_read_is_not_overwritten(world, files) -> None:
    before = (files / "tilted.toml").read_bytes()
    code, _, err = world(
        "align", files / "tilted.toml", "--pixels", files / "clicks.csv", "-o", files / "." / "tilted.toml"
    )
    assert code == 2
    assert "would be overwritten" in err
    assert (files / "tilted.toml").read_bytes() == before


def test_compare_names_the_camera_that_moved(world, files, rig) -> None:
    save_rig(rig, files / "old.toml")
    code, out, err = world("compare", files / "tilted.toml", files / "old.toml")
    assert (code, err) == (0, "")
    assert "no camera has moved" in out
    camera = rig["cam_3"]
    moved = replace(camera, translation=np.add(camera.translation, [8.0, 0, 0]))
    new = Rig(tuple(moved if c.name == "cam_3" else c for c in rig))
    save_rig(new.transformed(TURN), files / "new.toml")
    code, out, _ = world("compare", files / "new.toml", files / "old.toml", "--json")
    assert code == 3
    summary = json.loads(out)
    assert summary["moved"] == ["cam_3"]
    assert abs(summary["cameras"][2]["shift_mm"] - 8) < 0.01
    assert summary["findings"][0]["kind"] == "moved_since"
    code, _, _ = world("compare", files / "new.toml", files / "old.toml", "--tolerance-mm", 10, "--tolerance-deg", 1)
    assert code == 0


def test_the_help_explains_itself(world) -> None:
    for command, words in (("align", ("--floor", "A,B,C", "plumb line", "anipose")), ("compare", ("NEW", "OLD"))):
        code, out, _ = world(command, "--help")
        assert code == 0
        assert all(word in out for word in words)
