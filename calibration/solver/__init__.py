"""Lenses, poses and the joint refinement."""
