from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pose3d.errors import VideoError
from pose3d.io.scaled_frames import scale_image, scaled_frames, scaled_size
from pose3d.io.video import open_frames, write_video

SIZE = (320, 240)


def dot(x: float, y: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 7.0**2))
    return np.repeat((40 + 180 * blob).round().astype(np.uint8)[..., None], 3, axis=2)


def place(image: np.ndarray) -> np.ndarray:
    """Centroid of what is bright, px of `image`."""
    weight = np.maximum(image.astype(float).sum(-1) - 3 * 60, 0)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    return np.random.default_rng(3).uniform(50, np.array(SIZE) - 50, (12, 2))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, places: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("scaled") / "dots.mp4"
    write_video(path, (dot(x, y) for x, y in places), fps=30, crf=4)
    return path


@pytest.mark.parametrize("scale", [0.5, 0.375, 0.25, 1.0])
def test_dots_stay_where_area_averaging_puts_them(video: Path, places: np.ndarray, scale: float) -> None:
    source = open_frames(video)
    size = scaled_size(source.size, scale)
    for (index, image), (_, full) in zip(scaled_frames(source, size), source.frames(), strict=True):
        slow = scale_image(full, size)[:, :, ::-1]
        exact = (places[index] + 0.5) * scale - 0.5
        np.testing.assert_allclose(place(image), place(slow), atol=0.05 * scale)
        np.testing.assert_allclose(place(image), exact, atol=0.2 * scale)


def test_colours_are_those_of_the_full_frame_within_levels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Smooth, since the video's own colour is only half as fine as its brightness.
    coarse = rng.integers(30, 220, (5, 6, 8, 3), dtype=np.uint8)
    write_video(
        tmp_path / "c.mp4", (cv2.resize(image, SIZE, interpolation=cv2.INTER_LINEAR) for image in coarse), fps=9
    )
    source = open_frames(tmp_path / "c.mp4")
    for (_, image), (_, full) in zip(scaled_frames(source, (160, 120)), source.frames(), strict=True):
        difference = image.astype(int) - scale_image(full, (160, 120))[:, :, ::-1]
        assert np.abs(difference.mean((0, 1))).max() < 2
        assert np.percentile(np.abs(difference), 99) <= 8


def test_frames_are_those_of_the_video(video: Path) -> None:
    source = open_frames(video)
    assert [index for index, _ in scaled_frames(source, (160, 120))] == list(range(source.n_frames))
    some = dict(scaled_frames(source, (160, 120), indices=[3, 7, 8]))
    every = dict(scaled_frames(source, (160, 120)))
    assert list(some) == [3, 7, 8]
    for index, image in some.items():
        np.testing.assert_array_equal(image, every[index])
    with pytest.raises(IndexError):
        list(scaled_frames(source, (160, 120), indices=[12]))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_videos_stand_upright(video: Path, tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(video)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        if not hasattr(stream, "set_display_matrix") and not hasattr(av.VideoFrame, "rotation"):
            pytest.skip("this PyAV writes no rotation")
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    turn_in_header(path, degrees)
    source = open_frames(path)
    assert source.rotation_deg == degrees
    size = scaled_size(source.size, 0.5)
    for (_, image), (_, full) in zip(scaled_frames(source, size), source.frames(), strict=True):
        assert (image.shape[1], image.shape[0]) == size
        np.testing.assert_allclose(place(image), place(scale_image(full, size)), atol=0.025)


def turn_in_header(path: Path, degrees: int) -> None:
    """Write a rotation into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # after version, flags, times, identity, duration, layer, volume
    turns = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (int(value * 65536).to_bytes(4, "big", signed=True) for value in turns)
    zero, one = bytes(4), (1 << 30).to_bytes(4, "big")
    data[at : at + 36] = a + b + zero + c + d + zero + zero + zero + one
    path.write_bytes(data)


def test_folders_of_images_are_scaled_too(tmp_path: Path) -> None:
    colour = np.zeros((60, 80, 3), dtype=np.uint8)
    colour[:] = (10, 20, 200)
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"img{i}.png"), colour)
    found = list(scaled_frames(open_frames(tmp_path), (40, 30)))
    assert [index for index, _ in found] == [0, 1, 2]
    assert found[0][1].shape == (30, 40, 3)
    assert found[0][1][0, 0].tolist() == [200, 20, 10]


def test_video_that_ends_early_is_one_clear_line(video: Path, tmp_path: Path) -> None:
    source = open_frames(video)
    damaged = tmp_path / "dots.mp4"
    data = bytearray(video.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[middle:] = bytes(len(data) - middle)
    damaged.write_bytes(data)
    source.path = damaged
    with pytest.raises(VideoError, match="breaks"):
        list(scaled_frames(source, (160, 120)))
