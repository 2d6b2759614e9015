"""OpenPose's folders of json: one file a frame and camera, keypoints without names."""

import json
import os
import re
import secrets
import shutil
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.data.skeleton import Skeleton
from pose3d.errors import FormatError, Pose3DError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.camera_keypoints import CameraKeypoints
from pose3d.io.files import require_folder
from pose3d.io.rows import find_frame_rows

__all__ = ["is_openpose", "open_openpose", "read_openpose", "skeletons_of", "write_openpose"]

# A frame of a crowd is some 100 kB.
_MOST_BYTES = 50_000_000
# Short recordings are kept from the first look at them, long ones are read again.
_MOST_KEPT_BYTES = 2**23
_FILES_AT_ONCE = 256
_NUMBERS_AT_ONCE = 100_000
_LAST_INTEGER = re.compile(r"([0-9]+)[^0-9]*$")


def is_openpose(folder: Path) -> bool:
    """Tell whether a folder holds json files."""
    return any(_is_frame(item) for item in folder.iterdir())


def skeletons_of(n_keypoints: int) -> tuple[str, ...]:
    """Return the names of the skeletons with so many keypoints.

    >>> skeletons_of(17)
    ('coco17',)
    """
    return tuple(name for name in Skeleton.presets() if len(Skeleton.preset(name).keypoints) == n_keypoints)


def read_openpose(folder: str | Path, *, camera: str, skeleton: Skeleton | None) -> Keypoints2D:
    """Read OpenPose's (or Pose2Sim's) json files of one camera.

    Parameters
    ----------
    folder : path
        One json a frame; the last number in a file's name is the frame's. Frames without a file are missing.
    camera : str
        Name that the camera gets.
    skeleton : Skeleton or None
        Gives the keypoints' names, which the files do not carry. None is an error that says which would fit.

    Returns
    -------
    Keypoints2D
        One camera. Individuals are ``person_0``, ``person_1``, ... as they stand in each file: **no tracked
        identities**, ``person_0`` may be another person from one frame to the next. A keypoint at 0, 0 with score 0 is
        absent.

    Raises
    ------
    FormatError
        If there are no json files, one is damaged, or keypoints and skeleton differ in number.
    """
    return open_openpose(folder, skeleton=skeleton).whole(camera)


def open_openpose(folder: str | Path, *, skeleton: Skeleton | None) -> CameraKeypoints:
    """Open what :func:`read_openpose` reads, to be read by parts.

    Every file is looked into, since only then it is known how many people there are.

    Raises
    ------
    FormatError
        If there are no json files, one is damaged, or keypoints and skeleton differ in number.
    """
    folder = require_folder(folder, "folder of OpenPose json")
    files = _Files(folder)
    n_people, kept = _look_into(files, skeleton)
    if skeleton is None:
        raise FormatError(f"{folder}: no frame holds a person")
    keypoints = skeleton.keypoints

    def read_rows(first: int, last: int) -> Iterator[FloatArray]:
        for begin in range(first, last, _FILES_AT_ONCE):
            rows = range(begin, min(begin + _FILES_AT_ONCE, last))
            points = np.full((len(rows), n_people, len(keypoints), 3), np.nan)
            for place, row in zip(points, rows, strict=True):
                people = kept[row] if kept is not None else _flat(_checked(files.path(row), skeleton))
                place[: len(people)] = people.reshape(len(people), *place.shape[1:])
            points[(points == 0).all(-1)] = np.nan
            yield points

    names = (tuple(f"person_{i}" for i in range(n_people)), keypoints)
    frames = find_frame_rows(files.numbers(), n_people * len(keypoints) * 3, folder)
    return CameraKeypoints(folder, names, frames, read_rows, rows_at_once=_FILES_AT_ONCE)


def write_openpose(keypoints: Keypoints2D, folder: str | Path) -> None:
    """Write the keypoints of one camera as a folder of OpenPose json.

    The folder appears whole or not at all; one that this function wrote before is replaced. Individuals lose their
    names. The same keypoints give the same bytes.

    Parameters
    ----------
    keypoints : Keypoints2D
        Of one camera.
    folder : path

    Raises
    ------
    ValueError
        If there are several cameras.
    Pose3DError
        If the folder holds other files, or cannot be written.
    """
    if len(keypoints.cameras) != 1:
        raise ValueError(f"a folder of OpenPose json holds one camera, not {len(keypoints.cameras)}")
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    ours = re.compile(re.escape(keypoints.cameras[0]) + r"_[0-9]{12}_keypoints\.json")
    try:
        if folder.exists():
            strangers = [item.name for item in require_folder(folder).iterdir() if not ours.fullmatch(item.name)]
            if strangers:
                raise Pose3DError(f"{folder}: holds other files ({strangers[0]}); choose another folder")
        values = np.concatenate([keypoints.xy[:, 0], keypoints.score[:, 0, ..., None]], axis=-1)
        people = np.nan_to_num(values, nan=0.0).reshape(*values.shape[:2], -1)
        temporary.mkdir(parents=True)
        for i, frame in enumerate(people.tolist()):
            text = json.dumps({"version": 1.3, "people": [_person(person) for person in _without_tail(frame)]})
            name = f"{keypoints.cameras[0]}_{keypoints.start + i:012d}_keypoints.json"
            (temporary / name).write_text(text + "\n", encoding="utf-8", newline="\n")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except OSError as error:
        raise Pose3DError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _person(values: list[float]) -> dict[str, Any]:
    return {"person_id": [-1], "pose_keypoints_2d": values}


def _without_tail(frame: list[list[float]]) -> list[list[float]]:
    """Leave absent people out at the end of the list only: elsewhere the others would change places."""
    last = max((i for i, person in enumerate(frame) if any(person)), default=-1)
    return frame[: last + 1]


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() == ".json" and not path.name.startswith(".")


class _Files:
    """The json files of a folder by frame number; millions of names take the room of their numbers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found, form_of_file = array("q"), array("q")
        forms: dict[tuple[str, int, str], int] = {}  # what stands before the number, its digits, what stands behind
        with os.scandir(folder) as entries:  # one at a time, where Path.iterdir lists all names first
            for item in (Path(entry.path) for entry in entries):
                if _is_frame(item):
                    before, digits, behind = _parse_name(item)
                    found.append(int(digits))
                    form_of_file.append(forms.setdefault((before, len(digits), behind), len(forms)))
        if not found:
            raise FormatError(f"{folder}: holds no json files")
        numbers = np.array(found, np.int64)
        order = np.argsort(numbers, kind="stable")
        self._forms = tuple(forms)
        self._form_of_file = np.array(form_of_file, np.int32)[order] if len(forms) > 1 else None
        self._numbers = numbers[order]

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self) -> Iterator[IntArray]:
        """Yield the frame number of each file, a block at a time."""
        for first in range(0, len(self), _NUMBERS_AT_ONCE):
            yield self._numbers[first : first + _NUMBERS_AT_ONCE]

    def path(self, i: int) -> Path:
        """Return the path of file i."""
        before, n_digits, behind = self._forms[0 if self._form_of_file is None else int(self._form_of_file[i])]
        return self._folder / f"{before}{int(self._numbers[i]):0{n_digits}d}{behind}"


def _parse_name(file: Path) -> tuple[str, str, str]:
    """Return the frame number in a file's name, and what stands before and behind it."""
    found = _LAST_INTEGER.search(file.stem)
    if found is None:
        raise FormatError(f"{file}: the name holds no frame number")
    if len(found[1]) > 18:
        raise FormatError(f"{file}: the frame number in the name is too large")
    return file.stem[: found.start(1)], found[1], file.stem[found.end(1) :] + file.suffix


def _look_into(files: _Files, skeleton: Skeleton | None) -> tuple[int, list[FloatArray] | None]:
    """Check every file; return the largest number of people, and what the files hold unless that is much."""
    n_people, n_bytes = 1, 0
    kept: list[FloatArray] | None = []
    for i in range(len(files)):
        people = _checked(files.path(i), skeleton)
        n_people = max(n_people, len(people))
        if kept is not None:
            kept.append(_flat(people))
            n_bytes += kept[-1].nbytes
            if n_bytes > _MOST_KEPT_BYTES:
                kept = None
    return n_people, kept


def _checked(file: Path, skeleton: Skeleton | None) -> list[list[float]]:
    """Read one frame; each person has as many values as the skeleton, 0 for someone without keypoints."""
    people = _people(file)
    width = 3 * len(skeleton.keypoints) if skeleton else -1
    for person in people:
        if len(person) not in (0, width):
            _refuse_length(file, len(person), skeleton)
    return [person or [0.0] * width for person in people]


def _flat(people: list[list[float]]) -> FloatArray:
    return np.array(people, dtype=np.float64).reshape(len(people), -1 if people else 0)


def _people(file: Path) -> list[list[float]]:
    """Read x, y, score of everyone in one frame as flat lists; an empty list for someone without keypoints."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{file}: is {file.stat().st_size / 1e6:.0f} MB, too large for a frame")
        content = json.loads(file.read_bytes())
        # Pose2Sim leaves {} for someone whom it could not find again.
        people = [person.get("pose_keypoints_2d", []) for person in content["people"]]
    except OSError as error:
        raise FormatError(f"{file}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise FormatError(f"{file}: is no OpenPose json (too deeply nested)") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{file}: is no OpenPose json, or is cut short") from error
    numbers = all(
        isinstance(person, list) and all(isinstance(value, int | float) and not abs(value) > 1e300 for value in person)
        for person in people
    )
    if not numbers:
        raise FormatError(f"{file}: pose_keypoints_2d must be a list of numbers")
    return people


def _refuse_length(file: Path, length: int, skeleton: Skeleton | None) -> NoReturn:
    n = length // 3
    if length % 3:
        raise FormatError(f"{file}: a person has {length} values, no multiple of 3; the file is damaged")
    names = skeletons_of(n)
    advice = (
        f"--skeleton {' or '.join(names)} (in pose3d.toml: [skeleton] preset)"
        if names
        else "a skeleton with that many is needed"
    )
    if skeleton is None:
        raise FormatError(f"{file}: holds {n} keypoints without names; give {advice}")
    raise FormatError(f"{file}: holds {n} keypoints, {skeleton.name} has {len(skeleton.keypoints)}; give {advice}")
