"""An exercise that was measured, against the demo's truth."""

from dataclasses import dataclass

import numpy as np

from pose3d.demo.exercise_session import ExerciseTruth
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.exercises import EXERCISES, ExerciseStudy, measure_exercise

__all__ = ["ExerciseError", "compare_exercise", "true_study"]


@dataclass(frozen=True)
class ExerciseError:
    """How far a measurement lies from the truth.

    Attributes
    ----------
    exercise : str
    count, true_count : int
        Whole repetitions.
    aborted, true_aborted : int
        Repetitions that were broken off.
    range_deg : float, degrees
        Largest error of a single repetition's range of motion, of any side; NaN where repetitions do not correspond.
    mean_range_deg : float, degrees
        Largest error of a side's mean range.
    tempo_percent : float, %
        Largest error of the mean time out, the mean time back and the mean time of whole repetitions.
    difference_deg, true_difference_deg : float, degrees
        Left minus right.
    sentence : str
        What is said of the sides.
    """

    exercise: str
    count: int
    true_count: int
    aborted: int
    true_aborted: int
    range_deg: float
    mean_range_deg: float
    tempo_percent: float
    difference_deg: float
    true_difference_deg: float
    sentence: str

    @property
    def side_is_right(self) -> bool:
        """Whether the weaker side is the truly weaker one."""
        return self.difference_deg * self.true_difference_deg > 0

    def line(self) -> str:
        """Say it to people."""
        return (
            f"{self.exercise}: {self.count} of {self.true_count} repetitions, {self.aborted} of {self.true_aborted} "
            f"broken off; range within {self.range_deg:.1f} deg (means {self.mean_range_deg:.1f}), mean tempo within "
            f"{self.tempo_percent:.1f} %; {self.sentence} (truly {self.true_difference_deg:+.1f})"
        )


def true_study(truth: ExerciseTruth) -> ExerciseStudy:
    """Measure the true angles by the definitions that measurements use.

    Parameters
    ----------
    truth : ExerciseTruth
    """
    angles = {name: truth.angles.deg[:, 0, i] for i, name in enumerate(truth.angles.names)}
    fps = truth.points.fps
    assert fps is not None
    return measure_exercise(EXERCISES[truth.exercise], angles, fps=fps)


def compare_exercise(truth: ExerciseTruth, study: ExerciseStudy) -> ExerciseError:
    """Compare a measurement with the truth.

    Parameters
    ----------
    truth : ExerciseTruth
    study : ExerciseStudy
        Of the same exercise.
    """
    true = true_study(truth)
    ranges, means, tempo = [np.nan], [np.nan], [np.nan]
    alike = true.parts.keys() == study.parts.keys() and all(
        np.array_equal(part.whole, study.parts[name].whole) for name, part in true.parts.items()
    )
    if alike:
        for name in ("l", "r"):
            off = _difference(study, true, name, "range")
            ranges.append(float(np.abs(off).max()))
            means.append(abs(float(off.mean())))
        for part in true.leading:
            for quantity in ("out", "back", "time"):
                mean = part.values[quantity].value[part.whole].mean()
                tempo.append(100 * abs(float(_difference(study, true, part.name, quantity).mean() / mean)))
    found, sides = study.compare(), true.compare()
    return ExerciseError(
        truth.exercise,
        study.count,
        truth.count(),
        study.aborted,
        len(truth.repetitions) - truth.count(),
        float(np.nanmax(ranges)) if alike else np.nan,
        float(np.nanmax(means)) if alike else np.nan,
        float(np.nanmax(tempo)) if alike else np.nan,
        np.nan if found is None else found.difference,
        np.nan if sides is None else sides.difference,
        "" if found is None else found.sentence(study.exercise.verb),
    )


def _difference(study: ExerciseStudy, true: ExerciseStudy, part: str, quantity: str) -> FloatArray:
    """Return the errors of a number of the whole repetitions."""
    a, b = study.parts[part], true.parts[part]
    return np.asarray(a.values[quantity].value[b.whole] - b.values[quantity].value[b.whole])
