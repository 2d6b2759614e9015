"""One small demo session for all tests of the demo."""

import pytest

from pose3d.demo.session import make_session


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    return make_session(
        tmp_path_factory.mktemp("demo") / "Prøve 1", seed=3, n_frames=8, n_board_frames=6, size=(320, 240)
    )
