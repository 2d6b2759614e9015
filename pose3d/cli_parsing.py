"""What people write on the command line: sizes, pairs, offsets, places, files that belong to cameras."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pose3d.reconstruction.association.people_selection import SubjectHint

__all__ = [
    "camera_files",
    "given",
    "named_files",
    "parse_links",
    "parse_offsets",
    "parse_size",
    "parse_subject",
    "session_folder",
]


def given(*groups: object, **options: object) -> list[str]:
    """Return the options that differ from their defaults: fields of groups, and further ones with the default None."""
    found = [name for name, value in options.items() if value not in (None, False)]
    for group in groups:
        assert dataclasses.is_dataclass(group)
        found += [field.name for field in dataclasses.fields(group) if getattr(group, field.name) != field.default]
    return [f"--{name.replace('_', '-')}" for name in found]


def parse_size(text: str, option: str) -> tuple[int, int]:
    """Read a size such as ``8x11``.

    Parameters
    ----------
    text : str
    option : str
        For the message.

    Raises
    ------
    typer.BadParameter
        If it is no size; the command line exits with 2.
    """
    match = re.fullmatch(r"\s*(\d{1,4})\s*[xX×,]\s*(\d{1,4})\s*", text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no size: two numbers with an x between them, such as 8x11, are needed", param_hint=option
        )
    return int(match[1]), int(match[2])


def parse_links(texts: Sequence[str], option: str) -> tuple[tuple[str, str], ...]:
    """Read pairs of keypoints such as ``LHip,LKnee``."""
    links = []
    for text in texts:
        names = [name.strip() for name in text.split(",")]
        if len(names) != 2 or not all(names):
            raise typer.BadParameter(
                f"{text!r} is no pair: two keypoints with a comma between them, such as LHip,LKnee, are needed",
                param_hint=option,
            )
        links.append((names[0], names[1]))
    return tuple(links)


def parse_offsets(texts: Sequence[str]) -> dict[str, int]:
    """Read frame offsets such as ``left=3``."""
    offsets: dict[str, int] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name or re.fullmatch(r"[+-]?\d+", value) is None:
            raise typer.BadParameter(
                f"{text!r} is no offset: CAMERA=FRAMES, such as left=3, is needed", param_hint="--offset"
            )
        if name in offsets:
            raise typer.BadParameter(f"camera {name!r} is given twice", param_hint="--offset")
        offsets[name] = int(value)
    return offsets


def parse_subject(text: str) -> "SubjectHint":
    """Read where the subject is: ``120@350,-20,1000`` (mm) or ``120@left@640,400`` (px)."""
    from pose3d.reconstruction.association.people_selection import SubjectHint

    frame, *rest = text.split("@")
    try:
        numbers = tuple(float(part) for part in rest[-1].split(",")) if rest else ()
        if len(rest) == 1 and len(numbers) == 3:
            return SubjectHint(int(frame), place_mm=numbers)
        if len(rest) == 2 and len(numbers) == 2:
            return SubjectHint(int(frame), camera=rest[0], pixel=numbers)
    except ValueError:
        pass
    raise typer.BadParameter(
        f"{text!r} is no place: FRAME@X,Y,Z in mm, or FRAME@CAMERA@X,Y in px, is needed", param_hint="--subject"
    )


def _named(source: str) -> tuple[str, str] | None:
    """Split ``NAME=PATH``; None for a plain path, such as that of a file in whose name there is a ``=``."""
    if Path(source).exists():
        return None
    name, sign, path = source.partition("=")
    is_name = bool(sign) and bool(name) and not re.search(r"[/\\]", name)
    return (name, path) if is_name else None


def camera_files(sources: Sequence[str], cam_regex: str | None) -> dict[str, Path]:
    """Give each camera its file, from ``NAME=PATH`` or from the files' names.

    Parameters
    ----------
    sources : sequence of str
        All with names or all without.
    cam_regex : str or None
        Its first group is the camera's name in a file's stem; None: the default of a project.

    Raises
    ------
    typer.BadParameter
        If names are mixed with plain paths, or a name or a file comes twice.
    Pose3DError
        If the names of the files do not tell the cameras.
    """
    if not sources:
        raise typer.BadParameter("no files are given; one NAME=PATH for each camera is needed", param_hint="FILES")
    if not any(_named(source) for source in sources):
        from pose3d.project import DEFAULT_CAM_REGEX, match_cameras

        _check_regex(cam_regex)
        patterns = [source for source in sources if "*" in source and not Path(source).exists()]
        if patterns:
            raise typer.BadParameter(f"{patterns[0]!r} needs a camera's name: NAME={patterns[0]}", param_hint="FILES")
        return match_cameras([Path(source) for source in sources], cam_regex or DEFAULT_CAM_REGEX)
    if cam_regex is not None:
        raise typer.BadParameter("the cameras are named by NAME=PATH already; leave one out", param_hint="--cam-regex")
    return _one_each(sources, "FILES", "has no camera's name, but others have: NAME=PATH for all, or for none")


def named_files(texts: Sequence[str] | None, option: str) -> dict[str, Path] | None:
    """Give each camera the file that an option names as ``CAM=FILE``.

    Parameters
    ----------
    texts : sequence of str or None
        What the option was given; nothing gives None.
    option : str
        For the message.

    Raises
    ------
    typer.BadParameter
        If one is not ``CAM=FILE``, or a camera or a file comes twice.
    """
    return _one_each(texts, option, "has no camera's name: CAM=FILE is needed") if texts else None


def _one_each(sources: Sequence[str], hint: str, nameless: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for source in sources:
        pair = _named(source)
        if pair is None:
            raise typer.BadParameter(f"{source!r} {nameless}", param_hint=hint)
        name, path = pair
        if not path:
            raise typer.BadParameter(f"{source!r} names no file", param_hint=hint)
        if name in files:
            raise typer.BadParameter(f"camera {name!r} is given twice", param_hint=hint)
        # Most shells expand ~ at the beginning of a word only.
        files[name] = Path(path).expanduser() if path.startswith(("~/", "~\\")) else Path(path)
    owners: dict[Path, str] = {}
    for name, file in files.items():
        owner = owners.setdefault(file.absolute(), name)
        if owner != name:
            raise typer.BadParameter(
                f"{file} is given for camera {owner!r} and for {name!r}; give each its own", param_hint=hint
            )
    return files


def _check_regex(cam_regex: str | None) -> None:
    if cam_regex is None:
        return
    try:
        groups = re.compile(cam_regex).groups
    except re.error as error:
        raise typer.BadParameter(
            f"{cam_regex!r} is no regular expression: {error}", param_hint="--cam-regex"
        ) from error
    if not groups:
        raise typer.BadParameter(f"{cam_regex!r} needs a group: the camera's name in ( )", param_hint="--cam-regex")


def session_folder(sources: Sequence[str | Path]) -> Path | None:
    """Return the folder if the only source is a folder inside a project, None otherwise."""
    if len(sources) != 1 or _named(str(sources[0])) is not None:
        return None
    folder = Path(sources[0])
    if not folder.is_dir():
        return None
    from pose3d.project import CONFIG_NAME

    absolute = folder.resolve()
    return folder if any((place / CONFIG_NAME).is_file() for place in (absolute, *absolute.parents)) else None
