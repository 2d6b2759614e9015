"""Fixtures that every part of the tests shares."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of the real recordings; tests that need them are skipped where they are absent."""
    folder = os.environ.get("POSE3D_TEST_DATA")
    if not folder:
        pytest.skip("POSE3D_TEST_DATA is not set: the real recordings are not on this machine")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"POSE3D_TEST_DATA names {path}, which is no folder")
    return path
