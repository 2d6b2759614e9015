"""What commands do with their inputs before they call the library."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pose3d.cli_console import Console

if TYPE_CHECKING:
    from pose3d.data import Keypoints3D, Skeleton
    from pose3d.data.edits import Edits

__all__ = ["load_edits", "load_points", "preset_skeleton", "require_output", "run_in_session"]


def run_in_session(console: Console, folder: Path, step: str, ignored: Sequence[str]) -> int:
    """Run one step of a session, whose settings all stand in pose3d.toml."""
    from pose3d.cli_project import run_steps

    if ignored:
        raise typer.BadParameter(
            f"{folder} is a session: its files and settings stand in pose3d.toml", param_hint=", ".join(ignored)
        )
    return run_steps(console, folder, only=(step,))


def require_output(
    output: Path | None, *inputs: str | Path | None, example: str, option: str = "--output", ending: str | None = None
) -> Path:
    """Return the file to write, which must be given, must end so, and must be none of those that are read."""
    if output is None:
        raise typer.BadParameter(f"a file to write is needed, such as {option} {example}", param_hint=option)
    for path in inputs:
        if path is not None and output.exists() and Path(path).exists() and output.samefile(path):
            raise typer.BadParameter(
                f"{path} is read here and would be overwritten; name another file", param_hint=option
            )
    if ending is not None and output.suffix.lower() != ending:
        raise typer.BadParameter(f"{output}: a {ending} file is written, such as {example}", param_hint=option)
    return output


def preset_skeleton(name: str | None) -> "Skeleton | None":
    """Return the skeleton that ``--skeleton`` names."""
    if name is None:
        return None
    from pose3d.data import Skeleton

    try:
        return Skeleton.preset(name)
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0]), param_hint="--skeleton") from error


def load_edits(path: Path | None, trial: str) -> "Edits":
    """Read what a person corrected in a trial, where a file of edits is given."""
    from pose3d.data.edits import Edits
    from pose3d.io.edits import require_edits

    return Edits() if path is None else require_edits(path, trial)


def load_points(path: str) -> "Keypoints3D":
    """Read 3D keypoints from an anipose csv, or markers from a TRC or a C3D."""
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.c3d import read_c3d
    from pose3d.io.trc import read_trc

    ending = Path(path).suffix.lower()
    if ending == ".c3d":
        return read_c3d(path).points
    return read_trc(path) if ending == ".trc" else read_pose3d(path)
