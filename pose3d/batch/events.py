"""Events of a walk, from the best that is there: given ones, stored ones, force plates, or the points alone."""

from collections.abc import Sequence
from typing import NamedTuple

from pose3d.batch.gait import EVENT_CUTOFF_HZ, gait_events, has_steps
from pose3d.data import Keypoints3D
from pose3d.data.events import LimbEvents
from pose3d.data.mocap import ForcePlate, MocapRecording
from pose3d.errors import DataError
from pose3d.kinematics.gait import foot_points
from pose3d.kinematics.plate_events import find_plate_events, prefer_events

__all__ = ["ChosenEvents", "choose_events", "plate_events"]


class ChosenEvents(NamedTuple):
    """Events and where they come from.

    Attributes
    ----------
    events : LimbEvents
    source : str
        For people.
    """

    events: LimbEvents
    source: str


def choose_events(
    recording: MocapRecording,
    *,
    given: LimbEvents | None = None,
    stored: bool = True,
    plates: bool = True,
    cutoff_hz: float | None = EVENT_CUTOFF_HZ,
) -> ChosenEvents:
    """Take the best events that a recording has.

    Parameters
    ----------
    recording : MocapRecording
        Z up.
    given : LimbEvents, optional
        What somebody corrected: nothing is better.
    stored : bool
        Whether the recording's own strikes and offs count, where it has any: the laboratory's.
    plates : bool
        Whether what force plates saw takes the place of what the points tell of the same steps.
    cutoff_hz : float or None
        As in :func:`pose3d.batch.gait.gait_events`.

    Raises
    ------
    DataError
        As :func:`pose3d.batch.gait.gait_events`, where the points are needed.
    """
    if given is not None:
        return ChosenEvents(given, "given")
    if stored and has_steps(recording.events):
        return ChosenEvents(recording.events, "the file itself")
    found = gait_events(recording.points, cutoff_hz=cutoff_hz)
    if plates and recording.plates:
        seen = plate_events(recording.points, recording.plates)
        if len(seen):
            whole = prefer_events(seen, found)
            return ChosenEvents(whole, f"force plates ({len(seen)}), heels and toes ({len(whole) - len(seen)})")
    return ChosenEvents(found, "heels and toes")


def plate_events(points: Keypoints3D, plates: Sequence[ForcePlate]) -> LimbEvents:
    """Find the events that force plates saw.

    Parameters
    ----------
    points : Keypoints3D
        One individual with heels, toes and hips; Z up.
    plates : sequence of ForcePlate

    Raises
    ------
    DataError
        If heels, toes or hips are not among the points, or the frame rate is unknown.
    """
    if points.fps is None:
        raise DataError("the frame rate of the points is unknown")
    names = foot_points(points.keypoints)
    named = {name: points.xyz[:, 0, i] for i, name in enumerate(points.keypoints)}
    heels, toes = ({side: named[name] for side, name in part.items()} for part in (names.heels, names.toes))
    return find_plate_events(plates, heels, toes, fps=points.fps, start=points.start)
