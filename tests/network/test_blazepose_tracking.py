"""People followed from image to image, with stand-ins for the networks that see who is really there."""

import numpy as np
import pytest

from pose3d.network.blazepose.detector import Detections
from pose3d.network.blazepose.landmarks import Pose
from pose3d.network.blazepose.region import to_region
from pose3d.network.blazepose.tracking import PeopleTracker, TrackingSettings

SIDE = 300.0
BODY = np.random.default_rng(0).uniform(-100, 100, (33, 2))


class World:
    """Stand-ins: an image is the (n, 2) places of people; a landmark network sees whoever is in the region's middle."""

    def __init__(self, *, blind=()):
        self.blind = set(blind)  # looks in which the detector finds nobody
        self.n_looks = self.n_poses = 0

    def tracker(self, **settings):
        detector, landmarks = type("Detector", (), {})(), type("Landmarks", (), {})()
        detector.find, landmarks.find = self.detect, self.pose
        return PeopleTracker(detector, landmarks, TrackingSettings(**settings))

    def detect(self, people):
        self.n_looks += 1
        found = np.empty((0, 2)) if self.n_looks in self.blind else people
        regions = np.concatenate([found + 2, np.full((len(found), 1), SIDE), np.zeros((len(found), 1))], axis=1)
        return Detections(regions, np.linspace(0.9, 0.5, len(found)))

    def pose(self, people, region):
        self.n_poses += 1
        off = np.linalg.norm(to_region(people, region) - 0.5, axis=-1) if len(people) else np.array([9.0])
        nearest = int(off.argmin())
        middle = people[nearest] if off[nearest] < 0.2 else region[:2]
        seen = 0.99 if off[nearest] < 0.2 else 0.1
        return Pose(middle + BODY, np.full(33, 0.9), np.array([*middle, SIDE, 0.0]), seen)


def slots(tracker, people):
    found = tracker.find(np.array(people, dtype=float).reshape(-1, 2))
    return {person.slot: (person.pose.xy - BODY)[0].round(6).tolist() for person in found}


def test_people_keep_their_slots_while_they_move_and_the_detector_rests():
    world = World()
    tracker = world.tracker(detect_every=10)
    for i in range(20):
        a, b = [200 + 15 * i, 300], [900 - 15 * i, 800]
        # the detector's order counts in the first image alone
        assert slots(tracker, [b, a] if i % 2 else [a, b]) == {0: a, 1: b}
    assert world.n_looks == tracker.n_detections == 2
    assert world.n_poses == 2 * 20


def test_an_empty_image_costs_one_look_and_somebody_is_found_at_once():
    world = World()
    tracker = world.tracker(detect_every=50)
    for _ in range(5):
        assert slots(tracker, []) == {}
    assert world.n_looks == 5
    assert slots(tracker, [[10, 20]]) == {0: [10, 20]}
    assert slots(tracker, [[12, 20]]) == {0: [12, 20]}
    assert world.n_looks == 6


def test_who_comes_later_is_found_within_the_interval_and_the_free_slot_is_used_again():
    world = World()
    tracker = world.tracker(detect_every=5)
    slots(tracker, [[100, 100], [600, 100]])
    assert slots(tracker, [[600, 100]]) == {1: [600, 100]}
    for _ in range(20):
        slots(tracker, [[600, 100]])
    appeared = [len(slots(tracker, [[600, 100], [600, 900]])) for _ in range(5)]
    assert appeared[-1] == 2
    assert slots(tracker, [[600, 100], [600, 900]]) == {1: [600, 100], 0: [600, 900]}


def test_who_was_lost_is_looked_for_in_every_image_for_a_while():
    world = World()
    tracker = world.tracker(detect_every=8)
    slots(tracker, [[100, 100], [900, 100]])
    world.n_looks = 0
    for i in range(30):
        slots(tracker, [[100, 100]])
        assert world.n_looks == (i + 1 if i < 8 else 8 + (i - 7) // 8)
    slots(tracker, [[100, 100], [900, 100]])
    world.n_looks = 0
    for _ in range(9):
        slots(tracker, [[100, 100], [900, 100]])
    assert world.n_looks <= 2


def test_who_jumps_too_far_to_be_followed_is_found_in_the_same_image():
    world = World()
    tracker = world.tracker(detect_every=100)
    assert slots(tracker, [[100, 100]]) == {0: [100, 100]}
    assert slots(tracker, [[800, 500]]) == {0: [800, 500]}


def test_one_person_is_not_counted_twice():
    world = World()
    tracker = world.tracker(detect_every=1)
    slots(tracker, [[100, 100], [300, 100]])
    # both regions now see the same person, the other one is gone
    tracker.restore(
        {
            "slots": np.array([0, 1]),
            "regions": np.array([[190, 100, SIDE, 0], [210, 100, SIDE, 0.0]]),
            "counts": np.zeros(4, dtype=int),
        }
    )
    assert slots(tracker, [[200, 100]]) == {0: [200, 100]}


def test_the_same_person_with_sides_exchanged_is_no_second_one():
    from pose3d.data import Skeleton

    skeleton = Skeleton.preset("blazepose33")
    order = list(range(33))
    for left, right in skeleton.pairs:
        i, j = skeleton.keypoints.index(left), skeleton.keypoints.index(right)
        order[i], order[j] = j, i
    world = World()
    plain = world.pose
    calls = []

    def sometimes_exchanged(people, region):
        calls.append(region)
        pose = plain(people, region)
        return pose._replace(xy=pose.xy[order]) if len(calls) % 2 else pose

    world.pose = sometimes_exchanged
    tracker = world.tracker(detect_every=1)
    tracker.restore(
        {
            "slots": np.array([0, 1]),
            "regions": np.array([[190, 100, SIDE, 0], [210, 100, SIDE, 0.0]]),
            "counts": np.zeros(4, dtype=int),
        }
    )
    assert len(tracker.find(np.array([[200.0, 100.0]]))) == 1


def test_no_more_people_than_are_wanted():
    places = [[400.0 * i, 0] for i in range(8)]
    assert list(slots(World().tracker(most_people=3), places)) == [0, 1, 2]
    with pytest.raises(ValueError, match="most_people is 1 to 10"):
        TrackingSettings(most_people=11)
    with pytest.raises(ValueError, match="detect_every at least 1"):
        TrackingSettings(detect_every=0)


def test_a_tracker_goes_on_where_another_was_ended():
    rng = np.random.default_rng(2)
    walks = np.cumsum(rng.normal(0, 9, (60, 4, 2)), axis=0) + np.array([[0, 0], [700, 0], [0, 700], [700, 700]])
    there = np.repeat(rng.random((6, 4)) < 0.7, 10, axis=0)
    images = [walk[seen] for walk, seen in zip(walks, there, strict=True)]

    def run(tracker, images):
        return [[(p.slot, p.pose.xy.tolist()) for p in tracker.find(image)] for image in images]

    whole = World().tracker(detect_every=7)
    expected = run(whole, images)
    first = World().tracker(detect_every=7)
    begun = run(first, images[:33])
    second = World().tracker(detect_every=7)
    second.restore({name: np.array(value) for name, value in first.state().items()})
    assert begun + run(second, images[33:]) == expected
    assert second.n_detections == whole.n_detections
    assert max(len(people) for people in expected) >= 3
