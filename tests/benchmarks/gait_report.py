"""What a gait report costs: ten walks of a minute, from a session's points and samples to the page.

Run as ``python tests/benchmarks/gait_report.py [--walks N] [--seconds S] [--samples N] [--folder DIR]``. A rendered
person's model walks; its keypoints get noise, and samples about them. Prints wall and CPU time and the peak of memory
of all processes; the aim is 60 s on two cores.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from pose3d.batch.gait_report import gait_facts
from pose3d.batch.gait_study import study_session
from pose3d.data import Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.project import Session, write_config
from pose3d.report.gait_page import write_gait_report

FPS, NOISE_MM = 100.0, 2.0


def make_session(folder: Path, n_walks: int, seconds: float, n_samples: int) -> Path:
    """Write the points and samples of walks, and return the session's folder."""
    write_config(folder, {"skeleton": {"preset": "halpe26"}}, overwrite=True)
    session, skeleton = folder / "session1", Skeleton.preset("halpe26")
    (session / "pose-3d").mkdir(parents=True, exist_ok=True)
    person, n_frames = make_person(np.random.default_rng(7)), round(seconds * FPS)
    for i in range(n_walks):
        rng = np.random.default_rng(i)
        _, _, frames = walk_body(person, n_frames=n_frames, fps=FPS, rng=rng)
        xyz = frames.keypoints(skeleton)[:, None]
        path = session / "pose-3d" / f"walk{i + 1}.csv"
        write_pose3d(Keypoints3D.from_points(xyz, skeleton.keypoints, ("one",), fps=FPS), path)
        if n_samples:
            names = {"individuals": ("one",), "keypoints": skeleton.keypoints}
            writer = SamplesWriter(samples_path(path), n_samples=n_samples, fps=FPS, **names)
            shift = rng.normal(0, NOISE_MM, (1, n_samples, 1, len(skeleton.keypoints), 3))
            writer.append(xyz[:, None] + shift)
            writer.finish([path])
    return session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--walks", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_session(options.folder or Path(scratch), options.walks, options.seconds, options.samples)
        wall = time.perf_counter()
        gait = study_session(Session.load(folder), workers=2)
        study_s, before = time.perf_counter() - wall, time.process_time()
        facts = gait_facts(Session.load(folder), gait)
        pages = write_gait_report(gait.study, facts, folder / "reports")
        pages_cpu, pages_s = time.process_time() - before, time.perf_counter() - wall - study_s
        sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in pages[:3])
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    peak = max(each.ru_maxrss for each in used) / 1024
    print(f"{options.walks} walks of {options.seconds:g} s, {options.samples} samples: {gait.study.n_kept} strides")
    print(
        f"study: {study_s:.1f} s wall; {cpu:.1f} CPU s in all (making the walks too); peak of a process {peak:.0f} MB"
    )
    print(f"pages: {pages_s:.1f} s wall, {pages_cpu:.1f} CPU s; {sizes}")


if __name__ == "__main__":
    main()
