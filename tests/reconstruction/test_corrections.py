"""What a person corrected, on the way from detections to points: against the truth, and run by run."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Status
from pose3d.data.edited import edit_views
from pose3d.data.edits import BadStretch, Edits, SwappedSides
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.errors import Pose3DError
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.keypoints import save_keypoints
from pose3d.io.rigs import save_rig
from pose3d.io.samples import read_samples
from pose3d.io.uncertainty import read_held_edits
from pose3d.reconstruction import (
    RefinementSettings,
    TriangulationRequest,
    ViewSettings,
    reconstruct,
    triangulate_files,
)

N, FIRST, LAST = 260, 100, 160
STRETCH = slice(FIRST, LAST + 1)
PAIRS = TRIAL_SKELETON.pairs
SEARCH = ViewSettings(pairs=PAIRS)
NAMES = TRIAL_SKELETON.keypoints
KNEE = NAMES.index("LKnee")


@pytest.fixture(scope="module")
def walk():
    return make_trial(N, seed=3)


@pytest.fixture(scope="module")
def clean(walk):
    return reconstruct(walk.keypoints, walk.rig, views=SEARCH).points


def errors(points, walk):
    return np.linalg.norm(points.xyz[:, 0] - walk.xyz, axis=-1)


def paired(error):
    """Errors of keypoints that have a side."""
    return error[:, [name[0] in "LR" for name in NAMES]]


def test_a_swap_in_all_cameras_is_put_right(walk, clean):
    edits = Edits().add(SwappedSides(FIRST, LAST))
    wrong = edit_views(walk.keypoints, edits, PAIRS)  # what no search can know
    before = reconstruct(wrong, walk.rig, views=SEARCH)
    assert np.median(paired(errors(before.points, walk))[STRETCH]) > 100
    for views in (SEARCH, ViewSettings()):
        after = reconstruct(wrong, walk.rig, views=views, edits=edits)
        error = paired(errors(after.points, walk))
        assert np.nanmedian(error[STRETCH]) < 2
        assert np.nanmax(error) < 2 * np.nanmax(paired(errors(clean, walk)))


def test_sides_of_the_result_are_exchanged_whatever_the_search_did(walk):
    """A person sees the result; that a search had a hand in it must not turn her correction round."""
    few = Edits().add(SwappedSides(FIRST, LAST, camera="cam_2"))
    repaired = reconstruct(edit_views(walk.keypoints, few, PAIRS), walk.rig, views=SEARCH)
    assert repaired.swapped[STRETCH, 1].mean() > 0.8
    flip = Edits().add(SwappedSides(FIRST, LAST, (("LKnee", "RKnee"),)))
    flipped = reconstruct(edit_views(walk.keypoints, few, PAIRS), walk.rig, views=SEARCH, edits=flip).points
    partner = NAMES.index("RKnee")
    away = np.linalg.norm(flipped.xyz[110:150, 0, KNEE] - repaired.points.xyz[110:150, 0, partner], axis=-1)
    assert away.max() < 5
    np.testing.assert_allclose(flipped.xyz[:90], repaired.points.xyz[:90], atol=5)


def test_a_swap_in_one_camera_is_settled(walk):
    """Views that agree with nothing would be exchanged back by the search; a person's word holds."""
    edits = Edits().add(SwappedSides(FIRST, LAST, camera="cam_3"))
    done = reconstruct(walk.keypoints, walk.rig, views=SEARCH, edits=edits)
    assert not done.swapped[STRETCH, 2].any()
    untold = reconstruct(edit_views(walk.keypoints, edits, PAIRS), walk.rig, views=SEARCH)
    assert untold.swapped[STRETCH, 2].mean() > 0.8
    right = reconstruct(edit_views(walk.keypoints, edits, PAIRS), walk.rig, views=SEARCH, edits=edits).points
    assert np.median(errors(right, walk)) < 2


def test_a_bad_stretch_is_missing_and_not_filled(walk, clean):
    edits = Edits().add(BadStretch(120, 129, ("LKnee",)))  # shorter than a gap that is filled
    made = reconstruct(walk.keypoints, walk.rig, RefinementSettings(samples=3), views=SEARCH, edits=edits)
    points = made.points
    missing = points.status == Status.MISSING
    assert missing[120:130, 0, KNEE].all()
    assert missing.sum() == 10 + (clean.status == Status.MISSING).sum()
    assert np.isnan(points.xyz[120:130, 0, KNEE]).all()
    assert np.isnan(points.covariance[120:130, 0, KNEE]).all()
    drawn = np.isnan(np.asarray(made.samples.xyz)).any((1, 2, 4))
    np.testing.assert_array_equal(drawn[:, KNEE], missing[:, 0, KNEE])
    others = np.delete(np.arange(len(NAMES)), KNEE)
    np.testing.assert_allclose(points.xyz[:, 0, others], clean.xyz[:, 0, others], atol=0.6)
    far = np.abs(np.arange(N) - 125) > 60
    np.testing.assert_allclose(points.xyz[far, 0, KNEE], clean.xyz[far, 0, KNEE], atol=0.3)
    near = [*range(110, 120), *range(130, 140)]
    assert np.nanmax(errors(points, walk)[near, KNEE]) < 12


def test_what_is_bad_bends_no_neighbour(walk):
    """Views of all cameras show something else there: without a word it is believed."""
    xy = np.array(walk.keypoints.xy)
    xy[120:130, :, :, KNEE] = np.moveaxis(walk.rig.project(walk.xyz[120:130, KNEE] + [0, 0, 250.0]), 1, 1)[:, :, None]
    wrong = replace(walk.keypoints, xy=xy)
    near = [*range(112, 120), *range(130, 138)]
    believed = errors(reconstruct(wrong, walk.rig, views=SEARCH).points, walk)[:, KNEE]
    told = errors(
        reconstruct(wrong, walk.rig, views=SEARCH, edits=Edits().add(BadStretch(120, 129, ("LKnee",)))).points, walk
    )[:, KNEE]
    assert believed[120:130].max() > 100
    assert believed[near].max() > 4 * told[near].max()
    assert told[near].max() < 12


def test_views_of_one_camera_are_left_out(walk, clean):
    edits = Edits().add(BadStretch(FIRST, LAST, camera="cam_1"))
    made = reconstruct(walk.keypoints, walk.rig, views=SEARCH, edits=edits)
    assert not made.used[STRETCH, 0].any()
    assert made.used[:FIRST, 0].any()
    assert (made.points.status == Status.MISSING).sum() == (clean.status == Status.MISSING).sum()
    assert np.median(errors(made.points, walk)[STRETCH]) < 2


@pytest.fixture(scope="module")
def inputs(walk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    crossed = edit_views(walk.keypoints, Edits().add(SwappedSides(FIRST, LAST)), PAIRS)
    save_keypoints(crossed, folder / "pose-2d")
    save_rig(walk.rig, folder / "calibration.toml")
    return {name: folder / "pose-2d" / f"{name}.h5" for name in walk.rig.names}, folder / "calibration.toml"


EDITS = Edits().add(SwappedSides(FIRST, LAST)).add(BadStretch(40, 49, ("Head",))).add(BadStretch(0, 90, camera="cam_4"))
REQUEST = TriangulationRequest(
    skeleton=TRIAL_SKELETON, fps=100.0, refinement=RefinementSettings(samples=3), edits=EDITS
)


def short_runs(patch):
    patch.setattr("pose3d.reconstruction.recording._RUN_POINTS", 1200)
    patch.setattr("pose3d.reconstruction.recording._LEAST_RUN", 40)


def contents(output):
    return {path.name: path.read_bytes() for path in output.parent.iterdir()}


class Killed(Exception):
    """A process that ends."""


def test_files_are_made_run_by_run_and_on_from_where_they_were_ended(walk, inputs, tmp_path, monkeypatch):
    short_runs(monkeypatch)
    before = {path: path.read_bytes() for path in (*inputs[0].values(), inputs[1])}
    whole, ended = tmp_path / "whole" / "walk.csv", tmp_path / "ended" / "walk.csv"
    made = triangulate_files(*inputs, whole, REQUEST)
    error = errors(read_pose3d(whole), walk)
    assert np.nanmedian(paired(error)[STRETCH]) < 2
    head = NAMES.index("Head")
    assert np.isnan(error[40:50, head]).all()
    assert np.isfinite(error[:, head]).sum() == N - 10
    assert np.isnan(read_samples(samples_of(whole)).xyz[40:50, :, 0, head]).all()
    assert read_held_edits(whole) == EDITS
    assert any(line.startswith("Corrected by a person: 2 bad stretches") for line in made.lines())

    def end(step, done, _):
        if step == "refine" and done > N / 2:
            raise Killed

    with pytest.raises(Killed):
        triangulate_files(*inputs, ended, REQUEST, progress=end)
    waiting = list(ended.parent.glob("*.partial"))
    assert waiting
    triangulate_files(*inputs, ended, REQUEST)
    assert contents(ended) == contents(whole)
    assert {path: path.read_bytes() for path in before} == before


def samples_of(csv):
    return csv.with_name(f"{csv.stem}.samples.npz")


def test_half_done_work_with_other_corrections_is_done_anew(inputs, tmp_path, monkeypatch):
    short_runs(monkeypatch)
    output = tmp_path / "walk.csv"

    def end(step, done, _):
        if step == "refine" and done > N / 2:
            raise Killed

    with pytest.raises(Killed):
        triangulate_files(*inputs, output, replace(REQUEST, edits=Edits()), progress=end)
    triangulate_files(*inputs, output, REQUEST)
    assert np.isnan(read_pose3d(output).xyz[40:50, 0, NAMES.index("Head")]).all()


def test_what_is_not_there_is_said_and_the_rest_is_done(inputs, tmp_path):
    edits = Edits().add(BadStretch(10, 19, ("Tail",), camera="cam_9")).add(BadStretch(30, 39, ("Nose",)))
    made = triangulate_files(*inputs, tmp_path / "walk.csv", TriangulationRequest(fps=100.0, edits=edits))
    assert "Correction frames 10 to 19: Tail not used from camera cam_9: there is no keypoint 'Tail'" in " ".join(
        made.said
    )
    points = read_pose3d(tmp_path / "walk.csv")
    assert np.isnan(points.xyz[30:40, 0, points.keypoints.index("Nose")]).all()


def test_a_recording_that_is_bad_as_a_whole_is_said(inputs, tmp_path):
    edits = Edits().add(BadStretch(0, 10_000))
    with pytest.raises(Pose3DError) as caught:
        triangulate_files(*inputs, tmp_path / "walk.csv", TriangulationRequest(fps=100.0, edits=edits))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "walk.csv").exists()
