"""Which instants are chosen: different ones, spread over a recording, the same every time."""

import numpy as np
import pytest

from pose3d.labeling.selection import (
    Sights,
    choose_different,
    choose_evenly,
    choose_uncertain,
    make_candidates,
    share_out,
)


def scene(states, *, noise=1.0, seed=0, light=0.0):
    """Views of a bright spot: a state is where it is; instants of one state differ by noise, and by the light."""
    rng = np.random.default_rng(seed)
    views = []
    for view in range(2):
        background = rng.uniform(60, 180, (24, 32))
        images = np.repeat(background[None], len(states), axis=0)
        for i, state in enumerate(states):
            row, column = divmod(state * (7 + view * 4), 31)
            images[i, row % 20 : row % 20 + 4, column % 28 : column % 28 + 4] += 60
        images += rng.normal(0, noise, images.shape) + light * rng.uniform(-1, 1, (len(states), 1, 1))
        views.append(images.clip(0, 255).astype(np.uint8).reshape(len(states), -1))
    return Sights(np.arange(len(states)), tuple(views))


def test_each_posture_is_chosen_once():
    states = np.random.default_rng(3).permutation(np.repeat(np.arange(12), [60, 40, 3, 2, 1, 1, 30, 1, 5, 5, 1, 1]))
    for seed in range(4):
        choice = choose_different(scene(states), 12, seed=seed)
        assert sorted(states[choice.instants]) == list(range(12))


def test_near_identical_instants_are_never_chosen_together():
    states = np.repeat(np.arange(5), 30)
    choice = choose_different(scene(states, light=8.0), 20)
    assert sorted(states[choice.instants]) == list(range(5))  # fewer than asked for: there are no more
    assert choice.n_alike > 0
    assert choose_different(scene(np.zeros(50, dtype=int)), 20).instants.shape == (1,)


def test_instants_that_look_like_known_ones_are_not_chosen():
    states = np.repeat(np.arange(6), 20)
    sights = scene(states)
    known = Sights(np.array([0, 45]), tuple(view[[0, 45]] for view in sights.views))
    choice = choose_different(sights, 20, known=known)
    assert sorted(states[choice.instants]) == [1, 3, 4, 5]


def test_a_difference_in_one_view_is_enough():
    sights = scene(np.zeros(10, dtype=int), noise=0)
    changed = sights.views[1].copy()
    changed[4, :50] = 255
    assert choose_different(Sights(sights.instants, (sights.views[0], changed)), 5).instants.tolist()[-1] == 4


def test_black_pictures_are_left_out_but_a_dark_room_is_not():
    sights = scene(np.arange(20))
    first, second = (view.copy() for view in sights.views)
    first[:5] = 2
    choice = choose_different(Sights(sights.instants, (first, second)), 20)
    assert choice.n_dark == 5
    assert choice.instants.min() == 5
    dark = tuple((view // 32).astype(np.uint8) * 2 for view in sights.views)
    choice = choose_different(Sights(sights.instants, dark), 5)
    assert (choice.n_dark, len(choice.instants)) == (0, 5)
    black = Sights(sights.instants, (np.zeros_like(first), second))
    assert len(choose_different(black, 5).instants) == 5  # a camera that was covered throughout


def test_the_same_seed_gives_the_same_and_another_seed_another():
    sights = scene(np.random.default_rng(0).integers(0, 200, 300))
    picks = [choose_different(sights, 10, seed=seed).instants for seed in (1, 1, 2)]
    np.testing.assert_array_equal(picks[0], picks[1])
    assert picks[0].tolist() != picks[2].tolist()
    assert (np.diff(picks[0]) > 0).all()


def test_different_choices_cover_more_than_even_ones():
    """Rare postures, each for one frame in two hundred, among a body at rest."""
    states = np.zeros(400, dtype=int)
    rare = np.random.default_rng(5).choice(400, 15, replace=False)
    states[rare] = np.arange(1, 16)
    chosen = choose_different(scene(states), 16).instants
    even = choose_evenly(np.arange(400), 16)
    assert len(set(states[chosen])) == 16
    assert len(set(states[even])) < 6


def test_few_and_no_instants():
    sights = scene(np.arange(3))
    assert choose_different(sights, 10).instants.tolist() == [0, 1, 2]
    assert choose_different(sights, 0).instants.shape == (0,)
    empty = Sights(np.zeros(0, dtype=int), (np.zeros((0, 10), np.uint8),))
    assert choose_different(empty, 4).instants.shape == (0,)
    with pytest.raises(ValueError, match="each view"):
        Sights(np.arange(3), (np.zeros((2, 5), np.uint8),))


@pytest.mark.parametrize("n", [1, 2, 7, 99, 100, 500])
def test_even_ones_are_even(n):
    instants = np.arange(50, 150)
    chosen = choose_evenly(instants, n)
    assert len(chosen) == len(set(chosen.tolist())) == min(n, 100)
    if 1 < n < 100:
        steps = np.diff(chosen)
        assert steps.max() - steps.min() <= 1
        assert abs((chosen[0] - 49.5) - (149.5 - chosen[-1])) <= 1.01


def test_candidates_cost_little_and_cover_everything():
    cost = np.arange(1000) % 25  # a key frame every 25
    chosen = make_candidates(np.arange(1000), 40, cost.astype(float))
    assert len(chosen) == 40
    assert cost[chosen].max() == 0
    assert np.diff(chosen).max() <= 50
    flat = make_candidates(np.arange(1000), 40, np.zeros(1000))
    assert np.diff(flat).max() <= 27
    np.testing.assert_array_equal(make_candidates(np.arange(5), 40, np.zeros(5)), np.arange(5))


def test_uncertain_ones_are_found_and_spread():
    instants = np.arange(1000)
    doubt = np.full(1000, 0.1)
    doubt[500:540] = 0.9  # one long passage, and single frames elsewhere
    doubt[[50, 200, 333, 800]] = 0.6
    chosen = choose_uncertain(instants, doubt, 6)
    assert {50, 200, 333, 800} <= set(chosen.tolist())
    assert sum(500 <= i < 540 for i in chosen) == 1
    assert len(choose_uncertain(instants, doubt, 300)) == 300
    assert set(range(500, 540)) <= set(choose_uncertain(instants, doubt, 900).tolist())


def test_unknown_uncertainty_comes_last():
    doubt = np.full(10, np.nan)
    doubt[7] = 0.01
    assert 7 in choose_uncertain(np.arange(10), doubt, 2)
    assert len(choose_uncertain(np.arange(10), np.full(10, np.nan), 3)) == 3


@pytest.mark.parametrize(
    ("n", "available", "expected"),
    [
        (10, [100], [10]),
        (10, [100, 100], [5, 5]),
        (10, [2, 100], [2, 8]),
        (10, [2, 3], [2, 3]),
        (3, [9, 0, 9, 9, 9, 9], [1, 0, 0, 1, 0, 1]),
        (0, [5], [0]),
        (7, [], []),
    ],
)
def test_shares(n, available, expected):
    assert share_out(n, available) == expected
    assert sum(share_out(n, available)) == min(n, sum(available))
