"""A disk that fills up while a table is written: one clear line, and what was there stays."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pose3d.errors import Pose3DError
from pose3d.io.dlc_stream import is_as_written, write_dlc_blocks
from pose3d.io.whole_h5 import written_h5

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from pose3d.data.keypoints import Keypoints2D
from pose3d.data.labels import ImageName, Labels
from pose3d.errors import Pose3DError
from pose3d.io.collected_data import read_collected_data, write_collected_data
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.dlc_stream import write_dlc_blocks

folder, parts = Path(sys.argv[1]), tuple(f"part{k}" for k in range(8))
rng = np.random.default_rng(0)
xy = rng.integers(0, 100, (400, 1, 1, 8, 2)).astype(float)  # a csv smaller than the h5
seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), ("A",), ("one",), parts)
images = [ImageName("walk_A", f"img{i:04d}.png") for i in range(400)]
labels = Labels(images, ("one",), parts, xy[:, 0], np.ones(xy.shape[:1] + (1, 8), np.uint8), "anna")
blocks = np.concatenate([xy[:, 0, ..., None, :], np.ones((400, 1, 8, 1, 1))], axis=-1)
writers = {
    "whole.h5": lambda path: write_dlc(seen, path),
    "blocks.h5": lambda path: write_dlc_blocks(path, np.split(blocks, 4), individuals=("one",), keypoints=parts),
    "CollectedData_anna.h5": lambda path: write_collected_data(labels, path.parent),
}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name, write in writers.items():
    path = folder / name.split(".")[0] / name
    write(path)
    before = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9, 0.99):
        limit = int(share * len(before))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
        try:
            write(path)
            print("WRITTEN", name, share)
        except Pose3DError as error:
            print("LINE", error)
            assert share < 0.9 or ".h5: " in str(error), error
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        assert path.read_bytes() == before, (name, share)
        assert {item.suffix for item in path.parent.iterdir()} <= {".h5", ".csv"}
"""


@pytest.mark.skipif(os.name == "nt", reason="no limits of file sizes")
def test_full_disk_is_one_clear_line_and_costs_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 15
    for line in lines:
        assert line.startswith("LINE ")
        assert "cannot be written" in line


@pytest.mark.parametrize("form", ["table", "fixed"])
def test_a_table_that_reads_otherwise_is_not_moved_into_place(tmp_path: Path, form: str) -> None:
    """As where the disk, not HDF5, loses something."""
    columns = pd.MultiIndex.from_product([["me"], ["nose"], ["x", "y", "likelihood"]])
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=columns)
    changes = (frame.iloc[:3], frame + 1, frame.set_axis(range(1, 5)), frame.rename(columns={"nose": "paw"}))

    def write(other: pd.DataFrame) -> None:
        with written_h5(tmp_path / "a.h5") as table:
            table.put(frame, form=form)
            table._store.put("df_with_missing", other, format=form, index=False, track_times=False)

    for other in changes:
        with pytest.raises(Pose3DError, match="cannot be written whole"):
            write(other)
        assert not list(tmp_path.iterdir())
    with written_h5(tmp_path / "a.h5") as table:
        table.put(frame, form=form)
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "a.h5"), frame)


def test_values_that_were_edited_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).uniform(0, 100, (30, 1, 2, 1, 3))
    values[3, 0, 0, 0] = np.nan
    settings = {"individuals": ("one",), "keypoints": ("nose", "tail")}
    write_dlc_blocks(path, [values[:20], values[20:]], **settings, notes={"made_of": "a video"})
    assert is_as_written(path)
    frame = pd.read_hdf(path)
    frame.iloc[7, 1] += 0.01
    frame.to_hdf(path, key="df_with_missing", format="table")  # which keeps the notes
    assert not is_as_written(path)
    write_dlc_blocks(path, [values], **settings)
    assert not is_as_written(path)  # nobody noted what it was
    assert not is_as_written(tmp_path / "absent.h5")
