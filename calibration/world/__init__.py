"""The world's axes and scale, and what has changed between two calibrations."""
