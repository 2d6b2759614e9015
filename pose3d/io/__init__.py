"""Reading and writing: one module a format, and no format knowledge anywhere else."""
