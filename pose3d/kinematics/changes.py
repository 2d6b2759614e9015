"""Whether a number changed between sessions: minimal detectable change, standard error of measurement, trends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = [
    "Change",
    "StandardError",
    "Trend",
    "fit_trend",
    "judge_change",
    "minimal_detectable_change",
    "sem_from_sessions",
    "session_trend",
    "t_quantile",
]


def t_quantile(n_free: ArrayLike) -> FloatArray:
    """Return how many standard errors a 95 % interval of Student's t reaches to both sides.

    Parameters
    ----------
    n_free : (...) array
        Degrees of freedom; NaN comes out where there are none.

    Examples
    --------
    >>> round(float(t_quantile(4)), 3)
    2.776
    """
    from scipy.special import stdtrit

    free = np.asarray(n_free, dtype=np.float64)
    return np.where(free > 0, stdtrit(np.where(free > 0, free, 1.0), 0.975), np.nan)


def minimal_detectable_change(sem: float) -> float:
    """Return the smallest difference of two measurements that is more than their error, with 95 % certainty.

    Parameters
    ----------
    sem : float
        Standard error of one measurement (of a whole session, on another day).

    Returns
    -------
    float
        ``1.96 sqrt(2) SEM``, in the unit of `sem`.

    Raises
    ------
    ValueError
        If `sem` is negative, or no number.

    References
    ----------
    Weir (2005), Quantifying test-retest reliability, J. Strength Cond. Res. 19:231.
    """
    if not sem >= 0:
        raise ValueError(f"sem {sem} must not be negative")
    return 1.96 * math.sqrt(2) * sem


@dataclass(frozen=True)
class Change:
    """What became of a number between two sessions.

    Attributes
    ----------
    before, after : float
    mdc : float
        Minimal detectable change.
    sem_source : str
        Where the standard error comes from.
    """

    before: float
    after: float
    mdc: float
    sem_source: str

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def real(self) -> bool:
        """Whether the change is more than the error of both sessions."""
        return abs(self.difference) > self.mdc

    def __str__(self) -> str:
        verdict = "a change" if self.real else "no change that could be told from error"
        return f"{self.difference:+.1f}: {verdict} (minimal detectable change {self.mdc:.1f}, {self.sem_source})"


def judge_change(before: float, after: float, *, sem: float, sem_source: str) -> Change:
    """Judge the change of a number between two sessions.

    Parameters
    ----------
    before, after : float
    sem : float
        Standard error of one session's number.
    sem_source : str
        Where it comes from, such as ``two sessions of this person`` or a paper; it is printed with the verdict.
    """
    return Change(float(before), float(after), minimal_detectable_change(sem), sem_source)


@dataclass(frozen=True)
class StandardError:
    """Standard error of one session's number, from sessions between which nothing changed.

    Attributes
    ----------
    sem : float
        In the unit of the number.
    n_free : int
        Degrees of freedom: few make the SEM itself uncertain.
    n_people, n_sessions : int
    """

    sem: float
    n_free: int
    n_people: int
    n_sessions: int

    @property
    def interval(self) -> tuple[float, float]:
        """Its own 95 % interval, by the chi-square distribution: from few sessions it is wide."""
        from scipy.special import chdtri

        low, high = (self.sem * math.sqrt(self.n_free / float(chdtri(self.n_free, p))) for p in (0.025, 0.975))
        return low, high

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        low, high = self.interval
        whose = "this person" if self.n_people == 1 else f"{self.n_people} people"
        freedom = "degree" if self.n_free == 1 else "degrees"
        sem = f"{self.sem:.2g} [{low:.2g}, {high:.2g}]"
        return f"SEM {sem} from {self.n_sessions} sessions of {whose}, {self.n_free} {freedom} of freedom"


def sem_from_sessions(people: Sequence[ArrayLike]) -> StandardError:
    """Return the standard error of measurement from repeated sessions, by an analysis of variance.

    The root of the mean square within people: what sessions of one person differ by, whatever the reason (the day,
    the set-up, the tracking, and a shift of all between first and second sessions).

    Parameters
    ----------
    people : sequence of (n_sessions,) arrays
        The number in each session, of one person or of several; NaN is left out, and so is a person with one session.

    Raises
    ------
    ValueError
        If nobody has two sessions.

    References
    ----------
    Bland & Altman (1996), Measurement error, BMJ 313:744 (the within-subject standard deviation, by one-way analysis
    of variance); Weir (2005), J. Strength Cond. Res. 19:231.

    Examples
    --------
    >>> sem_from_sessions([[96.0, 100.0, 98.0]]).sem
    2.0
    """
    values = [np.asarray(own, dtype=np.float64).ravel() for own in people]
    values = [own[np.isfinite(own)] for own in values]
    values = [own for own in values if len(own) > 1]
    free = sum(len(own) - 1 for own in values)
    if not free:
        raise ValueError("the standard error of measurement needs two sessions of somebody")
    squares = sum(float(((own - own.mean()) ** 2).sum()) for own in values)
    return StandardError(math.sqrt(squares / free), free, len(values), sum(len(own) for own in values))


@dataclass(frozen=True)
class Trend:
    """A line through numbers.

    Attributes
    ----------
    slope : float
        Change of the number for one of x.
    se : float
        Its standard error.
    low, high : float
        95 % interval of the slope.
    n : int
        Numbers that it runs through.
    """

    slope: float
    se: float
    low: float
    high: float
    n: int

    @property
    def real(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def fit_trend(x: ArrayLike, y: ArrayLike) -> Trend:
    """Fit a line by least squares.

    Parameters
    ----------
    x, y : (n,) array
        NaN is left out. Two numbers have a slope without an interval; fewer have none.

    Examples
    --------
    >>> fit_trend([0, 1, 2], [5.0, 7.0, 9.0]).slope
    2.0
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    known = np.isfinite(first) & np.isfinite(second)
    a, b = first[known], second[known]
    n = len(a)
    spread = float(((a - a.mean()) ** 2).sum()) if n else 0.0
    if not spread > 0:
        return Trend(math.nan, math.nan, math.nan, math.nan, n)
    slope = float(((a - a.mean()) * (b - b.mean())).sum()) / spread
    if n < 3:
        return Trend(slope, math.nan, math.nan, math.nan, n)
    left = b - b.mean() - slope * (a - a.mean())
    se = math.sqrt(float((left**2).sum()) / (n - 2) / spread)
    reach = float(t_quantile(n - 2)) * se
    return Trend(slope, se, slope - reach, slope + reach, n)


def session_trend(days: ArrayLike, values: ArrayLike) -> Trend:
    """Return by how much a number changes in a week.

    Parameters
    ----------
    days : (n_sessions,) array
        When the sessions were, in days from any one.
    values : (n_sessions,) array
    """
    return fit_trend(np.asarray(days, dtype=np.float64) / 7.0, values)
