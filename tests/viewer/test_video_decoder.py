"""The pictures of a pane: frame-exact, the latest wish first, and a window that never waits."""

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose3d.io.video import write_video
from pose3d.viewer.window.video_decoder import Decoded, VideoDecoder

N, BITS, SIZE = 400, 10, 32


def numbered(index: int) -> np.ndarray:
    """A picture that holds its number in black and white squares."""
    image = np.full((240, 2 * SIZE + BITS * SIZE, 3), 90, dtype=np.uint8)
    image[:, :, 0] = 60 + index % 100
    for bit in range(BITS):
        image[96:144, SIZE * (1 + bit) : SIZE * (2 + bit)] = 235 if index >> bit & 1 else 16
    return image


def number_in(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    at = [round(width * (1.5 + bit) / (BITS + 2)) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(at) if picture[height // 2, x, 1] > 128)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "numbers.mp4"
    write_video(path, (numbered(i) for i in range(N)), fps=50, crf=23)
    return path


class Pane:
    def __init__(self) -> None:
        self.seen: list[Decoded] = []
        self.failed: list[str] = []
        self.exact = threading.Event()

    def show(self, decoded: Decoded) -> None:
        self.seen.append(decoded)
        if decoded.exact:
            self.exact.set()

    def waits_for(self, decoder: VideoDecoder, frame: int, size: tuple[int, int] = (200, 200)) -> Decoded:
        limit = time.monotonic() + 30
        decoder.want(frame, size)
        while time.monotonic() < limit:
            self.exact.wait(0.2)
            self.exact.clear()
            if self.seen and self.seen[-1].frame == frame == self.seen[-1].wanted:
                return self.seen[-1]
        raise AssertionError(f"frame {frame} did not come; {self.failed}")


@pytest.fixture
def pane(clip: Path):
    pane = Pane()
    decoder = VideoDecoder(clip, pane.show, pane.failed.append)
    decoder.start()
    yield pane, decoder
    decoder.stop()


def test_every_picture_is_the_frame_that_it_says(pane) -> None:
    seen, decoder = pane
    rng = np.random.default_rng(1)
    wishes = [0, N - 1, *rng.integers(0, N, 25).tolist(), *range(200, 215), *range(215, 190, -1), 37, 37]
    for frame in wishes:
        assert number_in(seen.waits_for(decoder, frame).bgra) == frame
    assert all(number_in(each.bgra) == each.frame for each in seen.seen)
    assert not seen.failed


def test_the_latest_wish_wins_and_asking_takes_no_time(pane) -> None:
    seen, decoder = pane
    seen.waits_for(decoder, 0)
    seen.seen.clear()
    begin = time.thread_time()
    for frame in range(1, 300):
        decoder.want(frame, (200, 200))
    assert time.thread_time() - begin < 0.1
    assert number_in(seen.waits_for(decoder, 333).bgra) == 333
    assert len(seen.seen) < 150, "frames that nobody waits for any more are decoded"


def test_the_nearest_key_frame_comes_before_a_far_one(pane, clip: Path) -> None:
    from pose3d.io.video import VideoFile

    seen, decoder = pane
    keys = VideoFile(clip).key_frames
    seen.waits_for(decoder, 0)
    seen.seen.clear()
    key = int(keys[len(keys) // 2])
    target = key + 20
    assert target < N
    seen.waits_for(decoder, target)
    assert [each.frame for each in seen.seen] == [keys[keys <= target].max(), target]
    assert not seen.seen[0].exact


def test_pictures_fit_their_pane(pane) -> None:
    seen, decoder = pane
    small = seen.waits_for(decoder, 10, (100, 300)).bgra
    assert small.shape[1] == 100
    large = seen.waits_for(decoder, 11, (5000, 5000)).bgra
    assert large.shape[:2] == (240, 384), "never larger than the video"


def test_a_frame_outside_of_the_video_shows_nothing_and_hurts_nothing(pane) -> None:
    seen, decoder = pane
    seen.waits_for(decoder, 5)
    for frame in (-3, N, 10**9):
        decoder.want(frame, (200, 200))
        time.sleep(0.05)
    assert number_in(seen.waits_for(decoder, 6).bgra) == 6
    assert {each.frame for each in seen.seen} <= {0, 5, 6}


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_broken_video_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    said: list[str] = []
    decoder = VideoDecoder(path, lambda _: None, said.append)
    decoder.start()
    decoder.want(0, (100, 100))
    limit = time.monotonic() + 20
    while not said and time.monotonic() < limit:
        time.sleep(0.02)
    decoder.stop()
    assert len(said) == 1
    assert "broken.mp4" in said[0]
    assert "\n" not in said[0]


def test_folders_of_images_are_shown_too(tmp_path: Path) -> None:
    for i in range(5):
        cv2.imwrite(str(tmp_path / f"img_{i}.png"), numbered(i))
    pane = Pane()
    decoder = VideoDecoder(tmp_path, pane.show, pane.failed.append)
    decoder.start()
    assert [number_in(pane.waits_for(decoder, i).bgra) for i in (0, 4, 2)] == [0, 4, 2]
    decoder.stop()
