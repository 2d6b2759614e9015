"""Which steps of a session are to be done, and why."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pose3d.batch.steps import STEPS, Actions, Step, session_steps
from pose3d.errors import ProjectError
from pose3d.project import Session
from pose3d.project.edits import EDITS_SETTING
from pose3d.project.state import Fingerprint, Record, State, fingerprint, load_state

__all__ = ["Action", "StepPlan", "Verdict", "judge", "judge_all", "label_of", "plan", "require_current", "version"]

Action = Literal["run", "skip", "refuse", "impossible"]

_MAX_REASONS = 2


@dataclass(frozen=True)
class StepPlan:
    """What is to be done about one step.

    Attributes
    ----------
    step : str
        Of :data:`pose3d.batch.STEPS`.
    trial : str, optional
    action : {"run", "skip", "refuse", "impossible"}
        `refuse`: a result was changed by hand and is not overwritten unasked. `impossible`: an input is missing.
    reason : str
    """

    step: str
    trial: str | None
    action: Action
    reason: str

    @property
    def label(self) -> str:
        """Name for people."""
        return self.step if self.trial is None else f"{self.step} {self.trial}"

    def __str__(self) -> str:
        return f"{self.label}: {'' if self.action == 'skip' else self.action + ': '}{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain text for a json summary."""
        return {"step": self.step, "trial": self.trial, "action": self.action, "reason": self.reason}


@dataclass(frozen=True)
class Verdict:
    """A step's plan and the facts behind it.

    Attributes
    ----------
    action, reason
        As in :class:`StepPlan`.
    inputs : mapping
        Label to path.
    prints : mapping
        Fingerprint of each input that is there.
    found : mapping
        Fingerprint of each result that is there, by label: known ones, and whatever lies where the result goes.
    foreign : tuple of str
        Results whose content this step did not make.
    given : bool
        The result is used as a person put it there.
    apart : bool
        The results are there, as a command of its own made them, and may be used.
    """

    action: Action
    reason: str
    inputs: Mapping[str, Path]
    prints: Mapping[str, Fingerprint]
    found: Mapping[str, Fingerprint]
    foreign: tuple[str, ...] = ()
    given: bool = False
    apart: bool = False


def version() -> str:
    """Return the version of pose3d that runs."""
    from pose3d import __version__

    return __version__


def label_of(path: Path, home: Path) -> str:
    """Name a file in a record: relative to the record's folder, so that a project can be moved."""
    try:
        return Path(os.path.relpath(path, home)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def judge(
    step: Step,
    state: State,
    *,
    pending: Mapping[Path, str] | None = None,
    blocked: Mapping[str, str] | None = None,
    force: bool = False,
    keep_edited: bool = False,
) -> Verdict:
    """Decide about one step.

    Parameters
    ----------
    step : Step
    state : State
        Of the step's home.
    pending : mapping, optional
        Files that earlier steps will make anew, and the step's label.
    blocked : mapping, optional
        Keys of earlier steps whose results cannot be relied on, and the step's label with the cause.
    force : bool
        Do it in any case.
    keep_edited : bool
        Take results that were changed by hand as they are.

    Returns
    -------
    Verdict
    """
    pending, blocked = pending or {}, blocked or {}
    record = state.records.get(step.key)
    there = (path for path in step.optional if path in pending or path.exists())
    inputs = {label_of(path, step.home): path for path in (*step.inputs, *there)}
    if step.after is not None and step.after in state.records:
        before = (label for label in state.records[step.after].outputs if label.endswith(step.reads))
        inputs |= {label: step.home / label for label in before}
    found = _results(step, record)
    made = record.outputs if record else {}
    foreign = tuple(label for label, now in found.items() if label not in made or now.sha256 != made[label].sha256)
    prints: dict[str, Fingerprint] = {}
    given = _given(step, state, found, force)
    needed = (step.after, *step.relies_on)
    obstacle = step.impossible or next((why for key, why in blocked.items() if key in needed), "")
    remade = step.made_apart is not None and all(step.made_apart(step.home / label) for label in foreign)
    action: Action
    if step.impossible:
        action, reason = "impossible", obstacle
    elif given:
        action, reason = "skip", given
    elif obstacle:
        action, reason = "impossible", f"needs {obstacle}"
    else:
        for label, path in inputs.items():
            now = fingerprint(path, record.inputs.get(label) if record else None)
            if now is not None:
                prints[label] = now
        reasons = _changes(step, record, state, inputs, prints, pending)
        if force:
            action, reason = "run", "everything is to be made anew"
        elif record is None or record.unfinished:
            action, reason = "run", _join(reasons)
        elif remade and foreign:
            action, reason = "run", _join([*reasons, f"{foreign[0]} was made since by a command of its own"])
        else:
            action, reason = _weigh(record, found, foreign, reasons, keep_edited)
    there_all = all(label_of(path, step.home) in found for path in (step.output, *step.beside))
    apart = bool(foreign) and remade and there_all
    return Verdict(action, reason, inputs, prints, found, foreign, bool(given), apart)


def _given(step: Step, state: State, found: Mapping[str, Fingerprint], force: bool) -> str:
    """Say why a result that a person put there is used; empty where that is not so."""
    target = label_of(step.output, step.home)
    foreign = step.keeps_foreign and step.key not in state.records and not state.problem and target in found
    if step.given or not foreign or force:
        return step.given
    return f"{target} was put there by hand and is used as it is"


def _weigh(
    record: Record,
    found: Mapping[str, Fingerprint],
    foreign: tuple[str, ...],
    reasons: list[str],
    keep_edited: bool,
) -> tuple[Action, str]:
    """Weigh reasons to do a step again against results that were changed by hand."""
    edited = [label for label in foreign if label in record.outputs]
    kept = [label for label in record.edited if label in found and label not in edited]
    if (edited or (kept and reasons)) and not keep_edited:
        since = f", and since then: {_join(reasons)}" if kept and reasons else ""
        return "refuse", (
            f"{(edited or kept)[0]} was changed by hand{since}; "
            "--keep-edited uses it as it is, --force makes it anew and keeps a copy"
        )
    if edited or kept:
        return "skip", f"up to date, with {', '.join(edited or kept)} as changed by hand"
    reasons = [*reasons, *(f"{label} is gone" for label in record.outputs if label not in found)]
    return ("run", _join(reasons)) if reasons else ("skip", "up to date")


def _results(step: Step, record: Record | None) -> dict[str, Fingerprint]:
    beside = (label_of(path, step.home) for path in (step.output, *step.beside))
    labels = dict.fromkeys([*beside, *(record.outputs if record else ())])
    found = {}
    for label in labels:
        now = fingerprint(step.home / label, record.outputs.get(label) if record else None)
        if now is not None:
            found[label] = now
    return found


def _changes(
    step: Step,
    record: Record | None,
    state: State,
    inputs: Mapping[str, Path],
    prints: Mapping[str, Fingerprint],
    pending: Mapping[Path, str],
) -> list[str]:
    """List what has changed since the step was done."""
    if state.problem:
        return [f"{state.problem}, so that every result counts as out of date"]
    if record is None:
        return ["never run"]
    if record.unfinished:
        return ["was interrupted the last time"]
    reasons = []
    if record.version != version() and not record.edited:
        reasons.append(f"made by pose3d {record.version}, this is {version()}")
    for name in dict.fromkeys([*record.settings, *step.settings]):
        before, after = record.settings.get(name), step.settings.get(name)
        if before != after and name == EDITS_SETTING:
            reasons.append("corrections in edits.toml changed")
        elif before != after:
            reasons.append(
                f"{'' if name.startswith('camera ') else 'setting '}{name}: {_show(before)} -> {_show(after)}"
            )
    first = dict.fromkeys(pending[path] for path in inputs.values() if path in pending)
    reasons += [f"{label} comes first" for label in first]
    for label in dict.fromkeys([*record.inputs, *inputs]):
        if inputs.get(label) in pending:
            continue
        if label not in record.inputs:
            reasons.append(f"input {label} is new")
        elif label not in inputs or label not in prints:
            reasons.append(f"input {label} is gone")
        elif prints[label].sha256 != record.inputs[label].sha256:
            reasons.append(f"input {label} changed")
    return reasons


def _show(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _join(reasons: list[str]) -> str:
    more = len(reasons) - _MAX_REASONS
    return "; ".join(reasons[:_MAX_REASONS]) + (f"; and {more} more" if more > 0 else "")


def plan(
    session: Session, *, force: bool = False, keep_edited: bool = False, actions: Actions | None = None
) -> list[StepPlan]:
    """Say for every step of a session whether it is to be done, and why. Nothing is written.

    A step whose input will be made anew counts as one to be done; when the time comes, it is skipped if that input
    turned out the same.

    Parameters
    ----------
    session : Session
    force, keep_edited : bool
        As in :func:`pose3d.batch.run_session`.
    actions : Actions, optional

    Returns
    -------
    list of StepPlan
        In the order in which steps are done.

    Raises
    ------
    ProjectError
        If the session has no calibration and no clips to make one, or a file's name does not tell its camera.
    """
    return [_as_plan(step, verdict) for step, verdict in judge_all(session, force, keep_edited, actions)]


def _as_plan(step: Step, verdict: Verdict) -> StepPlan:
    return StepPlan(step.name, step.trial, verdict.action, verdict.reason)


def judge_all(
    session: Session, force: bool, keep_edited: bool, actions: Actions | None = None
) -> list[tuple[Step, Verdict]]:
    """Judge all steps as if those before had been done; parameters are those of :func:`plan`."""
    pending: dict[Path, str] = {}
    blocked: dict[str, str] = {}
    states: dict[Path, State] = {}
    judged = []
    for step in session_steps(session, actions):
        state = states.setdefault(step.home, load_state(step.home))
        verdict = judge(step, state, pending=pending, blocked=blocked, force=force, keep_edited=keep_edited)
        if verdict.action == "run" and not verdict.apart:
            record = state.records.get(step.key)
            outputs = (step.output, *step.beside, *(step.home / label for label in (record.outputs if record else ())))
            pending |= dict.fromkeys(outputs, step.label)
        elif verdict.action in ("refuse", "impossible"):
            blocked[step.key] = (
                f"{step.label}, which {'is refused' if verdict.action == 'refuse' else 'cannot be done'}"
            )
        judged.append((step, verdict))
    return judged


def require_current(session: Session, step: str, *, actions: Actions | None = None) -> None:
    """Make sure that the results of a step may be used.

    Parameters
    ----------
    session : Session
    step : str
        Of :data:`STEPS`.
    actions : Actions, optional

    Raises
    ------
    ProjectError
        If a result of this step is missing, stale or changed by hand; the line says which, why, and what mends it. A
        trial that cannot have one, for want of 2D keypoints, is passed over, unless that is so for all. What
        `pose3d analyze` made by itself may be used.
    ValueError
        If there is no such step.
    """
    if step not in STEPS:
        raise ValueError(f"there is no step {step!r}; there are {', '.join(STEPS)}")
    judged = judge_all(session, False, False, actions)
    mine = [(item, verdict) for item, verdict in judged if item.name == step]
    for item, verdict in mine:
        if verdict.action == "run" and not verdict.apart:
            # what began it, which may be a step or two before
            upstream = (item.key, item.after, *item.relies_on)
            first, cause = next(
                (other, why) for other, why in judged if other.key in upstream and why.action == "run" and not why.apart
            )
            state = "is stale" if verdict.found else "is not there yet"
            reason = cause.reason if first is item else f"{first.label}: {cause.reason}"
            raise ProjectError(f"{item.output}: {state}: {reason}; `pose3d run {_quoted(session.folder)}` mends it")
        if verdict.action == "refuse":
            raise ProjectError(f"{item.output.parent}: {verdict.reason}")
    if mine and all(verdict.action == "impossible" for _, verdict in mine):
        refused = [verdict for _, verdict in judged if verdict.action == "refuse"]
        raise ProjectError(f"{mine[0][0].output}: is not to be used: {(refused or [mine[0][1]])[0].reason}")
    if not mine and step != "analyze":
        raise ProjectError(f"{session.folder}: there is no {step} to be done: no trial in videos-raw or pose-2d")


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
