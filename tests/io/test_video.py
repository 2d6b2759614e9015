import pickle
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from pose3d.errors import FormatError, VideoError
from pose3d.io.video import ImageFolder, open_frames, write_video

WIDTH, HEIGHT, N = 200, 120, 80
B_FRAMES = {"bf": "3", "x264-params": "b-adapt=0:scenecut=0"}


def picture(index):
    """A picture that carries its index as eight bright or dark bars, and an upper left corner of its own colour."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    for bit in range(8):
        image[40:, 4 + 24 * bit : 20 + 24 * bit] = 255 if index >> bit & 1 else 0
    image[:20, :40] = (255, 0, 0)
    return image


def index_of(image, turns=0):
    image = np.rot90(image, -turns)
    return sum(int(image[80, 12 + 24 * bit].mean() > 127) << bit for bit in range(8))


def encode(path, codec, options, *, pix_fmt="yuv420p", ticks=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(N):
            frame = av.VideoFrame.from_ndarray(picture(i), format="bgr24")
            if ticks is not None:
                frame.pts, frame.time_base = int(ticks[i]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path, degrees):
    """Write a clockwise rotation into the header of an mp4."""
    content = bytearray(path.read_bytes())
    at = content.find(b"tkhd") + 44
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


KINDS = {
    "long-gop.mp4": ("libx264", {"g": "60"} | B_FRAMES, {}),
    "open-gop.mov": ("libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}, {}),
    "tiny-gop.mp4": ("libx264", {"g": "3"} | B_FRAMES, {}),
    "each-alone.avi": ("mjpeg", {}, {"pix_fmt": "yuvj420p"}),
    "b-frames.avi": ("mpeg4", {"g": "12", "bf": "2"}, {}),
    "h264.avi": ("libx264", {"g": "20"} | B_FRAMES, {}),
    "mpeg4.avi": ("mpeg4", {"g": "12"}, {}),
    "offset.ts": ("libx264", {"g": "20"} | B_FRAMES, {}),
    "matroska.mkv": ("libx264", {"g": "20"} | B_FRAMES, {}),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vidéos with spaces")
    return {name: encode(folder / name, codec, options, **more) for name, (codec, options, more) in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_each_frame_is_the_picture_of_its_index(videos, name):
    source = open_frames(videos[name])
    assert (source.n_frames, source.size, source.fps) == (N, (WIDTH, HEIGHT), 25)
    assert not source.variable_rate
    np.testing.assert_allclose(source.times_s, np.arange(N) / 25, atol=1e-3)
    assert [(i, index_of(image)) for i, image in source.frames()] == [(i, i) for i in range(N)]


@pytest.mark.parametrize("name", KINDS)
def test_sparse_and_backward_frames_are_exact(videos, name):
    wanted = [*np.random.default_rng(1).integers(0, N, 25).tolist(), 7, 7, N - 1, 0, N - 2]
    source = open_frames(videos[name])
    assert [(i, index_of(image)) for i, image in source.frames(wanted)] == [(i, i) for i in wanted]
    assert index_of(source.frame(41)) == 41


def test_seeking_reads_less_than_decoding_all(videos, monkeypatch):
    source = open_frames(videos["tiny-gop.mp4"])
    decoded = []
    keep = type(source)._decoded_from

    def counting(self, *wanted):
        for item in keep(self, *wanted):
            decoded.append(item[0])
            yield item

    monkeypatch.setattr(type(source), "_decoded_from", counting)
    source.frame(75)
    assert min(decoded) >= 69


def test_frames_that_no_other_leans_on_are_left_out_on_the_way(videos):
    source = open_frames(videos["long-gop.mp4"])
    asked, passed = [], []

    def wanted():
        for index in (20, 58, 33, 34):
            asked.append(index)
            yield index

    def gives_up(found):
        passed.append(found)
        return asked[-1] == 58 and found >= 30

    got = source.pictures(wanted(), lambda frame: index_of(frame.to_ndarray(format="bgr24")), given_up=gives_up)
    # On the way to 58 frame 33 was left out already: it needs a way of its own.
    assert list(got) == [(20, 20), (33, 33), (34, 34)]
    assert passed[:10] == list(range(0, 20, 2))


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_rotation_metadata_makes_images_upright(tmp_path, degrees, turns):
    codec, options, _ = KINDS["long-gop.mp4"]
    path = turn(encode(tmp_path / "phone.mp4", codec, options), degrees)
    source = open_frames(path)
    assert source.rotation_deg == degrees
    assert source.size == ((HEIGHT, WIDTH) if degrees % 180 else (WIDTH, HEIGHT))
    assert [index_of(image, turns) for _, image in source.frames([3, 70])] == [3, 70]
    ok, expected = cv2.VideoCapture(str(path)).read()
    assert ok
    image = source.frame(0)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 1
    assert source.frame(0, gray=True).shape == expected.shape[:2]


def test_variable_rate_is_noticed_and_its_times_kept(tmp_path, caplog):
    ticks = np.cumsum(np.random.default_rng(0).integers(20, 60, N)) + 500
    path = encode(tmp_path / "vfr.mp4", "libx264", {"g": "60"} | B_FRAMES, ticks=ticks)
    source = open_frames(path)
    assert source.variable_rate
    assert "not evenly spaced" in caplog.text
    np.testing.assert_allclose(source.times_s, (ticks - ticks[0]) / 1000, atol=1e-4)
    assert source.fps == pytest.approx((N - 1) / source.times_s[-1])
    assert [index_of(image) for _, image in source.frames()] == list(range(N))


def test_one_dropped_frame_makes_the_rate_variable(tmp_path):
    ticks = np.arange(N) * 40
    ticks[50:] += 40
    assert open_frames(encode(tmp_path / "gap.mp4", "libx264", B_FRAMES, ticks=ticks)).variable_rate


def test_rounded_times_are_no_variable_rate(tmp_path):
    ticks = np.round(np.arange(N) * 1000 / 29.97)
    source = open_frames(encode(tmp_path / "rounded.mkv", "libx264", B_FRAMES, ticks=ticks))
    assert not source.variable_rate
    assert source.fps == pytest.approx(29.97, rel=1e-3)


@pytest.mark.skipif(
    not hasattr(av.container.OutputContainer, "add_stream_from_template"), reason="PyAV 14 can copy a stream"
)
def test_frames_before_the_cut_of_an_edit_list_do_not_count(videos, tmp_path):
    path = tmp_path / "trimmed.mp4"
    with av.open(str(videos["long-gop.mp4"])) as whole, av.open(str(path), "w") as trimmed:
        stream = whole.streams.video[0]
        copy = trimmed.add_stream_from_template(stream)
        for packet in whole.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - 10 * 512, packet.dts - 10 * 512, copy
                trimmed.mux(packet)
    source = open_frames(path)
    assert (source.n_frames, source.times_s[0]) == (N - 10, 0)
    assert [(i, index_of(image)) for i, image in source.frames([60, 3])] == [(60, 70), (3, 13)]
    assert [index_of(image) for _, image in source.frames()] == list(range(10, N))


def test_gray_is_the_gray_of_the_colours(videos):
    source = open_frames(videos["each-alone.avi"])
    expected = cv2.cvtColor(source.frame(5), cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(source.frame(5, gray=True), expected)


def test_a_source_can_be_sent_to_another_process(videos):
    source = pickle.loads(pickle.dumps(open_frames(videos["long-gop.mp4"])))
    assert index_of(source.frame(33)) == 33


@pytest.mark.parametrize("index", [-1, N])
def test_frames_outside_the_video_are_refused(videos, index):
    with pytest.raises(IndexError, match="does not exist"):
        open_frames(videos["long-gop.mp4"]).frames([index])


# writing


@pytest.mark.parametrize("fps", [25, 29.97, 30000 / 1001, 250])
def test_written_video_is_read_back(tmp_path, fps):
    path = tmp_path / "new folder" / "écrit.mp4"
    assert write_video(path, (picture(i) for i in range(N)), fps=fps) == N
    source = open_frames(path)
    assert (source.n_frames, source.size) == (N, (WIDTH, HEIGHT))
    assert source.fps == pytest.approx(fps, rel=1e-6)
    images = list(source.frames())
    assert [index_of(image) for _, image in images] == list(range(N))
    assert np.abs(images[9][1].astype(float) - picture(9)).mean() < 4
    assert not list(path.parent.glob(".*"))


def test_same_frames_give_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, (picture(i) for i in range(20)), fps=30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_odd_sizes_are_made_even_without_moving_a_pixel(tmp_path):
    write_video(tmp_path / "odd.mp4", [picture(5)[:119, :199, 0]], fps=30, crf=5)
    image = open_frames(tmp_path / "odd.mp4").frame(0)
    assert image.shape == (120, 200, 3)
    assert np.abs(image[:119, :199, 0].astype(float) - picture(5)[:119, :199, 0]).mean() < 2


def test_crf_trades_size_for_quality(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for crf in (10, 40):
        write_video(tmp_path / f"{crf}.mp4", noise, fps=30, crf=crf)
    assert (tmp_path / "40.mp4").stat().st_size < 0.3 * (tmp_path / "10.mp4").stat().st_size


@pytest.mark.parametrize("frames", [[], [picture(0), picture(0)[:60]]])
def test_nothing_is_left_where_writing_fails(tmp_path, frames):
    with pytest.raises(ValueError, match="frame"):
        write_video(tmp_path / "none.mp4", frames, fps=30)
    assert not list(tmp_path.iterdir())


# bad input


def cut(path, target, part):
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * part)])
    return target


def test_mp4_cut_short_before_its_index(videos, tmp_path):
    with pytest.raises(VideoError, match=r"cut\.mp4: its index is missing"):
        open_frames(cut(videos["long-gop.mp4"], tmp_path / "cut.mp4", 0.7))


def test_mp4_cut_short_behind_its_index_says_after_how_many_frames(tmp_path):
    write_video(tmp_path / "whole.mp4", (picture(i) for i in range(N)), fps=30)
    with pytest.raises(VideoError, match=rf"cut\.mp4: is cut short or damaged after [1-7][0-9] of {N} frames; copy"):
        open_frames(cut(tmp_path / "whole.mp4", tmp_path / "cut.mp4", 0.8))


@pytest.mark.parametrize("name", ["each-alone.avi", "b-frames.avi"])
def test_avi_cut_short(videos, tmp_path, name):
    with pytest.raises(VideoError, match=rf"is cut short or damaged after [0-9]+ of {N} frames"):
        open_frames(cut(videos[name], tmp_path / "cut.avi", 0.7))


def test_damage_in_the_middle_says_where(tmp_path):
    path = tmp_path / "hole.mp4"
    write_video(path, (picture(i) for i in range(N)), fps=30)
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + len(content) // 6] = bytes(len(content) // 6)
    path.write_bytes(content)
    source = open_frames(path)
    with pytest.raises(VideoError, match=r"hole\.mp4: .*(after|frame) [0-9]+"):
        list(source.frames())


@pytest.mark.parametrize(
    "content", [b"some words, again and again\n" * 50, b"#EXTM3U\n#EXTINF:10,\nother.mp4\n", b"\0" * 999]
)
@pytest.mark.parametrize("name", ["foreign.mp4", "foreign.txt"])
def test_what_is_no_video(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match="is no video") as caught:
        open_frames(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(FormatError, match="no such video"):
        open_frames(tmp_path / "absent.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(FormatError, match="is empty"):
        open_frames(tmp_path / "empty.mp4")


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="holds no pictures"):
        open_frames(tmp_path / "sound.mp4")


# folders of images


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "Bilder für Ümit"
    folder.mkdir()
    for i in (1, 2, 10, 33):
        (folder / f"bild_{i}.png").write_bytes(cv2.imencode(".png", picture(i))[1].tobytes())
    (folder / "notes.txt").write_text("not an image")
    (folder / "._bild_1.png").write_bytes(b"left by macOS")
    return folder


def test_images_come_in_natural_order(images):
    source = open_frames(images)
    assert isinstance(source, ImageFolder)
    assert (source.n_frames, source.size, source.fps) == (4, (WIDTH, HEIGHT), None)
    assert np.isnan(source.times_s).all()
    assert [(i, index_of(image)) for i, image in source.frames()] == [(0, 1), (1, 2), (2, 10), (3, 33)]
    np.testing.assert_array_equal(source.frame(2), picture(10))
    assert source.frame(2, gray=True).shape == (HEIGHT, WIDTH)


def test_images_of_two_sizes_are_refused(images):
    (images / "bild_11.png").write_bytes(cv2.imencode(".png", picture(3)[:60])[1].tobytes())
    with pytest.raises(FormatError, match=r"bild_11\.png: is 200x60, bild_1\.png is 200x120"):
        list(open_frames(images).frames())


def test_damaged_image_is_named(images):
    (images / "bild_2.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    with pytest.raises(FormatError, match=r"bild_2\.png: is no image"):
        list(open_frames(images).frames())


def test_folder_without_images(tmp_path):
    with pytest.raises(FormatError, match="holds no images"):
        open_frames(tmp_path)


def test_one_image_is_no_video(images):
    with pytest.raises(VideoError, match="give the folder"):
        open_frames(images / "bild_1.png")


# real recordings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "n_frames", "fps"),
    [
        ("mouse-4cam/*/*calibration.MOV", 21, 30),
        ("mouse-4cam/*/minimal_*.mp4", 120, 30),
        ("webcams-4cam/calibration/extrinsic/*.mp4", 111, 6),
        ("balance-4cam/S00*/S00_P00_T01*/videos/*.mp4", 100, 60),
    ],
)
def test_real_videos_agree_with_opencv(recordings, pattern, n_frames, fps):
    paths = sorted(recordings.glob(pattern))
    assert len(paths) == 4
    for path in paths:
        source = open_frames(path)
        assert (source.n_frames, source.fps, source.variable_rate) == (n_frames, fps, False)
        capture = cv2.VideoCapture(str(path))
        wanted = {0, 7, 20, min(n_frames - 1, 45)}
        expected = {}
        for i in range(max(wanted) + 1):
            assert capture.grab()
            if i in wanted:
                expected[i] = capture.retrieve()[1]
        for i, image in source.frames(sorted(wanted)):
            assert np.abs(image.astype(int) - expected[i]).max() <= 1, (path.name, i)
