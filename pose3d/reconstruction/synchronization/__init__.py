"""When each camera saw what: frame offsets and clock drift from the motion itself."""

from pose3d.reconstruction.synchronization.resampling import apply_timing, learn_spikes, timing_from_timestamps
from pose3d.reconstruction.synchronization.result import Synchronization
from pose3d.reconstruction.synchronization.synchronize import synchronize
from pose3d.reconstruction.synchronization.tracks import sample_spans

__all__ = [
    "Synchronization",
    "apply_timing",
    "learn_spikes",
    "sample_spans",
    "synchronize",
    "timing_from_timestamps",
]
