"""Projects: settings in ``pose3d.toml``, sessions in anipose's folders, and what was made from what."""

from pose3d.project.config import CONFIG_NAME, Config, check_settings, load_angles, load_config
from pose3d.project.names import DEFAULT_CAM_REGEX, cam_regex_for, match_cameras, split_name
from pose3d.project.project import Project, Session, Trial
from pose3d.project.template import create_project, render_config, write_config

__all__ = [
    "CONFIG_NAME",
    "DEFAULT_CAM_REGEX",
    "Config",
    "Project",
    "Session",
    "Trial",
    "cam_regex_for",
    "check_settings",
    "create_project",
    "load_angles",
    "load_config",
    "match_cameras",
    "render_config",
    "split_name",
    "write_config",
]
