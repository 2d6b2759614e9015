import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pose3d.errors import DataError, FormatError, Pose3DError, VideoError
from pose3d.io.dlc import read_dlc
from pose3d.io.dlc_candidates import read_dlc_candidates
from pose3d.network import analysis
from pose3d.network.analysis import AnalysisSettings, analyze_video, is_replaceable
from pose3d.network.analysis_jobs import AnalysisJob, analyze_videos
from pose3d.network.chunk_store import chunk_folder
from pose3d.network.subject_window import CropSettings

CROP = CropSettings(whole_every=30)
CELL = 4.0  # px of the video, half a cell: the dots' network only tells in which cells they are


def errors_px(path: Path, places: np.ndarray) -> np.ndarray:
    return np.linalg.norm(read_dlc(path, camera="A").xy[:, 0, 0] - places, axis=-1)


def test_video_becomes_a_table_of_deeplabcut(
    dot_video: Path, dot_model: Path, dot_places: np.ndarray, tmp_path: Path
) -> None:
    reports: list[tuple[str, int, int]] = []
    made = analyze_video(
        dot_video,
        dot_model,
        tmp_path / "walk_A.h5",
        settings=AnalysisSettings(chunk_frames=40),
        progress=lambda *report: reports.append(report),
    )
    assert {("walk_A", done, 90) for done in (0, 40, 80, 90)} <= set(reports)
    assert reports == sorted(reports)
    assert errors_px(made.output, dot_places).max() < CELL
    table = pd.read_hdf(made.output)
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(table.columns.get_level_values("bodyparts").unique()) == ["red", "green", "blue", "yellow"]
    assert set(table.columns.get_level_values("scorer")) == {"pose3d_dots"}
    assert [path.name for path in tmp_path.iterdir()] == ["walk_A.h5"]
    assert (made.n_frames, made.n_resumed, made.n_whole) == (90, 0, 90)
    assert "90 frames" in made.lines()[0]


def test_number_of_threads_changes_nothing(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    for threads in (1, 3):
        settings = AnalysisSettings(threads=threads, precision="fp32")
        analyze_video(dot_video, dot_model, tmp_path / str(threads) / "a.h5", settings=settings)
    assert (tmp_path / "1" / "a.h5").read_bytes() == (tmp_path / "3" / "a.h5").read_bytes()


def test_candidates_can_be_read(dot_video: Path, dot_model: Path, dot_places: np.ndarray, tmp_path: Path) -> None:
    analyze_video(dot_video, dot_model, tmp_path / "a.h5", settings=AnalysisSettings(n_peaks=3))
    peaks = read_dlc_candidates(tmp_path / "a.h5", camera="A")
    assert peaks.n_peaks == 3
    assert errors_px(tmp_path / "a.h5", dot_places).max() < CELL


def test_following_the_subject_finds_the_same(
    dot_video: Path, dot_model: Path, dot_places: np.ndarray, tmp_path: Path
) -> None:
    settings = AnalysisSettings(crop=CROP, chunk_frames=25)
    made = analyze_video(dot_video, dot_model, tmp_path / "crop.h5", settings=settings)
    analyze_video(dot_video, dot_model, tmp_path / "whole.h5")
    assert made.n_whole < 20
    cropped, whole = (read_dlc(tmp_path / name, camera="A") for name in ("crop.h5", "whole.h5"))
    assert np.abs(cropped.xy - whole.xy).max() < 1.0
    assert errors_px(made.output, dot_places).max() < CELL


class Ended(Exception):
    """Stands for whatever ends a program."""


@pytest.mark.parametrize("crop", [None, CROP])
def test_ended_work_goes_on_to_the_same_bytes(
    dot_video: Path, dot_model: Path, tmp_path: Path, crop: CropSettings | None
) -> None:
    settings = AnalysisSettings(chunk_frames=20, crop=crop, n_peaks=2)
    run = partial(analyze_video, dot_video, dot_model, settings=settings)
    run(tmp_path / "whole" / "walk_A.h5")
    output = tmp_path / "ended" / "walk_A.h5"
    for stop in (20, 60, 80):

        def end(_: str, done: int, __: int, stop: int = stop) -> None:
            if done == stop:  # that chunk is kept
                raise Ended

        with pytest.raises(Ended):
            run(output, progress=end)
        assert not output.exists()
    made = run(output)
    assert made.n_resumed == 80
    assert output.read_bytes() == (tmp_path / "whole" / "walk_A.h5").read_bytes()
    assert not chunk_folder(output).exists()


KILLED = """
import sys, time
from pose3d.network.analysis import AnalysisSettings, analyze_video

def slowly(label, done, total):
    print(done, flush=True)
    time.sleep(0.3)

analyze_video(*sys.argv[1:4], settings=AnalysisSettings(chunk_frames=15, n_peaks=2), progress=slowly)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_work_goes_on_to_the_same_bytes(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    settings = AnalysisSettings(chunk_frames=15, n_peaks=2)
    analyze_video(dot_video, dot_model, tmp_path / "whole" / "walk_A.h5", settings=settings)
    output = tmp_path / "killed" / "walk_A.h5"
    command = [sys.executable, "-c", KILLED, str(dot_video), str(dot_model), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 30:
                time.sleep(0.31)  # within the work on a chunk, rather than between two
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert not output.exists()
    made = analyze_video(dot_video, dot_model, output, settings=settings)
    assert 30 <= made.n_resumed < 90
    assert output.read_bytes() == (tmp_path / "whole" / "walk_A.h5").read_bytes()


def test_same_work_is_not_done_twice(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "walk_A.h5"
    analyze_video(dot_video, dot_model, output)
    before = output.stat().st_mtime_ns
    assert analyze_video(dot_video, dot_model, output).up_to_date
    assert output.stat().st_mtime_ns == before
    assert not analyze_video(dot_video, dot_model, output, settings=AnalysisSettings(precision="fp32")).up_to_date


def test_other_video_begins_anew(
    dot_video: Path, dot_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def end(_: str, done: int, __: int) -> None:
        if done:
            raise Ended

    output, settings = tmp_path / "walk_A.h5", AnalysisSettings(chunk_frames=40)
    with pytest.raises(Ended):
        analyze_video(dot_video, dot_model, output, settings=settings, progress=end)
    other = tmp_path / "other.mp4"
    shutil.copyfile(dot_video, other)
    with caplog.at_level(logging.WARNING, "pose3d"):
        made = analyze_video(other, dot_model, output, settings=settings)
    assert made.n_resumed == 0
    assert "begun anew" in caplog.text


def test_files_of_other_programs_are_not_written_over(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "walk_A.h5"
    columns = pd.MultiIndex.from_product([["DLC_resnet50"], ["nose"], ["x", "y", "likelihood"]])
    pd.DataFrame(np.ones((3, 3)), columns=columns).to_hdf(output, key="df_with_missing")
    before = output.read_bytes()
    assert not is_replaceable(output)
    with pytest.raises(DataError, match="was not made by pose3d analyze"):
        analyze_video(dot_video, dot_model, output)
    assert output.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["walk_A.h5"]


def test_video_that_breaks_off_keeps_what_is_finished(
    dot_video: Path, dot_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, settings = tmp_path / "walk_A.h5", AnalysisSettings(chunk_frames=20)
    whole = analysis.scaled_frames

    def damaged(*given: object, **more: object) -> object:
        for index, image in whole(*given, **more):
            if index == 50:
                raise VideoError("walk_A.mp4: breaks off after 50 of 90 frames; copy it anew")
            yield index, image

    monkeypatch.setattr(analysis, "scaled_frames", damaged)
    with pytest.raises(VideoError, match="breaks off"):
        analyze_video(dot_video, dot_model, output, settings=settings)
    monkeypatch.undo()
    assert analyze_video(dot_video, dot_model, output, settings=settings).n_resumed == 40


def test_cut_video_is_one_clear_line(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(dot_video.read_bytes()[:-20_000])
    with pytest.raises(FormatError, match=r"cut\.mp4"):
        analyze_video(cut, dot_model, tmp_path / "cut.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.mp4"]


FULL_DISK = """
import resource, sys
from pose3d.errors import Pose3DError
from pose3d.network.analysis import AnalysisSettings, analyze_video

limit = int(sys.argv[4])
analyze_video.__globals__["Predictor"].open(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    analyze_video(*sys.argv[1:4], settings=AnalysisSettings(chunk_frames=15))
except Pose3DError as error:
    print(f"LINE {error}")
"""


@pytest.mark.skipif(os.name == "nt", reason="no limits of file sizes")
@pytest.mark.parametrize("limit", [1000, 4000])
def test_full_disk_is_one_clear_line(dot_video: Path, dot_model: Path, tmp_path: Path, limit: int) -> None:
    output = tmp_path / "walk_A.h5"
    command = [sys.executable, "-c", FULL_DISK, str(dot_video), str(dot_model), str(output), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("LINE ")
    assert "cannot be written" in line
    assert [path.name for path in tmp_path.iterdir()] == ["walk_A.partial"]
    made = analyze_video(dot_video, dot_model, output, settings=AnalysisSettings(chunk_frames=15))
    assert made.n_resumed == (0 if limit == 1000 else 90)


def test_videos_side_by_side_give_what_each_gives_alone(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    work = partial(analyze_video, model=dot_model)
    videos = [dot_video, Path(shutil.copyfile(dot_video, tmp_path / "walk_B.mp4")), tmp_path / "absent.mp4"]
    jobs = [AnalysisJob(video, tmp_path / "out" / f"{video.stem}.h5") for video in videos]
    reports: dict[str, list[int]] = {}
    ended = []
    outcomes = analyze_videos(
        jobs,
        work,
        workers=2,
        progress=lambda label, done, _: reports.setdefault(label, []).append(done),
        report=lambda job, _: ended.append(job),
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["AnalysisSummary", "AnalysisSummary", "FormatError"]
    assert "absent.mp4: no such video" in str(outcomes[2])
    assert sorted(reports) == ["walk_A", "walk_B"]
    assert all(done == sorted(done) and done[-1] == 90 for done in reports.values())
    assert {job.video for job in ended} == set(videos)
    alone = analyze_video(dot_video, dot_model, tmp_path / "alone" / "walk_A.h5")
    assert alone.output.read_bytes() == jobs[0].output.read_bytes()


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from pose3d.network.analysis import analyze_video
from pose3d.network.analysis_jobs import AnalysisJob, analyze_videos

print("begun")
video, model, out = map(Path, sys.argv[1:])
jobs = [AnalysisJob(video, out / name) for name in ("a.h5", "b.h5")]
print([type(each).__name__ for each in analyze_videos(jobs, partial(analyze_video, model=model), workers=2)])
"""


def test_a_script_needs_no_guard(dot_video: Path, dot_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(dot_video), str(dot_model), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["begun", "['AnalysisSummary', 'AnalysisSummary']"], done.stderr


def _end_abruptly(_: Path, **_more: object) -> None:
    os._exit(9)


def test_process_that_is_ended_is_one_clear_line(tmp_path: Path) -> None:
    jobs = [AnalysisJob(tmp_path / f"{i}.mp4", tmp_path / f"{i}.h5") for i in range(2)]
    outcomes = analyze_videos(jobs, _end_abruptly, workers=2)
    assert all(isinstance(outcome, Pose3DError) for outcome in outcomes)
    assert "was ended from outside; start again to go on" in str(outcomes[0])


def test_two_jobs_may_not_write_one_file(tmp_path: Path) -> None:
    jobs = [AnalysisJob(tmp_path / f"{i}.mp4", tmp_path / "same.h5") for i in range(2)]
    with pytest.raises(ValueError, match="the same file"):
        analyze_videos(jobs, _end_abruptly)
