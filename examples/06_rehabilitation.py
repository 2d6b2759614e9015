# %% [markdown]
# # Exercises: repetitions, tempo, left against right, before and after
#
# `python examples/06_rehabilitation.py [FOLDER]`. The person is the demo's: how far and how fast each repetition goes,
# which side is weaker, and what a therapy did are known, so that every number can be compared.

# %%
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pose3d import RefinementSettings, Skeleton, ViewSettings, load_keypoints, load_rig, reconstruct
from pose3d.batch.exercise_report import OtherSessions, report_exercises
from pose3d.batch.exercise_summary import exercise_lines
from pose3d.batch.exercises import exercise_from_points
from pose3d.demo import install_network
from pose3d.demo.exercise_evaluation import compare_exercise, true_study
from pose3d.demo.exercise_scene import ExerciseScene, Occasion
from pose3d.demo.exercise_session import exercise_truth, make_exercise_session, simulate_exercise
from pose3d.io.anipose_csv import write_pose3d
from pose3d.kinematics.changes import judge_change, sem_from_sessions
from pose3d.kinematics.exercises import EXERCISES, Exercise, ExerciseStudy, measure_exercise
from pose3d.network.analysis import analyze_video
from pose3d.project import Session, write_config

folder = Path(sys.argv[1] if len(sys.argv) == 2 else tempfile.mkdtemp()) / "rehabilitation"
SEED = 5  # another is another person
skeleton = Skeleton.preset("halpe26")
plain, settings = (RefinementSettings(limbs=skeleton.edges, samples=n) for n in (0, 50))
views = ViewSettings(pairs=skeleton.pairs)

# %% [markdown]
# **From clips.** Somebody squats before four cameras, at an uneven tempo; one squat is broken off, and one knee bends
# less. The demo's network finds 2D keypoints in the clips, and has never seen this person. The cameras are known here;
# examples 01 and 04 calibrate.

# %%
truth = make_exercise_session(folder, seed=SEED, exercises=("squat",), n=2, session="clips", fps=20)["squat"]
network = install_network(folder / "models" / "default")
clips, found = folder / "clips" / "videos-raw", folder / "clips" / "pose-2d"
files = {name: found / f"squat_{name}.h5" for name in truth.rig.names}
with ThreadPoolExecutor(2) as pool:
    done = [pool.submit(analyze_video, clips / f"squat_{name}.mp4", network, path) for name, path in files.items()]
print(*(each.result().lines()[0] for each in done), sep="\n")
rig = load_rig(folder / "clips" / "calibration" / "calibration.toml")
made = reconstruct(load_keypoints(files, fps=20), rig, settings, views=views)

# %% [markdown]
# An exercise is the angle that drives it: the knees' flexion, here. Repetitions are found in the mean of both sides,
# and each side is measured in the same ones. What is in brackets is the 95 % interval, from the samples.

# %%
squat = EXERCISES["squat"]
study = exercise_from_points(made.points, squat, samples=made.samples)
print(*exercise_lines(study), sep="\n")
error = compare_exercise(truth, study)
print(f"against the truth: {error.line()}")
assert (error.count, error.aborted) == (2, 1)
assert error.side_is_right
assert error.mean_range_deg < 4

# %% [markdown]
# **All three exercises**, from 2D keypoints that are simulated with noise, gross errors and gaps. Standing up makes the
# knee's angle smaller; in reaching the arms take turns, so that each has repetitions of its own.


# %%
def measure(exercise: str, occasion: Occasion | None = None) -> ExerciseStudy:
    """Let the person exercise, and measure it."""
    truth = exercise_truth(ExerciseScene(SEED, exercise, 3, fps=25, occasion=occasion))
    number = 0 if occasion is None else occasion.number
    keypoints = simulate_exercise(truth, number=number)
    made = reconstruct(keypoints, truth.rig, plain if number else settings, views=views)  # samples take their time
    study = exercise_from_points(made.points, EXERCISES[exercise], samples=made.samples)
    error = compare_exercise(truth, study)
    print(error.line())
    assert (error.count, error.aborted) == (error.true_count, error.true_aborted)
    assert error.side_is_right
    assert error.mean_range_deg < 2
    day = folder / f"day{number}" / "pose-3d"
    write_pose3d(made.points, day / f"{exercise}.csv")
    return study


for exercise in ("sit_to_stand", "reach"):
    measure(exercise)

# %% [markdown]
# **Before and after.** Numbers of one person differ from day to day. The minimal detectable change is 1.96 sqrt(2) SEM,
# where the SEM comes from days between which nothing changed. Two or three of them tell it badly, so here are twelve
# (from the truth, which saves the cameras' time). Then a day on which nothing has changed either, and one after a
# therapy that brought 15 degrees.


# %%
def true_range(day: int) -> float:
    """Return the mean range of both knees on a day."""
    truth = exercise_truth(ExerciseScene(SEED, "squat", 3, fps=25, occasion=Occasion(day)))
    return true_study(truth).parts["both"].summarize("range").mean


sem = sem_from_sessions([[true_range(day) for day in range(11, 23)]])
days = {1: Occasion(1), 5: Occasion(5), 6: Occasion(6, 15.0)}
ranges = {number: measure("squat", occasion).parts["both"].summarize("range").mean for number, occasion in days.items()}
nothing, therapy = (judge_change(ranges[1], ranges[day], sem=sem.sem, sem_source=sem.source) for day in (5, 6))
print(f"a day like the others: {nothing}", f"after the therapy: {therapy}", sep="\n")
assert not nothing.real
assert therapy.real

# %% [markdown]
# **A report.** Sessions are folders of a project. `pose3d report rehab SESSION --before OTHER` writes pages for people
# and tables for programs, with `--sem 2.0 --sem-source TEXT` or `--repeated SESSION`; this is what it calls.

# %%
write_config(folder, {"project": {"fps": 25.0}, "gait": {"subject": "P07"}}, overwrite=True)
first, _, last = (Session.load(folder / f"day{number}") for number in days)
report = report_exercises(last, others=OtherSessions(before=first, sem_deg=sem.sem, sem_source=sem.source))
print(report.verdict.headline, *report.verdict.lines, *(f"written: {path}" for path in report.outputs), sep="\n")

# %% [markdown]
# **Exercises of your own** are an angle and a direction; the ankles of the squats, say. On the command line: `pose3d
# repetitions curls.csv --angle elbow_flexion --turns -o curls.csv`.

# %%
ankles = {name: truth.angles.deg[:, 0, i] for i, name in enumerate(truth.angles.names) if "ankle" in name}
own = measure_exercise(Exercise("ankles in squats", "ankle_dorsiflexion"), ankles, fps=20)
print(f"{own.exercise.name}: {own.count} times, {own.aborted} broken off")
assert own.count == 2
