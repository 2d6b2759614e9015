"""Looking at recordings: a window, a page, pictures and videos of the same scene."""
