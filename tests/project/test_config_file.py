"""The settings' file: what it may say, and how it says what is wrong."""

import re
import subprocess
import sys
import tomllib

import pytest
from pydantic import BaseModel

from pose3d.errors import ConfigError, ProjectError
from pose3d.project import Config, check_settings, create_project, load_config, render_config, write_config

CHARUCO = {"kind": "charuco", "squares": [8, 11], "square_mm": 24, "marker_mm": 18.75, "dictionary": "4X4_1000"}


def models():
    """Section to model, for sections with fixed keys."""
    found = {}
    for name, field in Config.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found[name] = kind
    return found


def test_template_lists_every_setting_with_its_default():
    """Uncommented as a whole, the template names every key of the models, and nothing else."""
    listed = {}
    section = None
    for line in render_config().splitlines():
        if header := re.match(r"(?:# )?\[(\w+)\]$", line):
            section = listed.setdefault(header[1], {})
        elif key := re.match(r"# (\w+) = ", line):
            section[key[1]] = tomllib.loads(line[2:])[key[1]]
    assert set(listed) == set(Config.model_fields)
    for name, model in models().items():
        assert set(listed[name]) == set(model.model_fields), name
        for key, field in model.model_fields.items():
            if field.default not in (None, ()) and not field.is_required():
                shown = listed[name][key]
                default = list(field.default) if isinstance(field.default, tuple) else field.default
                assert shown == default, f"{name}.{key}"


def test_examples_of_the_template_are_valid():
    text = re.sub(r"^# (?=\[?\w+\]?( = .*)?$)", "", render_config(), flags=re.MULTILINE)
    table = tomllib.loads(text)
    del table["board"]["corners"], table["board"]["separation_mm"], table["skeleton"]["preset"], table["angles"]
    views = table["triangulation"]
    anipose = ("scale_smooth", "scale_length", "scale_length_weak", "reproj_error_threshold")
    for others in (("smooth_mm", "limb_sd_percent"), anipose):  # alternatives
        table["triangulation"] = {key: value for key, value in views.items() if key not in others}
        check_settings(table)
    config = check_settings(table)
    assert config.to_board().squares == (8, 11)
    assert config.to_skeleton().pairs == (("ear_l", "ear_r"),)


def test_untouched_template_is_all_defaults(tmp_path):
    path = create_project(tmp_path / "neu")
    assert path == tmp_path / "neu" / "pose3d.toml"
    assert load_config(path) == Config()


def test_values_are_filled_in(tmp_path):
    settings = {
        "project": {"cam_regex": r"_(cam[0-9]+)$", "fps": 59.94, "video_extensions": ["MOV", ".mp4"]},
        "board": CHARUCO,
        "skeleton": {"preset": "body25"},
        "offsets": {"cam 1": 3, "cam2": -1},
        "angles": {"knee l": ["a", "b", "c"], "leg": ["chain", "a", "b/", "c", "d"]},
        "triangulation": {"robust": False, "max_error_px": None},
    }
    path = write_config(tmp_path / "é ü", settings)
    assert b"\r" not in path.read_bytes()
    config = load_config(path)
    assert config.project.cam_regex == r"_(cam[0-9]+)$"
    assert config.project.video_extensions == (".mov", ".mp4")
    assert config.project.fps == 59.94
    assert config.to_board().describe() == "ChArUco 8x11 squares of 24 mm, markers 18.75 mm of 4X4_1000"
    assert config.to_skeleton().name == "BODY-25"
    assert config.offsets == {"cam 1": 3, "cam2": -1}
    assert config.angles == {"knee l": ("a", "b", "c"), "leg": ("chain", "a", "b/", "c", "d")}
    assert not config.triangulation.robust
    assert "# min_cameras = 2" in path.read_text("utf-8")  # the rest stays a comment


@pytest.mark.parametrize("regex", ["_'(x)'", r"_(\d+)" + '"', "ä(b)\t", r"'(\w)"])
def test_any_text_survives(tmp_path, regex):
    assert load_config(write_config(tmp_path, {"project": {"cam_regex": regex}})).project.cam_regex == regex


def test_an_existing_config_is_never_overwritten(tmp_path):
    (tmp_path / "pose3d.toml").write_text("# mine", encoding="utf-8")
    with pytest.raises(ProjectError, match="is there already"):
        create_project(tmp_path)
    assert (tmp_path / "pose3d.toml").read_text("utf-8") == "# mine"
    with pytest.raises(ProjectError, match="is a file"):
        create_project(tmp_path / "pose3d.toml")


def test_wrong_values_write_nothing(tmp_path):
    with pytest.raises(ConfigError, match="score_threshold"):
        create_project(tmp_path, {"triangulation": {"score_threshold": 2}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[triangulation]\nscore_treshold = 1", "there is no such setting; did you mean score_threshold?"),
        ("[triangulatoin]\n", "triangulatoin: there is no such section; did you mean triangulation?"),
        ("[triangulation]\ncam_regex = 'a(b)'", "triangulation.cam_regex: belongs in [project]"),
        ("[export]\nc3d = true", "export.c3d: there is no such setting; there are trc"),
        ("[triangulation]\nscore_threshold = 3", "triangulation.score_threshold = 3: must be less than or equal to 1"),
        ("[triangulation]\nscore_threshold = nan", "triangulation.score_threshold = NaN: must be a finite number"),
        ("[triangulation]\nscore_threshold = '0.3'", 'triangulation.score_threshold = "0.3": must be a number'),
        ("[triangulation]\nrobust = 1", "triangulation.robust = 1: must be true or false"),
        ("[triangulation]\nmin_cameras = 1", "triangulation.min_cameras = 1: must be greater than or equal to 2"),
        ("triangulation = 3", "triangulation = 3: must be a section"),
        ("[project]\nfps = 0", "project.fps = 0: must be greater than 0"),
        ("[project]\ncam_regex = '(a'", 'project.cam_regex = "(a": is no regular expression (missing ), unterminated'),
        ("[project]\ncam_regex = 'a'", 'project.cam_regex = "a": needs one group in parentheses'),
        ("[offsets]\nleft = 1.5", "offsets.left = 1.5: must be a whole number"),
        ("[board]\nkind = 'charuco'\nsquares = [8, 11]\nsquare_mm = 24", "board: a ChArUco board needs marker_mm"),
        ("[board]\nkind = 'chess'\nsquares = [8, 11]\nsquare_mm = 24", "board.kind = \"chess\": must be 'charuco',"),
        ("[board]\nkind = 'checkerboard'\nsquares = [8, 11]", "board: needs square_mm"),
        ("[board]\nkind = 'checkerboard'\nsquare_mm = 30", "board: needs either squares or corners"),
        ("[board]\nkind = 'checkerboard'\ncorners = [9, 6, 3]\nsquare_mm = 30", "must have at most 2 items"),
        ("[board]\nkind = 'checkerboard'\nsquares = [2, 2]\nsquare_mm = 30", "board: a board needs at least 3 x 3"),
        ("[skeleton]\npreset = 'body52'", "skeleton.preset = 'body52': no such skeleton; did you mean 'body25'?"),
        ("[skeleton]\nkeypoints = ['a', 'b']\nedges = [['a', 'c']]", "skeleton: edge ('a', 'c')"),
        ("[angles]\nknee = ['a', 'b']", 'angles.knee = ["a", "b"]: must be three keypoints, or a type (flex, axis'),
        ("[angles]\nknee = ['flex', 'a', 'b']", '"flex" is followed by three keypoints, not 2'),
        ("[angles]\nleg = ['chain', 'a', 'b']", '"chain" is followed by at least three keypoints, not 2'),
        ("[angles]\nleg = 3", "angles.leg = 3: must be a list"),
        ("[skeleton]\nkeypoints = ['hip', 'knee', 'foot']\n[angles]\nk = ['hip', 'kne', 'foot']",
         "angles.k: keypoint 'kne' is not in [skeleton]; did you mean 'knee'?"),
        ("[triangulation]\nloss = 'l1'", "triangulation.loss = \"l1\": must be 'huber', 'soft_l1', 'cauchy' or"),
        ("[triangulation]\nsolver = 'ceres'", "triangulation.solver = \"ceres\": must be 'banded' or 'scipy'"),
        ("[triangulation]\nn_deriv_smooth = 6", "triangulation.n_deriv_smooth = 6: must be less than or equal to 5"),
        ("[triangulation]\nmax_gap = -1", "triangulation.max_gap = -1: must be greater than or equal to 0"),
        ("[triangulation]\nsmooth_mm = 0", "triangulation.smooth_mm = 0: must be greater than 0"),
        ("[triangulation]\nsamples = 50.0", "triangulation.samples = 50.0: must be a whole number"),
        ("[triangulation]\nconstraints = [['hip']]", "triangulation.constraints.0.1: is missing"),
        ("[triangulation]\nconstraints = ['hip']", "triangulation.constraints.0 = \"hip\": must be a list"),
        ("[triangulation]\nconstraints_weak = [['a', 'a']]", "'a' and 'a' are one keypoint; a limb needs two"),
        ("[triangulation]\nsamples = 50\nrefine = false", "samples are drawn from the refinement; set refine"),
        ("[triangulation]\nsamples = 50\nrobust = false", "samples are drawn from the refinement; set robust"),
        ("[triangulation]\nscale_smooth = 4\nsmooth_mm = 1",
         "triangulation: smooth_mm has no place beside anipose's weights (scale_smooth); leave one out"),
        ("[skeleton]\nkeypoints = ['hip', 'knee']\n[triangulation]\nconstraints = [['hip', 'kne']]",
         "triangulation.constraints: keypoint 'kne' is not in [skeleton]; did you mean 'knee'?"),
        ("[triangulation\n", "is no valid TOML: "),
        ("a = 1\na = 2", "is no valid TOML: "),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_file_key_and_remedy(tmp_path, text, expected):
    path = tmp_path / "pose3d.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message
    assert "Input should" not in message


def test_several_errors_are_counted(tmp_path):
    path = tmp_path / "pose3d.toml"
    path.write_text("[triangulation]\nrobust = 3\nweighted = 4\nmin_cameras = 0", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\(and 2 more\)$"):
        load_config(path)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "pose3d.toml"
    path.write_bytes(b"\xff\xfe[\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="pose3d init"):
        load_config(tmp_path / "none.toml")
    path.write_bytes(b"\xef\xbb\xbf[project]\r\nfps = 25\r\n")  # a byte order mark and the line ends of Windows
    assert load_config(path).project.fps == 25


def test_board_is_asked_for_when_it_is_needed():
    with pytest.raises(ConfigError, match=r"\[board\] is missing"):
        Config().to_board()
    corners = check_settings({"board": {"kind": "checkerboard", "corners": [9, 6], "square_mm": 30}})
    assert corners.to_board().squares == (10, 7)


def test_import_is_light():
    code = (
        "import sys, pose3d.project; print([m for m in ('numpy', 'pandas', 'cv2', 'av', 'h5py') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_an_empty_board_heading_is_no_board(tmp_path):
    path = tmp_path / "pose3d.toml"
    path.write_text("[board]\n", encoding="utf-8")
    assert load_config(path).board is None


def test_weights_of_anipose():
    assert Config().triangulation.anipose_weights() is None
    table = {"triangulation": {"scale_length": 3, "constraints": [["a", "b"]], "constraints_weak": [["b", "c"]]}}
    views = check_settings(table).triangulation
    assert views.anipose_weights() == {
        "scale_smooth": 2.0,
        "scale_length": 3.0,
        "scale_length_weak": 1.0,
        "reproj_error_threshold": 5.0,
    }
    assert views.constraints == (("a", "b"),)
    assert views.constraints_weak == (("b", "c"),)
    assert check_settings({"triangulation": {"constraints": []}}).triangulation.constraints == ()
