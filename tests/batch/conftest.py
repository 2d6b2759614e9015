"""A session whose steps are done by fakes: files of a line or two instead of videos and keypoints."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pose3d.batch import Actions, run_session
from pose3d.batch.actions import StepReport
from pose3d.errors import DataError
from pose3d.io.dlc_stream import write_dlc_blocks
from pose3d.project import Session, write_config


@dataclass
class Lab:
    """A session, and what its fake steps did."""

    folder: Path
    done: list[str] = field(default_factory=list)
    individuals: tuple[str, ...] = ()
    fail: set[str] = field(default_factory=set)
    interrupt: set[str] = field(default_factory=set)
    salt: str = ""
    uncertainty: str = ""
    samples: str = ""

    @property
    def session(self) -> Session:
        return Session.load(self.folder)

    @property
    def state(self) -> Path:
        return self.folder / "pose3d-state.json"

    @property
    def toml(self) -> Path:
        return self.folder / "calibration" / "calibration.toml"

    def path(self, name: str) -> Path:
        return self.folder / name

    def put(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def set(self, **sections: dict[str, object]) -> None:
        board = {"kind": "checkerboard", "corners": [9, 6], "square_mm": 30.0}
        write_config(self.folder.parent, {"board": board, **sections}, overwrite=True)

    def _step(self, label: str, path: Path, text: str, *more: Path) -> StepReport:
        self.done.append(label)
        path.parent.mkdir(exist_ok=True)
        if label in self.fail:
            raise DataError(f"{label}: the input is no good; bring a better one")
        path.write_text(text + self.salt, encoding="utf-8")
        if label in self.interrupt:
            raise KeyboardInterrupt
        for other in more:
            other.write_text("side", encoding="utf-8")
        return StepReport((path, *more), (f"{label} went well",), {"text": text})

    @property
    def actions(self) -> Actions:
        def calibrate(session, _):
            text = "+".join(path.read_text("utf-8") for path in session.calibration_videos().values())
            known = session.calibration_uncertainty
            report = self._step("calibrate", session.calibration_toml, text, *([known] if self.uncertainty else []))
            if self.uncertainty:
                known.write_text(self.uncertainty, encoding="utf-8")
            else:
                known.unlink(missing_ok=True)
            return report

        def analyze(trial, network, jobs, _):
            self.done.append(f"analyze {trial.name}")
            for job in jobs:
                job.output.parent.mkdir(exist_ok=True)
                if f"analyze {job.video.stem}" in self.fail:
                    raise DataError(f"{job.video}: breaks off; record it anew")
                write_dlc_blocks(
                    job.output,
                    [np.full((2, 1, 1, 1, 3), float(job.video.stat().st_size))],
                    individuals=("one",),
                    keypoints=("nose",),
                    scorer=f"pose3d_{network.name}",
                    notes={"pose3d_fingerprint": "fake"},
                )
            return StepReport(tuple(job.output for job in jobs), (f"{len(jobs)} videos",))

        def triangulate(trial, _):
            parts = [path.read_text("utf-8", "replace") for path in trial.pose_2d.values()]
            parts += [trial.session.calibration_toml.read_text("utf-8")]
            parts += [str(trial.session.config.triangulation.score_threshold)]
            side = trial.pose_3d.with_name(f"{trial.name}.uncertainty.csv")
            main = trial.pose_3d
            more = [side]
            if self.samples:
                more.append(self.put(f"pose-3d/{trial.name}.samples.npz", self.samples))
            if self.individuals:
                main, *more = [trial.pose_3d.with_name(f"{trial.name}_{who}.csv") for who in self.individuals]
            return self._step(f"triangulate {trial.name}", main, "|".join(parts), *more)

        def angles(trial, files, _):
            outputs = [trial.angles_of(path) for path in files]
            return self._step(f"angles {trial.name}", outputs[0], files[0].read_text("utf-8") + "!", *outputs[1:])

        def export(trial, files, _):
            outputs = [trial.trc_of(path) for path in files]
            return self._step(f"export {trial.name}", outputs[0], files[0].read_text("utf-8") + "?", *outputs[1:])

        return Actions(calibrate, analyze, triangulate, angles, export)

    def run(self, **options):
        """Run; return what was done in this run, and the outcomes by label."""
        self.done.clear()
        outcomes = run_session(self.session, actions=self.actions, **options)
        return list(self.done), {outcome.label: outcome for outcome in outcomes}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A session with two cameras, board clips and one trial, in folders with spaces and letters of other alphabets."""
    lab = Lab(tmp_path / "étude de marche" / "été 1")
    for camera in ("left", "right"):
        lab.put(f"calibration/board_{camera}.mp4", f"board {camera}")
        lab.put(f"videos-raw/walk_{camera}.mp4", f"video {camera}")
        lab.put(f"pose-2d/walk_{camera}.h5", f"points {camera}")
    lab.set()
    return lab
