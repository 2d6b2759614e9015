"""Pure array kernels: leading axes broadcast, nothing here knows a camera's name or a file."""
