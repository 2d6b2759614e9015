"""Doing what is to be done in a session, step by step, each with its record."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pose3d.batch.actions import keep_copy
from pose3d.batch.plans import Verdict, judge, judge_all, label_of, require_current, version
from pose3d.batch.steps import STEPS, Actions, Step, session_steps
from pose3d.errors import Pose3DError, ProjectError
from pose3d.log import Progress, logger, no_progress
from pose3d.project import Session
from pose3d.project.state import Fingerprint, Record, State, fingerprint, load_state, save_record

__all__ = ["StepOutcome", "StepStatus", "run_session"]

_OBSTACLES = {"failed": "failed", "refused": "is refused", "skipped": "cannot be done"}

StepStatus = Literal["done", "up to date", "given", "to do", "skipped", "refused", "failed"]


@dataclass(frozen=True)
class StepOutcome:
    """What became of one step.

    Attributes
    ----------
    step : str
        Of :data:`STEPS`.
    trial : str, optional
    status : str
        `done`; `up to date`; `given` (a person's file is used as it is); `to do` (in a dry run); `skipped` (an input is
        missing); `refused` (a result was changed by hand); `failed`.
    reason : str
        Why it was done or not.
    lines : tuple of str
        What the step has to say to people.
    summary : mapping
        The same for programs.
    error : Pose3DError, optional
        If it failed or was refused.
    seconds : float
    """

    step: str
    trial: str | None
    status: StepStatus
    reason: str
    lines: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    error: Pose3DError | None = None
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """Name for people."""
        return self.step if self.trial is None else f"{self.step} {self.trial}"

    def __str__(self) -> str:
        if self.reason == self.status:
            return f"{self.label}: {self.reason}"
        return f"{self.label}: {self.status} ({self.reason})" if self.error is None else f"{self.label}: {self.error}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and text for a json summary."""
        table: dict[str, Any] = {
            "step": self.step,
            "trial": self.trial,
            "status": self.status,
            "reason": self.reason,
            "summary": dict(self.summary),
        }
        return table if self.error is None else {**table, "error": str(self.error)}


def run_session(
    session: Session,
    *,
    only: Collection[str] | None = None,
    force: bool = False,
    keep_edited: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
    report: Callable[[StepOutcome], None] | None = None,
    actions: Actions | None = None,
) -> list[StepOutcome]:
    """Do every step of a session whose inputs or settings changed, in order.

    Contents decide, not times: a file that is written again with the same content changes nothing, and when a step's
    result turns out the same, the steps after it are not redone. A result that was changed by hand is not overwritten
    unasked. What a step leaves behind is recorded as soon as it ends, so that a run can be cut short at any time.

    Parameters
    ----------
    session : Session
    only : collection of str, optional
        Steps to do, of :data:`STEPS`. The results of the others on which they rely must be up to date.
    force : bool
        Do all of them anew, also over results that were changed by hand; of those and of files that pose3d did not
        make, a copy ``<name>.bak`` is kept.
    keep_edited : bool
        Use results that were changed by hand as they are, now and in later runs.
    dry_run : bool
        Do nothing; say what would be done.
    progress : callable, optional
    report : callable, optional
        Called with each outcome as soon as it is known.
    actions : Actions, optional
        What does the work; by default calibration, analysis of the videos, triangulation, angles and export.

    Returns
    -------
    list of StepOutcome
        One for each step, in order. A step that fails does not stop those that do not rely on it.

    Raises
    ------
    ProjectError
        If nothing can be planned: no calibration and no clips, names that do not tell the camera; or, with `only`, a
        result is stale on which these steps rely.
    ValueError
        If `only` names no step.
    """
    wanted = frozenset(STEPS if only is None else only)
    if wanted - set(STEPS):
        raise ValueError(f"there is no step {sorted(wanted - set(STEPS))[0]!r}; there are {', '.join(STEPS)}")
    for earlier in _relied_on(wanted):
        require_current(session, earlier, actions=actions)
    outcomes: list[StepOutcome] = []

    def tell(outcome: StepOutcome) -> None:
        outcomes.append(outcome)
        if report is not None:
            report(outcome)

    if dry_run:
        for step, verdict in judge_all(session, force, keep_edited, actions):
            if step.name in wanted:
                tell(_passed(step, verdict, "to do"))
        return outcomes
    blocked: dict[str, str] = {}
    damaged: dict[Path, str] = {}
    for step in session_steps(session, actions):
        if step.name not in wanted:
            continue
        state = load_state(step.home)
        damaged.setdefault(step.home, state.problem)
        # the first record that is written mends the file; what it lost stays unknown for the rest of this run
        if step.key not in state.records:
            state = replace(state, problem=damaged[step.home])
        verdict = judge(step, state, blocked=blocked, force=force, keep_edited=keep_edited)
        if verdict.action == "run":
            outcome = _do(step, verdict, state, progress)
        else:
            if verdict.action == "skip" and not verdict.given:
                _refresh(step, verdict, state.records[step.key])
            outcome = _passed(step, verdict, "done")
            if outcome.status == "up to date" and state.records[step.key].failed:
                outcome = _still_failing(outcome, state.records[step.key].failed)
        if outcome.status in _OBSTACLES:
            blocked[step.key] = f"{step.label}, which {_OBSTACLES[outcome.status]}"
        tell(outcome)
    return outcomes


def _relied_on(wanted: Collection[str]) -> list[str]:
    """List the steps outside of `wanted` whose results it needs."""
    needs = {"triangulate": ("calibrate", "analyze"), "angles": ("triangulate",), "export": ("triangulate",)}
    return sorted({name for step in wanted for name in needs.get(step, ())} - set(wanted), key=STEPS.index)


def _still_failing(outcome: StepOutcome, why: str) -> StepOutcome:
    """Say again that a result which is up to date failed its quality gate."""
    summary = {**outcome.summary, "verdict": {"grade": "FAIL", "says": why}}
    return replace(outcome, reason=f"{outcome.reason}, but its verdict is FAIL: {why}", summary=summary)


def _passed(step: Step, verdict: Verdict, run: StepStatus) -> StepOutcome:
    """Make the outcome of a step that was not done."""
    status: dict[str, StepStatus] = {"run": run, "skip": "up to date", "refuse": "refused", "impossible": "skipped"}
    error = None
    if verdict.action == "refuse":
        error = ProjectError(f"{step.output.parent}: {verdict.reason}")
    return StepOutcome(
        step.name, step.trial, "given" if verdict.given else status[verdict.action], verdict.reason, error=error
    )


def _do(step: Step, verdict: Verdict, state: State, progress: Progress) -> StepOutcome:
    """Do a step and record it."""
    began = time.monotonic()
    # Until the new record stands, what lies at the outputs is of unknown origin: a run that is cut short says so.
    record = state.records.get(step.key)
    before = record or Record(version(), {}, {}, {})
    try:
        save_record(step.home, step.key, replace(before, unfinished=True))
        copies = _set_aside(step, verdict, before)
    except Pose3DError as error:
        return StepOutcome(step.name, step.trial, "failed", verdict.reason, error=error)
    try:
        done = step.act(tuple(verdict.inputs.values()), progress)
    except Pose3DError as error:
        if _untouched(step, verdict) and not state.problem:
            save_record(step.home, step.key, record)
        return StepOutcome(
            step.name, step.trial, "failed", verdict.reason, error=error, seconds=time.monotonic() - began
        )
    finally:
        kept = _drop_copies(step, verdict, copies)
    outputs: dict[str, Fingerprint] = {}
    for path in done.outputs:
        now = fingerprint(path)
        if now is None:
            raise RuntimeError(f"{step.label} says that it wrote {path}, which is not there")
        outputs[label_of(path, step.home)] = now
    _remove_orphans(step, before, outputs)
    gate = done.summary.get("verdict", {})
    failed = str(gate.get("says", "")) if gate.get("grade") == "FAIL" else ""
    made = Record(version(), dict(step.settings), dict(verdict.prints), outputs, failed=failed)
    save_record(step.home, step.key, made)
    lines = (*done.lines, *(f"the file that was there before is kept as {copy.name}" for copy in kept))
    return StepOutcome(
        step.name, step.trial, "done", verdict.reason, lines, done.summary, seconds=time.monotonic() - began
    )


def _set_aside(step: Step, verdict: Verdict, before: Record) -> dict[str, Path]:
    """Copy results that this step did not make, or that a person changed, before they are overwritten."""
    copies = {}
    edited = [label for label in before.edited if label in verdict.found]
    for label in dict.fromkeys([*verdict.foreign, *edited]):
        copies[label] = keep_copy(step.home / label)
    return copies


def _drop_copies(step: Step, verdict: Verdict, copies: Mapping[str, Path]) -> list[Path]:
    """Remove the copies of files that stand as they did; return those that are needed."""
    kept = []
    for label, copy in copies.items():
        now = fingerprint(step.home / label)
        if now is not None and now.sha256 == verdict.found[label].sha256:
            copy.unlink(missing_ok=True)
        else:
            kept.append(copy)
    return kept


def _untouched(step: Step, verdict: Verdict) -> bool:
    now = {label: fingerprint(step.home / label, known) for label, known in verdict.found.items()}
    same = all(item is not None and item.sha256 == verdict.found[label].sha256 for label, item in now.items())
    return same and (bool(verdict.found) or not step.output.exists())


def _remove_orphans(step: Step, before: Record, outputs: Mapping[str, Fingerprint]) -> None:
    """Remove results of the time before that this time did not make, unless a person changed them."""
    for label, known in before.outputs.items():
        path = step.home / label
        if label not in outputs:
            now = fingerprint(path, known)
            if now is not None and now.sha256 == known.sha256:
                logger.info("%s: belongs to an earlier run and is removed", path)
                path.unlink(missing_ok=True)


def _refresh(step: Step, verdict: Verdict, record: Record) -> None:
    """Record new time stamps of unchanged files, and results that a person wants as they are."""
    foreign = tuple(label for label in verdict.foreign if label in record.outputs)
    edited = tuple(dict.fromkeys([*(label for label in record.edited if label in verdict.found), *foreign]))
    outputs = {**record.outputs, **{label: now for label, now in verdict.found.items() if label in record.outputs}}
    renewed = Record(version(), dict(step.settings), dict(verdict.prints), outputs, edited, failed=record.failed)
    if renewed != record:
        try:
            save_record(step.home, step.key, renewed)
        except Pose3DError as error:  # nothing is lost but time: the contents are read again the next time
            logger.info("%s", error)
            if edited != record.edited:
                raise
