# For type checkers in a checkout: the package lies in calibration/ at the root and is installed as pose3d.calibration.
from calibration import *
