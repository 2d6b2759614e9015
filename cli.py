"""Launcher for a checkout: `python cli.py ...` is `pose3d ...`."""

import sys
from pathlib import Path

import pose3d

# In a checkout that is not installed, pose3d.calibration lies beside this file, not inside pose3d/.
root = Path(__file__).resolve().parent
if Path(pose3d.__file__).resolve().parent == root / "pose3d":
    pose3d.__path__.append(str(root))

from pose3d.cli import main  # the path above comes first

if __name__ == "__main__":
    sys.exit(main())
