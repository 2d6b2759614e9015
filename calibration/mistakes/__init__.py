"""What goes wrong in recordings: clips late, mirrored or exchanged, shutters out of step, cameras that move."""
