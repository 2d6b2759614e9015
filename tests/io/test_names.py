"""Names of files: their order, and what may stand in one."""

import pytest

from pose3d.io.names import fits_file_name, natural_key


def test_natural_order():
    names = ["cam10", "cam2", "Cam1", "cam", "cam02", "10", "9", "²", "a٣"]
    ordered = sorted(names, key=natural_key)
    assert ordered[:2] == ["9", "10"]
    assert ordered.index("Cam1") < ordered.index("cam2") < ordered.index("cam10")
    assert len({natural_key(name) for name in names}) == len(names)
    assert sorted(["b", "a10", "a9"], key=natural_key) == ["a9", "a10", "b"]


def test_a_name_of_thousands_of_digits_has_a_place() -> None:
    assert sorted(["cam_" + "9" * 5000, "cam_1"], key=natural_key)[0] == "cam_1"


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a:b", "a?", "a\n", "\0"])
def test_what_no_file_can_be_called(name: str) -> None:
    assert not fits_file_name(name)
    assert fits_file_name(f"Ænne 1.{len(name)}")
