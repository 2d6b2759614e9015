import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents


def test_events_are_sorted_and_asked_for_by_limb_and_kind():
    events = LimbEvents.from_times([("R", STRIKE, [2.0, 1.0]), ("L", OFF, 1.5), ("L", STRIKE, [])])
    assert events.time_s.tolist() == [1.0, 1.5, 2.0]
    assert events.limbs == ("R", "L", "R")
    assert events.times("R", STRIKE).tolist() == [1.0, 2.0]
    assert events.times("R", OFF).tolist() == []
    assert (len(events), repr(events)) == (3, "LimbEvents(3 events: L off 1, R strike 2)")
    assert repr(LimbEvents.from_times([])) == "LimbEvents(0 events)"
    with pytest.raises(ValueError, match="read-only"):
        events.time_s[0] = 0


@pytest.mark.parametrize(("time", "limbs"), [([1.0], ("L", "R")), ([np.nan, 1.0], ("L", "R"))])
def test_events_need_a_time_each(time, limbs):
    with pytest.raises(ValueError, match="time"):
        LimbEvents(np.array(time), limbs, (STRIKE,) * len(limbs))
