"""Walks whose every number is known, as a report gets them."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.data.norms import NormBand, Norms
from pose3d.data.recording_facts import PointCoverage, RecordingFacts
from pose3d.kinematics.gait import measure_gait
from pose3d.kinematics.gait_findings import GaitStudy, WalkTrial
from pose3d.kinematics.gait_study import draw_walk, study_gait
from pose3d.report.gait_facts import GaitFacts

FPS = 100.0
ANGLES = {  # largest bend of the left and the right, degrees
    "pelvis_obliquity": (6.0, 6.0),
    "hip_flexion_trunk": (44.0, 40.0),
    "hip_adduction": (12.0, 12.0),
    "knee_flexion": (60.0, 50.0),
    "ankle_dorsiflexion": (30.0, 30.0),
    "elbow_flexion": (20.0, 25.0),
}
POINTS = ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LHeel", "RHeel", "LBigToe", "RBigToe", "Nose")


def walk(
    *, strides: int, seed: int, samples: int | None = None, sign: float = 1.0, odd: bool = False, names: Any = None
) -> tuple[LimbEvents, dict[str, Any], dict[str, Any]]:
    """A walk along x: a stride of 1.3 m a second, stance 60 %."""
    rng = np.random.default_rng(seed)
    time = np.arange(int((strides + 0.7) * FPS) + 1) / FPS
    shape = time.shape if samples is None else (samples, *time.shape)
    events, feet, angles = [], {}, {}
    for side, late in (("L", 0.0), ("R", 0.5)):
        strikes = np.arange(late, time[-1] + 1e-9, 1.0)
        offs = strikes - 0.4
        events += [(side, STRIKE, strikes), (side, OFF, offs[offs >= 0])]
        phase = time - late
        x = 1300.0 * (late + np.floor(phase) + np.clip((phase % 1 - 0.6) / 0.4, 0, 1))
        xyz = np.stack([x, np.full(len(time), 100.0 if side == "L" else -100.0), np.zeros(len(time))], -1)
        feet[side] = xyz if samples is None else xyz + rng.normal(0, 3, (samples, 1, 3))
        for name in ANGLES if names is None else names:
            bend = sign * ANGLES[name][side == "R"] * (1 + 0.03 * np.sin(np.arange(len(time)) // FPS + seed))
            signal = bend / 2 * (1 - np.cos(2 * np.pi * phase))
            if odd and side == "L":
                signal = np.where((time >= 2) & (time < 3), signal + 20 * np.sin(2 * np.pi * time) ** 2, signal)
            angles[f"{name}_{side.lower()}"] = (
                signal if samples is None else signal + rng.normal(0, 0.8, (*shape[:-1], 1))
            )
    return LimbEvents.from_times(events), feet, angles


def coverage(error_px: float = 1.5, filled: float = 0.02) -> PointCoverage:
    n = len(POINTS)
    ones = np.ones(n)
    return PointCoverage(
        POINTS, ones * (0.97 - filled), ones * filled, ones * 0.03, ones * 3.7, ones * error_px, ones * 4
    )


@pytest.fixture(scope="session")
def make_gait() -> Callable[..., Any]:
    """Make a study and what stands around it: ``made.study`` and ``made.facts``."""

    def make(
        names: tuple[str, ...] = ("walk1", "walk2"),
        *,
        strides: int = 6,
        samples: int | None = 45,
        norms: bool = True,
        sign: float = 1.0,
        odd: bool = False,
        angles: tuple[str, ...] | None = None,
        **told: Any,
    ) -> Any:
        trials, recordings = [], []
        for i, name in enumerate(names):
            settings = {"strides": strides, "sign": sign, "odd": odd, "names": angles}
            events, feet, signals = walk(seed=i, **settings)
            gait = measure_gait(events, feet, signals, fps=FPS)
            drawn = None
            if samples:
                _, many_feet, many = walk(seed=i, samples=samples, **settings)
                drawn = draw_walk(measure_gait(events, many_feet, many, fps=FPS, walk=gait), gait)
            trials.append(WalkTrial(name, gait, drawn))
            frames = len(next(iter(signals.values()), np.zeros(1)))
            recordings.append(
                RecordingFacts(
                    name, f"{name}.csv", f"{i:064x}", frames, FPS, coverage(), "definitions on keypoints",
                    "found from heels and toes", f"{samples} posterior samples" if samples else "",
                )
            )  # fmt: skip
        percent = np.linspace(0, 100, 51)
        curve = 28 * (1 - np.cos(2 * np.pi * percent / 100))
        band = NormBand(percent, curve, np.full(51, 5.0), 83)
        known = Norms({"knee_flexion": band}, "made for tests", "CC0") if norms else None
        study: GaitStudy = study_gait(trials, known)
        facts = {
            "session": "monday",
            "subject": "P07",
            "recordings": tuple(recordings),
            "cameras": ("left", "right", "back"),
            "calibration": "0.21 px left over on average",
            "date": "2026-11-23",
            "settings": (("Low-pass", "7 Hz"),),
            "hidden": {
                "knee_rotation": "the turn of the shank about itself needs an axis",
                "pelvis_tilt": "two points",
            },
            "version": "1.2.3",
        }
        return SimpleNamespace(study=study, facts=GaitFacts(**{**facts, **told}))

    return make


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page, and hold at the end that nothing was fetched and nothing went wrong."""
    contexts: list[Any] = []
    wrong: list[str] = []
    fetched: list[str] = []

    def open_page(path: Any, width: int = 1200) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    assert len({url for url in fetched if url.startswith("file:")}) <= len(contexts)
