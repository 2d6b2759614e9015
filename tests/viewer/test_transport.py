"""Time in the player: bound to the wall clock, whatever drawing takes."""

import itertools

import pytest

from pose3d.viewer.window.transport import SPEEDS, Transport


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_playback_keeps_to_the_clock_and_drops_frames(clock: Clock) -> None:
    transport = Transport(10_000, 60.0, clock)
    transport.play()
    shown = []
    for _ in range(30):  # drawing takes 130 ms, much longer than a frame
        clock.now += 0.130
        shown.append(transport.tick())
    assert shown[-1] == int(30 * 0.130 * 60)
    assert [b - a for a, b in itertools.pairwise(shown)].count(1) == 0


@pytest.mark.parametrize("speed", SPEEDS)
def test_speeds_are_of_the_clock(clock: Clock, speed: float) -> None:
    transport = Transport(100_000, 50.0, clock)
    transport.speed = speed
    transport.play()
    clock.now += 20.0
    assert transport.row == int(20.0 * 50 * speed + 1e-6)


def test_a_change_of_speed_keeps_the_place(clock: Clock) -> None:
    transport = Transport(1000, 100.0, clock)
    transport.play()
    clock.now += 1.005
    transport.speed = 0.1
    assert transport.row == 100
    clock.now += 1.0
    assert transport.row == 110
    transport.faster()
    assert transport.speed == 0.25
    transport.faster(-10)
    assert transport.speed == 0.05


def test_it_ends_at_the_last_row_and_begins_again(clock: Clock) -> None:
    transport = Transport(10, 10.0, clock)
    transport.play()
    clock.now += 5.0
    assert (transport.tick(), transport.playing) == (9, False)
    transport.toggle()
    assert (transport.row, transport.playing) == (0, True)


def test_a_loop_repeats_its_rows_only(clock: Clock) -> None:
    transport = Transport(1000, 10.0, clock)
    transport.loop = (70, 60)
    assert transport.loop == (60, 70)
    transport.play()
    seen = set()
    for _ in range(200):
        clock.now += 0.1
        seen.add(transport.tick())
    assert seen == set(range(60, 71))
    transport.loop = None
    clock.now += 20
    assert transport.row > 100


def test_steps_pause_and_stay_inside(clock: Clock) -> None:
    transport = Transport(100, 25.0, clock)
    transport.play()
    clock.now += 1.0
    transport.step(1)
    assert (transport.row, transport.playing) == (26, False)
    transport.step(-1000)
    assert transport.row == 0
    transport.seek(1e9)
    assert transport.row == 99


def test_a_seek_while_playing_goes_on_from_there(clock: Clock) -> None:
    transport = Transport(1000, 30.0, clock)
    transport.play()
    clock.now += 1.0
    transport.seek(500)
    assert transport.row == 500
    clock.now += 1.0
    assert transport.row == 530


def test_one_row_and_no_rate_are_no_trouble(clock: Clock) -> None:
    transport = Transport(0, float("nan"), clock)
    transport.play()
    clock.now += 3.0
    assert (transport.tick(), transport.playing, transport.fps) == (0, False, 30.0)
