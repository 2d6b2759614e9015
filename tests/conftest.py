"""Fixtures that every part of the tests shares."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium, one for all tests of a process: playwright allows no second; skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        names = ("chromium", "chromium-browser", "google-chrome")
        path = next((found for name in names if (found := shutil.which(name))), None)
        if path is None and not Path(driver.chromium.executable_path).is_file():
            pytest.skip("there is no Chromium on this machine")
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()
