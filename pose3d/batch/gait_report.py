"""The gait report of a session: its walks measured, and the pages written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pose3d.batch.films import film_of_walk
from pose3d.batch.gait_study import SessionGait, study_session
from pose3d.batch.walks import WalkSettings
from pose3d.data.norms import Norms
from pose3d.log import Progress, no_progress
from pose3d.project import Session
from pose3d.report.document import Callout
from pose3d.report.gait_facts import GaitFacts, judge_gait
from pose3d.report.gait_page import write_gait_report

__all__ = ["GaitReport", "calibration_words", "gait_facts", "report_gait"]


@dataclass(frozen=True, eq=False)
class GaitReport:
    """What was written, and what it says first.

    Attributes
    ----------
    gait : SessionGait
    verdict : Callout
    outputs : tuple of Path
    """

    gait: SessionGait
    verdict: Callout
    outputs: tuple[Path, ...]


def report_gait(
    session: Session,
    folder: str | Path | None = None,
    *,
    only: Sequence[str] | None = None,
    norms: Norms | None = None,
    subject: str | None = None,
    date: str = "",
    pdf: bool = True,
    workers: int = 1,
    progress: Progress = no_progress,
) -> GaitReport:
    """Write the gait report of a session.

    Parameters
    ----------
    session : Session
    folder : path, optional
        Where the files go; by default the session's ``reports``.
    only : sequence of str, optional
        Names of recordings; by default all.
    norms : Norms, optional
        By default those of the project's ``[gait]``.
    subject : str, optional
        Code of the person; by default that of ``[gait]``.
    date : str
        Of the recordings, as it shall be printed.
    pdf : bool
    workers : int
        Processes, as in :func:`pose3d.batch.gait_study.study_session`.
    progress : callable, optional

    Returns
    -------
    GaitReport

    Raises
    ------
    DataError
        If no recording can be used.
    Pose3DError
        If a file cannot be read or written.
    """
    gait = study_session(session, only=only, norms=norms, workers=workers, progress=progress)
    if subject is not None:
        gait = replace(gait, subject=subject)
    facts = gait_facts(session, gait, date=date)
    outputs = write_gait_report(gait.study, facts, session.reports if folder is None else folder, pdf=pdf)
    return GaitReport(gait, judge_gait(gait.study, facts), outputs)


def gait_facts(session: Session, gait: SessionGait, *, date: str = "") -> GaitFacts:
    """Gather what a report says beside the study: where it comes from, and how it was made."""
    from pose3d import __version__

    return GaitFacts(
        session=gait.name,
        subject=gait.subject,
        recordings=gait.recordings,
        # A report is handed on: where the session lay on this machine is nobody's business.
        refused=tuple((name, reason.replace(f"{session.folder}{os.sep}", "")) for name, reason in gait.refused),
        cameras=gait.cameras,
        calibration=calibration_words(session),
        date=date,
        settings=_settings(gait.settings),
        hidden=gait.hidden,
        version=__version__,
        film=film_of_walk(session, gait.study),
    )


def calibration_words(session: Session) -> str:
    """Say how good the calibration is, as far as its file tells."""
    from pose3d.io.rigs import load_rig

    if not session.calibration_toml.is_file():
        return "none in this session"
    error = load_rig(session.calibration_toml).metadata.get("error")
    if isinstance(error, bool) or not isinstance(error, int | float):
        return "its file does not say how good it is"
    return f"{error:.2f} px left over on average"


def _settings(settings: WalkSettings) -> tuple[tuple[str, str], ...]:
    cutoff = settings.event_cutoff_hz
    return (
        ("Low-pass before events are searched", "none" if cutoff is None else f"{cutoff:g} Hz (Butterworth, 3 dB)"),
        ("Strides in turns are left out above", f"{settings.most_turn_deg:g}°"),
        ("Noise that was assumed", "none" if settings.noise_mm is None else f"{settings.noise_mm:g} mm"),
        ("Outlying cycles", "counted, and listed"),
    )
