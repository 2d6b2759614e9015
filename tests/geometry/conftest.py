"""Property tests here draw the same examples every time, and keep no database of them."""

from hypothesis import settings

settings.register_profile("pose3d", deadline=None, derandomize=True, database=None)
settings.load_profile("pose3d")
