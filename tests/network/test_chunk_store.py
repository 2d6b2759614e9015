import errno
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from pose3d.errors import FormatError, Pose3DError
from pose3d.network.chunk_store import ChunkStore, chunk_folder


def opened(folder: Path, *, n: int = 10, key: str = "abc") -> ChunkStore:
    return ChunkStore(folder / "walk.h5", n_frames=n, fingerprint=key)


def frames(first: int, last: int) -> dict[str, np.ndarray]:
    index = np.arange(first, last)
    return {"xy": np.stack([index, -index], axis=1).astype(np.float32), "who": index.astype(np.int64)}


def test_chunks_come_back_in_order_and_bit_by_bit(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(frames(0, 4))
    store.append(frames(4, 10), {"names": np.array(["a", "bc"]), "window": (1, 2)})
    again = opened(tmp_path)
    assert again.done_frames == 10
    assert again.state["names"].tolist() == ["a", "bc"]
    assert again.state["window"].tolist() == [1, 2]
    parts = list(again.chunks())
    for name, whole in frames(0, 10).items():
        read = np.concatenate([part[name] for part in parts])
        assert read.dtype == whole.dtype
        np.testing.assert_array_equal(read, whole)


@pytest.mark.parametrize("change", [{"key": "other"}, {"n": 11}])
def test_other_work_begins_anew_and_says_so(tmp_path: Path, change: dict, caplog: pytest.LogCaptureFixture) -> None:
    opened(tmp_path).append(frames(0, 4))
    with caplog.at_level(logging.WARNING, "pose3d"):
        store = opened(tmp_path, **change)
    assert store.done_frames == 0
    assert not store.state
    assert "begun anew" in caplog.text
    assert [path.name for path in store.folder.iterdir()] == ["manifest.json"]


def test_half_a_chunk_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    for first in (0, 3, 6):
        store.append(frames(first, first + 3), {"at": first})
    middle = store.folder / f"{3:012d}-{6:012d}.npz"
    middle.write_bytes(middle.read_bytes()[:200])
    (store.folder / ".000000000006.abcd1234.npz").write_bytes(b"left by a process that was killed")
    with caplog.at_level(logging.WARNING, "pose3d"):
        again = opened(tmp_path)
    assert (again.done_frames, int(again.state["at"])) == (3, 0)
    assert "made anew from there" in caplog.text
    assert len(list(again.folder.iterdir())) == 2


def test_damage_found_at_the_end_keeps_what_is_before_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(frames(0, 5))
    store.append(frames(5, 10))
    (store.folder / f"{5:012d}-{10:012d}.npz").write_bytes(b"")
    with pytest.raises(FormatError, match="start again: what was finished before frame 5 is kept"):
        list(store.chunks())
    assert opened(tmp_path).done_frames == 5


def test_other_files_are_not_deleted(tmp_path: Path) -> None:
    folder = chunk_folder(tmp_path / "walk.h5")
    folder.mkdir()
    (folder / "thesis.docx").write_text("years of work")
    with pytest.raises(Pose3DError, match=r"holds other files \(thesis\.docx\)"):
        opened(tmp_path)
    assert (folder / "thesis.docx").exists()


def test_hostile_manifest_is_no_continuation(tmp_path: Path) -> None:
    opened(tmp_path).append(frames(0, 4))
    manifest = chunk_folder(tmp_path / "walk.h5") / "manifest.json"
    for text in ("[" * 100_000, "null", "{", json.dumps({"format": 1})):
        manifest.write_text(text)
        assert opened(tmp_path).done_frames == 0


def test_full_disk_keeps_finished_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    store.append(frames(0, 4))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(Pose3DError, match="No space left on device"):
        store.append(frames(4, 10))
    monkeypatch.undo()
    assert store.done_frames == 4
    again = opened(tmp_path)
    again.append(frames(4, 10))
    assert again.done_frames == 10


def test_frames_must_follow_one_another(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(ValueError, match="1 to 10 frames"):
        store.append(frames(0, 11))
    with pytest.raises(ValueError, match="of one length"):
        store.append({"xy": np.zeros((3, 2)), "who": np.zeros(4)})
    with pytest.raises(ValueError, match="numbers and texts"):
        store.append({"xy": np.array([object()])})


def test_removed_folder_is_gone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(frames(0, 10))
    store.remove()
    assert not store.folder.exists()
