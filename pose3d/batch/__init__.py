"""Whole sessions: every step whose inputs changed, in order, with a record of what was made from what."""

from pose3d.batch.plans import StepPlan, plan, require_current
from pose3d.batch.run import StepOutcome, run_session
from pose3d.batch.steps import STEPS, Actions

__all__ = ["STEPS", "Actions", "StepOutcome", "StepPlan", "plan", "require_current", "run_session"]
