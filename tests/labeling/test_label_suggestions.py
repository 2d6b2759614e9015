from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.camera import Camera, Rig
from pose3d.demo.rig import look_at, make_rig
from pose3d.labeling.suggestions import Views


def distance_to(curve, xy):
    a, b = curve[:-1], curve[1:]
    part = np.clip(((xy - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
    return np.linalg.norm(a + part[:, None] * (b - a) - xy, axis=-1).min()


@pytest.fixture(params=["mild", "strong", "fisheye"])
def lens_rig(request):
    rig = make_rig(seed=5, size=(1280, 960))
    if request.param == "mild":
        return rig
    if request.param == "strong":
        lens = np.array([-0.34, 0.13, 1e-3, -1e-3, -0.02])
        return Rig(tuple(replace(camera, distortion=lens) for camera in rig))
    lens = np.array([0.05, -0.01, 0.002, 0.0])
    return Rig(tuple(replace(camera, distortion=lens, fisheye=True) for camera in rig))


@pytest.fixture
def points():
    return np.random.default_rng(2).uniform([-700, -400, 50], [700, 400, 1800], (40, 3))


def test_the_curve_of_a_click_runs_through_the_point_in_every_other_view(lens_rig, points):
    views = Views(lens_rig)
    seen = lens_rig.project(points)
    inside = views.inside(seen)
    n = 0
    for xy, shown in zip(seen, inside, strict=True):
        for a, name in enumerate(lens_rig.names):
            one = np.where((np.arange(4) == a)[:, None], xy, np.nan)
            curves = views.epipolar_curves(one)
            for b, other in enumerate(lens_rig.names):
                if a != b and shown[a] and shown[b]:
                    assert min(distance_to(curve, xy[b]) for curve in curves[name, other]) < 0.2
                    n += 1
    assert n > 300


def test_curves_are_bent_by_the_lens(points):
    rig = Rig(tuple(replace(c, distortion=np.array([-0.34, 0.13, 0, 0, 0])) for c in make_rig(size=(1280, 960))))
    xy = rig.project(points[:1])[0]
    curves = Views(rig).epipolar_curves(np.where((np.arange(4) == 0)[:, None], xy, np.nan))
    longest = max((curve for pieces in curves.values() for curve in pieces), key=len)
    chord = np.stack([longest[0], longest[-1]])
    assert distance_to(chord, longest[len(longest) // 2]) > 5


def test_curves_stay_in_the_image(lens_rig, points):
    views = Views(lens_rig)
    for xy in lens_rig.project(points):
        for pieces in views.epipolar_curves(xy).values():
            for curve in pieces:
                assert np.isfinite(curve).all()
                assert (curve > -0.03 * 1280).all()
                assert (curve < [1280 + 0.03 * 1280, 960 + 0.03 * 1280]).all()


def test_a_camera_that_looks_away_has_no_curve():
    size, matrix = (640, 480), np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    a = Camera("a", size, matrix, np.zeros(5), *look_at([0, 0, 1000], [5000, 0, 1000]))
    b = Camera("b", size, matrix, np.zeros(5), *look_at([-1000, 0, 1000], [-5000, 0, 1000]))
    assert Views(Rig((a, b))).epipolar_curves([[320, 240], [np.nan, np.nan]]) == {}
    same = replace(b, rotation=a.rotation, translation=a.translation)
    assert Views(Rig((a, same))).epipolar_curves([[320, 240], [np.nan, np.nan]]) == {}


def test_two_clicks_give_the_rest(lens_rig, points):
    views = Views(lens_rig)
    seen = lens_rig.project(points)
    two = np.where((np.arange(4) < 2)[:, None], seen, np.nan)
    found = views.agree(two)
    shown = views.inside(seen)
    both = shown[:, :2].all(-1)
    assert np.abs(found.xyz[both] - points[both]).max() < 1e-3
    assert np.linalg.norm(found.xy - seen, axis=-1)[shown & both[:, None]].max() < 1e-3
    assert (found.suspect == -1).all()
    assert np.isnan(found.left_out_px).all()


def test_one_click_or_none_gives_nothing(lens_rig, points):
    seen = lens_rig.project(points[:2])
    seen[0, 1:] = np.nan
    seen[1] = np.nan
    found = Views(lens_rig).agree(seen)
    assert np.isnan(found.xyz).all()
    assert np.isnan(found.xy).all()
    assert (found.suspect == -1).all()


@pytest.mark.parametrize("wrong", range(4))
def test_leaving_one_view_out_finds_the_wrong_click(points, wrong):
    rig = make_rig(seed=5, size=(1280, 960))
    rng = np.random.default_rng(wrong)
    xy = rig.project(points) + rng.normal(0, 0.7, (len(points), 4, 2))
    angle = rng.uniform(0, 2 * np.pi, len(points))
    xy[:, wrong] += 30 * np.stack([np.cos(angle), np.sin(angle)], -1)
    found = Views(rig).agree(xy)
    assert (found.suspect == wrong).mean() > 0.9
    right = found.suspect == wrong
    assert 25 < np.median(found.left_out_px[right, wrong]) < 35
    assert np.median(found.remaining_px[right, wrong]) < 1.5
    # the suggestion is the others' point, not one that the wrong click has moved
    assert np.linalg.norm(found.xyz - points, axis=-1)[right].max() < 15


def test_good_clicks_are_no_suspects(points):
    rig = make_rig(seed=5, size=(1280, 960))
    xy = rig.project(points) + np.random.default_rng(0).normal(0, 1.0, (len(points), 4, 2))
    assert (Views(rig).agree(xy).suspect == -1).mean() > 0.95


def test_two_clicks_that_miss_each_other_are_told_but_nobody_is_blamed():
    rig = make_rig(seed=5, size=(1280, 960)).select(["frontleft", "backleft"])
    xy = rig.project([[0.0, 0, 1000]])
    across = np.array([[0.0, 0.0], [0.0, 60.0]])
    assert Views(rig).agree(xy + across).suspect.tolist() == [-2]
