"""A recording that pose3d makes itself, with known truth: four cameras, a board, a walking person."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pose3d.demo.board_session import BoardSession, render_board_session
    from pose3d.demo.evaluation import Evaluation, evaluate
    from pose3d.demo.own_network import install_network
    from pose3d.demo.session import DEMO_SESSION, DemoTruth, load_truth, make_session

__all__ = [
    "DEMO_SESSION",
    "BoardSession",
    "DemoTruth",
    "Evaluation",
    "evaluate",
    "install_network",
    "load_truth",
    "make_session",
    "render_board_session",
]

_HOMES = {
    "BoardSession": "board_session",
    "render_board_session": "board_session",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "install_network": "own_network",
    "DEMO_SESSION": "session",
    "DemoTruth": "session",
    "load_truth": "session",
    "make_session": "session",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: OpenCV and scipy load with it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
