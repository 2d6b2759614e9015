import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import DataError, Pose3DError
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.dlc_candidates import read_dlc_candidates
from pose3d.io.dlc_stream import read_notes, read_scorer, write_dlc_blocks
from pose3d.io.names import SINGLE_INDIVIDUAL

PARTS = ("nose", "paw_left", "paw_right")


def blocks(n: int, *, individuals: int = 1, peaks: int = 1, length: int = 50) -> Iterator[np.ndarray]:
    for seed in range(n):
        values = np.random.default_rng(seed).uniform(0, 500, (length, individuals, len(PARTS), peaks, 3))
        values[..., 2] /= 500
        values[0, :, :, -1, :2] = np.nan if peaks > 1 else values[0, :, :, -1, :2]
        yield values


def test_blocks_make_the_bytes_of_the_whole(tmp_path: Path) -> None:
    whole = np.concatenate(list(blocks(4)))[:, :, :, 0]
    keypoints = Keypoints2D(whole[:, None, ..., :2], whole[:, None, ..., 2], ("A",), ("single",), PARTS)
    write_dlc(keypoints, tmp_path / "whole.h5")
    assert write_dlc_blocks(tmp_path / "parts.h5", blocks(4), individuals=("single",), keypoints=PARTS) == 200
    assert (tmp_path / "parts.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize("individuals", [(SINGLE_INDIVIDUAL,), ("left mouse", "right mouse")])
def test_all_peaks_come_back(tmp_path: Path, individuals: tuple[str, ...]) -> None:
    path = tmp_path / "walk.h5"
    settings = {"individuals": individuals, "keypoints": PARTS, "n_peaks": 3, "start": 7}
    write_dlc_blocks(path, blocks(3, individuals=len(individuals), peaks=3), **settings)
    whole = np.concatenate(list(blocks(3, individuals=len(individuals), peaks=3)))
    read = read_dlc_candidates(path, camera="A")
    assert (read.start, read.individuals, read.keypoints) == (7, individuals, PARTS)
    np.testing.assert_array_equal(read.xy[:, 0], whole[..., :2])
    best = read_dlc(path, camera="A")
    np.testing.assert_array_equal(best.xy[:, 0], whole[..., 0, :2])
    table = pd.read_hdf(path)
    assert list(table.columns[:6].get_level_values("coords")) == ["x", "y", "likelihood", "x2", "y2", "likelihood2"]


def test_notes_and_scorer_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "walk.h5"
    write_dlc_blocks(
        path, blocks(1), individuals=("single",), keypoints=PARTS, scorer="pose3d_mice", notes={"made_of": "Größe"}
    )
    assert read_notes(path)["made_of"] == "Größe"
    assert read_scorer(path) == "pose3d_mice"
    assert len(pd.read_hdf(path)) == 50
    (tmp_path / "text.h5").write_text("no table")
    assert read_notes(tmp_path / "text.h5") == {}
    assert read_scorer(tmp_path / "text.h5") is None
    assert read_scorer(tmp_path / "absent.h5") is None


def test_what_fails_half_way_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "walk.h5"
    write_dlc_blocks(path, blocks(1), individuals=("single",), keypoints=PARTS)
    before = path.read_bytes()

    def broken() -> Iterator[np.ndarray]:
        yield from blocks(2)
        raise Pose3DError("the video breaks off")

    with pytest.raises(Pose3DError, match="breaks off"):
        write_dlc_blocks(path, broken(), individuals=("single",), keypoints=PARTS)
    with pytest.raises(ValueError, match="no frames"):
        write_dlc_blocks(path, iter(()), individuals=("single",), keypoints=PARTS)
    with pytest.raises(ValueError, match="a block is"):
        write_dlc_blocks(path, blocks(1, peaks=2), individuals=("single",), keypoints=PARTS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_too_many_columns_are_refused_in_one_line(tmp_path: Path) -> None:
    names = tuple(f"k{i}" for i in range(70))
    with pytest.raises(DataError, match="ask for fewer peaks"):
        write_dlc_blocks(tmp_path / "walk.h5", iter(()), individuals=("single",), keypoints=names, n_peaks=5)
    with pytest.raises(DataError, match=r"\.h5"):
        write_dlc_blocks(tmp_path / "walk.csv", blocks(1), individuals=("single",), keypoints=PARTS)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        tracemalloc.start()
        write_dlc_blocks(tmp_path / "walk.h5", blocks(n, length=2000), individuals=("single",), keypoints=PARTS)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    n_bytes = 100 * next(blocks(1, length=2000)).nbytes
    assert peak(120) - peak(20) < 0.1 * n_bytes


FULL_DISK = """
import resource, sys
import numpy as np
from pose3d.errors import Pose3DError
from pose3d.io.dlc_stream import write_dlc_blocks

blocks = [np.random.default_rng(seed).random((500, 1, 4, 1, 3)) for seed in range(6)]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    write_dlc_blocks(sys.argv[1], blocks, individuals=("single",), keypoints=tuple("abcd"))
except Pose3DError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="no limits of file sizes")
@pytest.mark.parametrize("limit", [1000, 100_000, 334_000])
def test_full_disk_leaves_nothing_and_says_so(tmp_path: Path, limit: int) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "walk.h5"), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "is the disk full?" in done.stdout
    assert not list(tmp_path.iterdir())
