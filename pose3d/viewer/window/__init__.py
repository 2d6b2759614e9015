"""The player's window: Qt around a 3D view by OpenGL. Nothing here may import tensorflow, which crashes beside it."""
