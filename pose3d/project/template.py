"""Writing a ``pose3d.toml``: the commented template with some values filled in."""

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pose3d.errors import ConfigError, ProjectError
from pose3d.io.files import write_text
from pose3d.project.config import CONFIG_NAME, check_settings, load_config

__all__ = ["Settings", "create_project", "render_config", "write_config"]

Settings = Mapping[str, Mapping[str, Any]]

_HEADER = re.compile(r"(?:# )?\[(\w+)\]$")
_KEY = re.compile(r"(?:# )?(\w+) = ")


def _value(value: object) -> str:
    """Write a value as TOML."""
    if isinstance(value, str):
        # a regex reads best as it is, and only a literal string leaves its backslashes alone
        plain = "'" not in value and "\\" in value and value.isprintable()
        return f"'{value}'" if plain else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise ConfigError(f"{value!r}: cannot stand in a {CONFIG_NAME}")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def render_config(settings: Settings | None = None) -> str:
    """Fill values into the commented template.

    Parameters
    ----------
    settings : mapping, optional
        Sections of keys, as in the file; values that are None are left at their defaults.

    Returns
    -------
    str
        The text of a ``pose3d.toml``.

    Raises
    ------
    ConfigError
        If a setting does not exist or its value is not allowed.

    Examples
    --------
    >>> text = render_config({"triangulation": {"score_threshold": 0.5}})
    >>> [line for line in text.splitlines() if "score_threshold" in line]
    ['score_threshold = 0.5']
    """
    wanted = {
        section: {key: value for key, value in keys.items() if value is not None}
        for section, keys in (settings or {}).items()
    }
    wanted = {section: keys for section, keys in wanted.items() if keys}
    check_settings(wanted)
    template = (resources.files("pose3d.project") / "template.toml").read_text(encoding="utf-8")
    lines: list[str] = []
    left: dict[str, Any] = {}
    for line in template.splitlines():
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            _flush(lines, left)
            left = dict(wanted.get(header.group(1), {}))
            lines.append(f"[{header.group(1)}]" if left else line)
        elif key and key.group(1) in left:
            lines.append(f"{key.group(1)} = {_value(left.pop(key.group(1)))}")
        else:
            lines.append(line)
    _flush(lines, left)
    return "\n".join(lines) + "\n"


def _flush(lines: list[str], left: Mapping[str, Any]) -> None:
    """Put keys that the template does not list (an angle, an offset) behind the section's last key."""
    if left:
        end = max(i for i, line in enumerate(lines) if _KEY.match(line) or _HEADER.match(line)) + 1
        lines[end:end] = [f"{_key(key)} = {_value(value)}" for key, value in left.items()]


def write_config(folder: str | Path, settings: Settings | None = None, *, overwrite: bool = False) -> Path:
    """Write a commented ``pose3d.toml``.

    Parameters
    ----------
    folder : path
        The project's folder; made if need be.
    settings : mapping, optional
        Values that differ from the defaults, as in :func:`render_config`.
    overwrite : bool
        Replace a ``pose3d.toml`` that is there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ProjectError
        If there is a ``pose3d.toml`` and `overwrite` is not set.
    ConfigError
        If a setting does not exist or its value is not allowed.
    """
    path = Path(folder) / CONFIG_NAME
    if path.exists() and not overwrite:
        raise ProjectError(f"{path}: is there already and is left as it is; edit it, or choose another folder")
    text = render_config(settings)
    write_text(path, text)
    load_config(path)
    return path


def create_project(folder: str | Path, settings: Settings | None = None) -> Path:
    """Make a project: a folder with a commented ``pose3d.toml``, which is never overwritten.

    Parameters
    ----------
    folder : path
    settings : mapping, optional
        As in :func:`write_config`.

    Returns
    -------
    Path
        The ``pose3d.toml``.

    Raises
    ------
    ProjectError
        If there is one already, or `folder` is a file.
    ConfigError
        If a setting does not exist or its value is not allowed.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder}: is a file; give the folder in which the project begins")
    return write_config(folder, settings)
