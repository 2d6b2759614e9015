"""Each frame for itself: triangulation by the views that agree."""
