"""images.csv: what a network learnt from is read back, and a foreign file is one clear line."""

import pytest

from pose3d.data.labels import ImageName
from pose3d.errors import FormatError
from pose3d.network.learnt_images import IMAGES_NAME, read_learnt_images, write_learnt_images


def test_a_list_is_read_back(tmp_path):
    learnt = [ImageName("walk, left", "img2.png"), ImageName("Prøve", "img1.png")]
    write_learnt_images(learnt, [ImageName("Prøve", "img9.png")], tmp_path)
    first = (tmp_path / IMAGES_NAME).read_bytes()
    found = read_learnt_images(tmp_path)
    assert found is not None
    assert found.learnt == set(learnt)
    assert found.held_out == {ImageName("Prøve", "img9.png")}
    assert ImageName("Prøve", "img9.png") in found
    assert ImageName("Prøve", "img3.png") not in found
    write_learnt_images(learnt[::-1], found.held_out, tmp_path)
    assert (tmp_path / IMAGES_NAME).read_bytes() == first


def test_no_list_is_none(tmp_path):
    assert read_learnt_images(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "video,image,part\nv,i,neither\n", "video,image,part\nv\n", "\x00", "\xff"]
)
def test_a_foreign_file_is_one_line(tmp_path, text):
    (tmp_path / IMAGES_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match="train the network again") as caught:
        read_learnt_images(tmp_path)
    assert "\n" not in str(caught.value)
