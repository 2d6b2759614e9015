"""How far a calibration can be trusted: uncertainty, quality, verdict."""
