"""norms build: from walks of several people to a csv."""

import numpy as np
import pytest

from pose3d.batch.events import choose_events
from pose3d.batch.gait import measure_walk
from pose3d.batch.importing import mocap_angles
from pose3d.io.anipose_csv import write_angles, write_pose3d
from pose3d.io.c3d import read_c3d
from pose3d.io.events import write_events
from pose3d.io.norms import read_norms
from pose3d.kinematics.norm_building import mean_cycles

CHILDREN = {"HC002D": "06", "HC030A": "05", "HC032A": "03", "HC039A": "17"}


@pytest.fixture
def walks(recordings):
    folder = recordings / "gait-lab" / "children"
    return {child: folder / child / f"Straight_{child}{number}.c3d" for child, number in CHILDREN.items()}


def own_means(path):
    recording = read_c3d(path)
    angles = mocap_angles(recording)[0]
    gait = measure_walk(
        recording.points, choose_events(recording).events, dict(zip(angles.names, angles.deg[:, 0].T, strict=True))
    )
    return mean_cycles([side.cycles for side in gait.sides.values()]), angles, choose_events(recording).events


def test_norms_of_four_children(pose3d, walks, tmp_path) -> None:
    target = tmp_path / "norms.csv"
    outcome = pose3d(
        *("norms", "build", *walks.values(), "--source", "four children", "--licence", "CC0", "-o", target)
    )
    assert outcome.code == 0, outcome
    assert "norms of 4 people" in outcome.out
    norms = read_norms(target)
    assert (norms.source, norms.licence) == ("four children", "CC0")
    each = [own_means(path)[0] for path in walks.values()]
    for variable in ("knee_flexion", "hip_rotation", "pelvis_tilt", "foot_progression"):
        band = norms.bands[variable]
        cycles = np.array([means[variable] for means in each])
        assert band.n_people == 4
        np.testing.assert_allclose(band.mean, cycles.mean(0), atol=1e-9)
        np.testing.assert_allclose(band.sd, cycles.std(0, ddof=1), atol=1e-9)
    assert 50 < norms.bands["knee_flexion"].mean.max() < 70
    assert 65 <= norms.bands["knee_flexion"].mean.argmax() <= 78


def test_people_are_named_and_chosen_by_their_speed(pose3d, refused, walks, tmp_path) -> None:
    a, b, c, d = walks.values()
    target = tmp_path / "norms.csv"
    made = pose3d("norms", "build", f"x={a}", f"x={b}", c, d, "-o", target, "--json").json
    assert [person["name"] for person in made["people"]] == ["x", str(c), str(d)]
    assert made["variables"]["knee_flexion"] == 3
    speeds = sorted(person["speed"] for person in made["people"])
    limit = (speeds[0] + speeds[1]) / 2
    some = pose3d(*("norms", "build", f"x={a}", f"x={b}", c, d, "--speed", f"{limit}-9", "-o", target, "--json")).json
    assert some["variables"]["knee_flexion"] == 2
    assert sum("walks at" in (person["left_out"] or "") for person in some["people"]) == 1
    assert "m/s" in read_norms(target).source
    target.unlink()
    assert "at least 2 people" in refused("norms", "build", a, "-o", target)
    assert pose3d("norms", "build", a, a, "-o", target).code == 2
    assert pose3d("norms", "build", a, b, "--speed", "fast", "-o", target).code == 2
    assert pose3d("norms", "build", a, b, "--events", "e.csv", "-o", target).code == 2
    assert "no such C3D" in refused("norms", "build", tmp_path / "no.c3d", b, "-o", target)
    assert not target.exists()


def test_angles_and_points_with_events_make_norms_too(pose3d, refused, walks, tmp_path) -> None:
    files, events, points = [], [], []
    for name, path in list(walks.items())[:2]:
        _, angles, known = own_means(path)
        write_angles(angles, tmp_path / f"{name}.csv")
        write_events(known, tmp_path / f"{name}-events.csv")
        write_pose3d(read_c3d(path).points, tmp_path / f"{name}-points.csv")
        files.append(tmp_path / f"{name}.csv")
        points.append(tmp_path / f"{name}-points.csv")
        events += ["--events", tmp_path / f"{name}-events.csv"]
    direct, by_csv = tmp_path / "direct.csv", tmp_path / "by-csv.csv"
    assert pose3d("norms", "build", *list(walks.values())[:2], "-o", direct).code == 0
    outcome = pose3d("norms", "build", *files, *events, "-o", by_csv)
    assert outcome.code == 0, outcome
    one, other = read_norms(direct), read_norms(by_csv)
    assert set(one.bands) == set(other.bands)
    for name, band in one.bands.items():
        np.testing.assert_allclose(other.bands[name].mean, band.mean, atol=0.02, err_msg=name)
    assert "need events" in refused("norms", "build", *files, "-o", by_csv)
    # markers alone are no skeleton
    assert "no angle of the human body" in refused("norms", "build", *points, *events, "-o", by_csv)


def test_sessions_make_norms(pose3d, walks, tmp_path) -> None:
    (tmp_path / "pose3d.toml").write_text("")
    for child, path in walks.items():
        outcome = pose3d("import", tmp_path / child, path)
        assert outcome.code == 0, outcome
    sessions = [tmp_path / child for child in walks]
    assert pose3d("norms", "build", *sessions, "-o", tmp_path / "s.csv").code == 0
    assert pose3d("norms", "build", *walks.values(), "-o", tmp_path / "f.csv").code == 0
    one, other = read_norms(tmp_path / "s.csv"), read_norms(tmp_path / "f.csv")
    assert set(one.bands) == set(other.bands)
    np.testing.assert_allclose(one.bands["knee_flexion"].mean, other.bands["knee_flexion"].mean, atol=0.05)
