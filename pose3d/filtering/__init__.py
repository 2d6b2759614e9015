"""Filters of 2D and 3D keypoints, and their gaps."""
