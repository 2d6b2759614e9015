import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError, FormatError
from pose3d.io.events import read_events, write_events


def test_round_trip_and_a_persons_corrections(tmp_path):
    events = LimbEvents.from_times([("L", STRIKE, [1.01234, 2.5]), ("R", OFF, 0.4), ("LH", "slip", -1.0)])
    path = tmp_path / "walk.csv"
    write_events(events, path)
    assert path.read_text() == "time_s,limb,kind\n-1.0000,LH,slip\n0.4000,R,off\n1.0123,L,strike\n2.5000,L,strike\n"
    again = read_events(path)
    np.testing.assert_allclose(again.time_s, events.time_s, atol=5e-5)
    assert (again.limbs, again.kinds) == (events.limbs, events.kinds)
    path.write_text("kind, limb,note,time_s\r\nstrike,R,by hand,3.5\r\n\r\noff,R,, 1\r\n")
    corrected = read_events(path)
    assert corrected.times("R", STRIKE).tolist() == [3.5]
    assert corrected.time_s.tolist() == [1.0, 3.5]
    write_events(LimbEvents.from_times([]), path)
    assert len(read_events(path)) == 0
    with pytest.raises(DataError):
        write_events(events, tmp_path / "walk.txt")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "lacks the columns time_s, limb, kind"),
        (b"time_s,limb,kind\n1.0,L,strike\nsoon,L,off\n", "line 3 needs a time"),
        (b"time_s,limb,kind\nnan,L,strike\n", "line 2"),
        (b"time_s,limb,kind\n1.0,,strike\n", "line 2"),
        (b"time_s,limb,kind\n1.0,L\n", "line 2"),
        (b"\xff\xfe\x00binary\x00", "is no text"),
    ],
)
def test_what_is_no_table_of_events(tmp_path, content, told):
    (tmp_path / "e.csv").write_bytes(content)
    with pytest.raises(FormatError, match=told) as trouble:
        read_events(tmp_path / "e.csv")
    assert str(tmp_path / "e.csv") in str(trouble.value)
