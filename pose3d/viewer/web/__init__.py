"""The player as a page: served on 127.0.0.1, or as one file without videos."""
