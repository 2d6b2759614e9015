"""Cameras from keypoints of the subject itself."""
