"""Whether there is OpenGL, and on what it runs: asked in a process of its own, which may crash without harm."""

import json
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from pose3d.errors import DependencyError

__all__ = ["gl_renderer_name", "require_opengl", "uses_graphics_card"]

_WAIT_S = 60.0
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software")
_ASK = """
import json
from pose3d.viewer.gl_renderer import start_opengl
print(json.dumps(start_opengl()))
"""


@lru_cache(maxsize=1)
def gl_renderer_name() -> tuple[str, str]:
    """Return what draws for OpenGL, such as ``llvmpipe``, and why nothing does; one of both is empty."""
    if find_spec("vispy") is None:
        return "", "vispy is not installed; `pip install 'pose3d[gui]'`"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"it does not start ({error})"
    try:
        return str(json.loads(done.stdout.strip().splitlines()[-1])), ""
    except (ValueError, IndexError):
        lines = done.stderr.strip().splitlines()
        return "", lines[-1][:200] if lines else f"it ends with {done.returncode}"


def require_opengl() -> str:
    """Return what draws for OpenGL.

    Raises
    ------
    DependencyError
        If nothing does.
    """
    name, why = gl_renderer_name()
    if not name:
        raise DependencyError(f"OpenGL: {why}; without it the painter makes the same pictures (--renderer painter)")
    return name


def uses_graphics_card() -> bool:
    """Tell whether OpenGL is there and drawn by a graphics card rather than in software."""
    cards = [*Path("/dev/dri").glob("renderD*"), *Path("/dev").glob("nvidia[0-9]*")]
    if not cards or find_spec("vispy") is None:
        return False
    name, _ = gl_renderer_name()
    return bool(name) and not any(word in name.lower() for word in _SOFTWARE)
