"""Boards, their corners in images, and the search of clips for them."""
