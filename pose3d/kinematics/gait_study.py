"""What the strides of one or several recordings say together: curves, tables and scores, each with its interval."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pose3d.data.norms import Norms
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.cycle_peaks import PEAKS, cycle_peaks
from pose3d.kinematics.cycles import outlying_cycles, summarize_cycles
from pose3d.kinematics.estimates import Estimate, estimate
from pose3d.kinematics.gait import Gait, SideGait
from pose3d.kinematics.gait_findings import Curve, DrawnWalk, GaitStudy, LeftOut, Measure, Row, WalkTrial
from pose3d.kinematics.gait_scores import GaitProfile, gait_profile
from pose3d.kinematics.strides import GAIT_PARAMETERS

__all__ = ["draw_walk", "study_gait"]

_SIDES = ("L", "R")


def draw_walk(gait: Gait, walk: Gait) -> DrawnWalk:
    """Reduce a walk that was measured on posterior samples to what intervals need.

    Parameters
    ----------
    gait : Gait
        Of :func:`pose3d.kinematics.gait.measure_gait` on points and angles with a leading axis of samples.
    walk : Gait
        Of which these are samples. A cycle that samples lack at an instant takes nothing from their mean there: they
        lie as far from the walk's as the other cycles do on average.
    """
    parameters, means, peaks = {}, {}, {}
    for side, own in gait.sides.items():
        parameters[side] = {name: np.array(values) for name, values in own.parameters.items()}
        for name, cycles in own.cycles.items():
            measured = walk.sides[side].cycles[name]
            means[name] = summarize_cycles(measured).mean + summarize_cycles(cycles - measured).mean
            peaks[name] = _peaks(own, cycles)
    return DrawnWalk(parameters, means, peaks)


def study_gait(
    trials: Sequence[WalkTrial], norms: Norms | None = None, *, not_comparable: Mapping[str, str] | None = None
) -> GaitStudy:
    """Bring the strides of several recordings together.

    Parameters
    ----------
    trials : sequence of WalkTrial
        Of one person in one condition. Intervals are made where all of them have samples: as many as the fewest.
    norms : Norms, optional
    not_comparable : mapping of str to str, optional
        Angles without a side whose zero is not that of the norms, and why: nothing is compared with those.

    Returns
    -------
    GaitStudy
        Also of recordings without any stride that counts: its tables are then empty (NaN, n = 0).

    Notes
    -----
    Intervals tell what cameras and calibration leave uncertain about *these* strides; how much strides differ is the
    SD.
    """
    trials, reasons = tuple(trials), dict(not_comparable or {})
    if norms is not None:
        measured = {name[:-2] for name in _angles(trials)}
        reasons |= {
            name: f"the norm is in {band.unit}, not in deg"
            for name, band in norms.bands.items()
            if name in measured and band.unit != "deg"
        }
        norms = replace(norms, bands={name: band for name, band in norms.bands.items() if name not in reasons})
    n_samples = min((0 if trial.drawn is None else trial.drawn.n_samples for trial in trials), default=0)
    curves = {name: _curve(name, trials, n_samples) for name in _angles(trials)}
    curves = {name: curve for name, curve in curves.items() if len(curve.cycles)}
    kept = {side: [trial.gait.sides[side].strides.kept for trial in trials] for side in _SIDES}
    profile, scores = _scores(curves, trials, n_samples, norms)
    return GaitStudy(
        trials,
        curves,
        tuple(_parameters(trials, n_samples)),
        tuple(_peak_rows(curves, trials, n_samples)),
        tuple(_left_out(trials)),
        {side: sum(len(each) for each in kept[side]) for side in _SIDES},
        {side: sum(int(each.sum()) for each in kept[side]) for side in _SIDES},
        norms,
        profile,
        scores,
        n_samples,
        reasons,
    )


def _angles(trials: Sequence[WalkTrial]) -> tuple[str, ...]:
    """Names of all angles, in the order of the recordings, the left one first."""
    names = dict.fromkeys(name[:-2] for trial in trials for side in trial.gait.sides.values() for name in side.cycles)
    return tuple(f"{name}_{side.lower()}" for name in names for side in _SIDES)


def _peaks(side: SideGait, cycles: FloatArray) -> dict[str, FloatArray]:
    return cycle_peaks(cycles, side.parameters["foot_off"][..., side.strides.kept])


def _cycles(trials: Sequence[WalkTrial], name: str) -> Iterator[tuple[WalkTrial, SideGait, FloatArray]]:
    """Yield the recordings that have cycles of an angle."""
    for trial in trials:
        side = trial.gait.sides[name[-1].upper()]
        if name in side.cycles and side.cycles[name].shape[-2]:
            yield trial, side, side.cycles[name]


def _curve(name: str, trials: Sequence[WalkTrial], n_samples: int) -> Curve:
    found = list(_cycles(trials, name))
    cycles = np.concatenate([np.empty((0, 101)), *(values for _, _, values in found)])
    starts = np.concatenate([np.empty(0), *(side.strides.start_s[side.strides.kept] for _, side, _ in found)])
    spread = summarize_cycles(cycles)
    return Curve(
        name,
        cycles,
        tuple(trial.name for trial, _, values in found for _ in range(len(values))),
        starts,
        outlying_cycles(cycles),
        estimate(spread.mean, _drawn_means(name, trials, n_samples)),
        spread,
    )


def _measure(
    values: FloatArray, drawn: FloatArray | None, *, extreme: bool, least: float
) -> tuple[Measure, FloatArray | None]:
    """Return the mean over strides with its interval, and the means of the samples."""
    known = np.isfinite(values)
    n = int(known.sum())
    mean = float(values[known].mean()) if n else np.nan
    sd = float(values[known].std(ddof=1)) if n > 1 else np.nan
    means = None if drawn is None or not n else mean + _mean_away(drawn[:, known], values[known])
    return Measure(estimate(mean, means, extreme=extreme, least=least), sd, n), means


def _mean_away(drawn: FloatArray, values: FloatArray) -> FloatArray:
    """Return by how much samples (n_samples, n) lie off values (n,), on average over those that they have."""
    there = np.isfinite(drawn)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, drawn - values, 0.0).sum(-1) / there.sum(-1))


def _row(
    name: str,
    unit: str,
    definition: str,
    values: Mapping[str, tuple[FloatArray, FloatArray | None]],
    *,
    extreme: bool = False,
    least: float = -np.inf,
    angle: str = "",
) -> Row:
    made = {side: _measure(*values[side], extreme=extreme, least=least) for side in _SIDES}
    (left, left_drawn), (right, right_drawn) = made["L"], made["R"]
    both = None if left_drawn is None or right_drawn is None else left_drawn - right_drawn
    difference = estimate(left.value - right.value, both, extreme=extreme)
    return Row(name, unit, definition, {"L": left, "R": right}, difference, angle)


def _parameters(trials: Sequence[WalkTrial], n_samples: int) -> Iterator[Row]:
    for parameter in GAIT_PARAMETERS:
        values: dict[str, tuple[FloatArray, FloatArray | None]] = {}
        for side in _SIDES:
            own = [trial.gait.sides[side] for trial in trials]
            each = [one.parameters[parameter.name][one.strides.kept] for one in own]
            drawn = None
            if n_samples:
                drawn = np.concatenate(
                    [
                        trial.drawn.parameters[side][parameter.name][:n_samples, one.strides.kept]
                        for trial, one in zip(trials, own, strict=True)
                        if trial.drawn is not None
                    ],
                    axis=1,
                )
            values[side] = np.concatenate([np.empty(0), *each]), drawn
        yield _row(parameter.name, parameter.unit, parameter.definition, values)


def _peak_rows(curves: Mapping[str, Curve], trials: Sequence[WalkTrial], n_samples: int) -> Iterator[Row]:
    for angle in dict.fromkeys(curve.variable for curve in curves.values()):
        each: dict[str, dict[str, tuple[FloatArray, FloatArray | None]]] = {peak.name: {} for peak in PEAKS}
        for side in _SIDES:
            name = f"{angle}_{side.lower()}"
            found = [_peaks(one, cycles) for _, one, cycles in _cycles(trials, name)]
            drawn = [
                {} if trial.drawn is None else trial.drawn.peaks.get(name, {}) for trial, _, _ in _cycles(trials, name)
            ]
            for peak in PEAKS:
                samples = [own[peak.name][:n_samples] for own in drawn if n_samples and own]
                each[peak.name][side] = (
                    np.concatenate([np.empty(0), *(peaks[peak.name] for peaks in found)]),
                    np.concatenate(samples, axis=1) if samples and len(samples) == len(found) else None,
                )
        for peak in PEAKS:
            yield _row(
                peak.name,
                peak.unit,
                peak.definition,
                each[peak.name],
                extreme=peak.extreme,
                least=peak.least,
                angle=angle,
            )


def _left_out(trials: Sequence[WalkTrial]) -> Iterator[LeftOut]:
    for trial in trials:
        for side in _SIDES:
            strides = trial.gait.sides[side].strides
            for i in np.flatnonzero(~strides.kept):
                yield LeftOut(trial.name, side, float(strides.start_s[i]), float(strides.end_s[i]), strides.reasons[i])


def _scores(
    curves: Mapping[str, Curve], trials: Sequence[WalkTrial], n_samples: int, norms: Norms | None
) -> tuple[GaitProfile | None, dict[str, Estimate]]:
    if norms is None:
        return None, {}
    means = norms.means()
    profile = gait_profile({name: curve.mean.value for name, curve in curves.items()}, means)
    numbers = {**profile.scores, "left": profile.left, "right": profile.right, "overall": profile.overall}
    if not n_samples:
        return profile, {name: estimate(value) for name, value in numbers.items()}
    drawn = {name: _drawn_means(name, trials, n_samples) for name in profile.scores}
    known = {name: values for name, values in drawn.items() if values is not None}
    if len(known) < len(drawn):  # of a score whose angle has no samples nothing is known, nor of those it is part of
        return profile, {name: estimate(value) for name, value in numbers.items()}
    each = [gait_profile({name: values[i] for name, values in known.items()}, means) for i in range(n_samples)]
    samples = {name: np.array([one.scores.get(name, np.nan) for one in each]) for name in profile.scores}
    for name in ("left", "right", "overall"):
        samples[name] = np.array([getattr(one, name) for one in each])
    return profile, {name: estimate(value, samples[name], extreme=True, least=0.0) for name, value in numbers.items()}


def _drawn_means(name: str, trials: Sequence[WalkTrial], n_samples: int) -> FloatArray | None:
    """Return the mean cycle of an angle in the samples (n_samples, 101); None where a recording has no samples of it.

    Each recording counts at each instant by its cycles that have a value there, as in the mean of the walk itself.
    """
    total, count = np.zeros((n_samples, 101)), np.zeros(101)
    for trial, _, cycles in _cycles(trials, name):
        if not n_samples or trial.drawn is None or name not in trial.drawn.means:
            return None
        share = np.isfinite(cycles).sum(0)
        total += np.where(share > 0, share * trial.drawn.means[name][:n_samples], 0.0)
        count += share
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)
