import json
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from pose3d.data.keypoints import Keypoints2D
from pose3d.data.labels import Mark
from pose3d.errors import Pose3DError
from pose3d.io.dlc import write_dlc
from pose3d.labeling.editor import LabelEditor
from pose3d.labeling.journal import read_journal
from pose3d.labeling.project_task import load_task
from pose3d.project import Project
from pose3d.project.labels import load_labels, save_labels


def place_all(server, rig, truth, instant=0):
    """Click every keypoint in two views and accept the rest; the number of actions."""
    cameras = [view["camera"] for view in server.ask(f"/api/instant/{instant}").json["views"]]
    for keypoint in range(3):
        for camera in ("frontleft", "backleft"):
            x, y = truth[instant, keypoint, rig.names.index(camera)]
            server.act(do="place", instant=instant, keypoint=keypoint, view=cameras.index(camera), x=x, y=y)
        server.act(do="accept", instant=instant, keypoint=keypoint)
    return 9


def test_killing_the_server_loses_no_click(project, serve, rig, truth):
    server = serve(project)
    actions = place_all(server, rig, truth)
    server.act(do="mark", keypoint=2, view=3, mark="occluded")
    server.act(do="mark", keypoint=1, view=0, mark="absent")
    server.act(do="undo")
    before = server.ask("/api/instant/0").json
    server.process.kill()
    server.process.wait()
    journal = project / "labeled-data" / "pose3d-label.journal"
    assert len(read_journal(journal)) == actions + 3
    assert not list(project.rglob("CollectedData*"))
    with journal.open("ab") as stream:  # the next line was just being written
        stream.write(b'0badc0de {"do":"pla')

    again = serve(project)
    after = again.ask("/api/instant/0").json
    assert after["labels"] == before["labels"]
    assert sum(label is not None for view in after["labels"][0] for label in view) == 12
    again.act(do="redo")  # even what was taken back can be done again
    assert again.ask("/api/instant/0").json["labels"][0][0][1][2] == Mark.ABSENT
    again.act(do="undo")
    said = again.end()
    assert said.count("written: ") == 4
    assert not journal.exists()
    assert not journal.with_name("pose3d-label.lock").exists()

    labels = load_labels(Project.load(project)).labels
    assert len(labels) == 4
    assert (labels.mark != Mark.UNLABELLED).all()
    assert (labels.mark == Mark.OCCLUDED).sum() == 1
    order = [rig.names.index(image.video.removeprefix("walk_")) for image in labels.images]
    assert np.linalg.norm(labels.xy[:, 0] - truth[0].swapaxes(0, 1)[order], axis=-1).max() < 0.1

    third = serve(project)  # and what was written is what the page shows next time
    assert third.ask("/api/instant/0").json["labels"] == before["labels"]


@pytest.mark.skipif(os.name == "nt", reason="ends a process at once there")
def test_a_server_that_is_told_to_end_writes_the_files(project, serve, rig, truth):
    server = serve(project)
    place_all(server, rig, truth)
    said = server.end(signal.SIGTERM)
    assert said.count("written: ") == 4
    assert not list(project.rglob("pose3d-label.*"))
    assert (load_labels(Project.load(project)).labels.mark == Mark.VISIBLE).sum() == 12


def test_the_h5_opens_in_pandas_as_deeplabcut_writes_it(project, serve, rig, truth):
    server = serve(project)
    place_all(server, rig, truth)
    assert server.ask("/api/save", {}).json["file"] == {"unsaved": 0, "error": ""}
    assert read_journal(project / "labeled-data" / "pose3d-label.journal") == []
    table = pd.read_hdf(project / "labeled-data" / "walk_frontright" / "CollectedData_pose3d.h5")
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert table.index.tolist() == [("labeled-data", "walk_frontright", "img007.png")]
    x, y = truth[0, 1, rig.names.index("frontright")]
    assert np.allclose(table["pose3d"]["hip_l"].to_numpy(), [[x, y]], atol=0.1)


def test_files_are_written_now_and_then_and_hold_all(project, serve):
    server = serve(project)
    for i in range(101):
        server.act(do="place", view=0, x=10.0 + i, y=20.0)
    for _ in range(100):
        if not server.ask("/api/project").json["file"]["unsaved"]:
            break
        time.sleep(0.1)
    assert read_journal(project / "labeled-data" / "pose3d-label.journal") == []
    labels = load_labels(Project.load(project)).labels
    assert labels.xy[0, 0, 0].tolist() == [110.0, 20.0]
    assert server.act(do="undo")["instant"]["labels"][0][0][0] == [109.0, 20.0, 1]  # undo outlives the writing


def test_who_does_not_know_the_token_gets_nothing(shared):
    server = shared
    assert server.ask("/", token="x").status == 403
    assert server.ask("/", token="").status == 403
    assert server.ask("/api/project", token=server.token[:-1]).status == 403
    assert server.ask("/static/main.js", token="static").status == 403
    assert server.ask("/api/action", {"do": "undo"}, token="wrong").status == 403
    assert server.ask("/").status == 200
    assert "wrong or missing token" in server.ask("/", token="x").json["error"]


def test_other_hosts_are_refused(shared):
    server = shared
    bad = ("evil.example", f"evil.example:{server.port}", f"127.0.0.1.evil.example:{server.port}", "", "[::2]:80")
    for host in bad:
        assert server.ask("/api/project", headers={"Host": host}).status == 400, host
    for host in ("127.0.0.1", "localhost:9999", f"LOCALHOST:{server.port}", "[::1]:80"):  # 9999: ssh -L
        assert server.ask("/api/project", headers={"Host": host}).status == 200, host


def test_a_proxy_can_be_allowed(shared):
    server = shared
    assert server.ask("/", headers={"Host": "lab.example:8000"}).status == 200
    assert server.ask("/", headers={"Host": "other.example"}).status == 400


def test_only_listed_images_are_served(shared):
    server = shared
    good = server.ask("/image/walk_frontleft/img007.png")
    assert good.status == 200
    assert good.headers["Content-Type"] == "image/png"
    for path in (
        "/image/walk_frontleft/secret.txt",
        "/image/walk_frontleft/../walk_frontleft/img007.png",
        "/image/walk_frontleft/..%2f..%2f..%2f..%2foutside.png",
        "/image/..%2f..%2f..%2foutside.png",
        "/image/../../outside.png",
        "/image/walk_frontleft/%2e%2e/%2e%2e/pose3d.toml",
        "/image//etc/passwd",
        "/image/%2fetc/passwd",
        "/static/..%2fserver.py",
        "/static/../server.py",
        "/static/server.py",
        "/static/%00",
        "/../pose3d.toml",
        "/api/instant/99",
        "/api/instant/-1",
        "/api/curves/0/0/99",
        "/api/action",
    ):
        answer = server.ask(path)
        assert answer.status in (403, 404, 405), path
        assert b"secret" not in answer.content
        assert not answer.content.startswith(b"\x89PNG")


def test_headers_keep_other_sites_out(shared):
    server = shared
    for path in ("/", "/static/main.js", "/image/walk_frontleft/img007.png", "/api/project", "/nowhere"):
        headers = server.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_body_that_is_no_action_is_refused(shared):
    server = shared
    action = json.dumps({"do": "undo", "instant": 0, "individual": 0}).encode()
    bodies = [(b, "application/json") for b in (b"{", b"[]", b"[" * 90_000, b" " * 200_000, b"\xff\xfe", b"1e999")]
    for body, kind in [*bodies, (action, "text/plain"), (action, "application/x-www-form-urlencoded")]:
        answer = server.ask("/api/action", body, headers={"Content-Type": kind})
        assert answer.status == 400, body[:20]
        assert len(answer.json["error"]) < 200
    assert server.ask("/api/action", action).status == 200
    assert server.ask("/api/project").json["revision"] == 0


def test_damaged_images_are_told_in_one_line(project, serve):
    folder = project / "labeled-data" / "walk_frontleft"
    whole = (folder / "img007.png").read_bytes()
    (folder / "img007.png").write_bytes(whole[: len(whole) // 2])
    (folder / "img019.png").write_bytes(b"no image")
    server = serve(project)
    cut = server.ask("/image/walk_frontleft/img007.png")
    assert cut.status == 422
    assert cut.json["error"].endswith("img007.png: the image is cut short; extract it again")
    assert "no image that can be read" in server.ask("/image/walk_frontleft/img019.png").json["error"]
    (folder / "img019.png").unlink()
    assert "no such image" in server.ask("/image/walk_frontleft/img019.png").json["error"]
    assert server.ask("/api/instant/0").status == 200


def test_a_second_server_is_refused_with_one_line(project, serve):
    first = serve(project)
    with pytest.raises(pytest.fail.Exception, match="is being labelled already") as caught:
        serve(project)
    said = str(caught.value)
    assert f"process {first.process.pid}" in said
    assert sum(line.startswith("pose3d: error") for line in said.splitlines()) == 1
    first.process.kill()
    first.process.wait()
    serve(project)  # what a killed one left is taken over


def test_labels_that_cannot_be_written_stay_in_the_journal(project, serve):
    server = serve(project)
    server.act(do="place", view=0, x=10.0, y=20.0)
    table = project / "labeled-data" / "walk_backleft" / "CollectedData_pose3d.csv"
    table.mkdir()
    answer = server.ask("/api/save", {}).json
    assert "CollectedData_pose3d.csv" in answer["file"]["error"]
    assert answer["file"]["unsaved"] == 1
    server.process.kill()
    server.process.wait()
    table.rmdir()
    again = serve(project)
    assert again.ask("/api/instant/0").json["labels"][0][0][0] == [10.0, 20.0, 1]
    again.end()
    assert table.is_file()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("images", "no frames to label yet; pick some with `pose3d extract"),
        ("skeleton", "[skeleton] names no keypoints"),
        ("calibration", "calibration.toml"),
        ("queue", "no queue of instants"),
        ("config", "pose3d init"),
    ],
)
def test_what_is_missing_is_said_in_one_line(project, spoil, message):
    if spoil == "images":
        for path in project.rglob("*.png"):
            path.unlink()
    elif spoil == "skeleton":
        (project / "pose3d.toml").write_text("")
    elif spoil == "calibration":
        (project / "session1" / "calibration" / "calibration.toml").write_text("hello")
    elif spoil == "queue":
        (project / "labeled-data" / "queue.csv").write_text("hello")
    else:
        (project / "pose3d.toml").unlink()
    with pytest.raises(Pose3DError) as caught:
        load_task(Project.load(project))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_tells_an_error_in_one_line(project, serve):
    (project / "labeled-data" / "pose3d-label.journal").write_text("hello\n")
    with pytest.raises(pytest.fail.Exception, match="no journal of the labelling page") as caught:
        serve(project)
    assert sum(line.startswith("pose3d: error") for line in str(caught.value).splitlines()) == 1
    assert "Traceback" not in str(caught.value)


def test_one_session_alone(project):
    whole = Project.load(project)
    assert len(load_task(whole, session=whole.session(project / "session1")).instants) == 2
    other = project / "session2" / "videos-raw"
    other.mkdir(parents=True)
    (other / "run_frontleft.mp4").touch()
    with pytest.raises(Pose3DError, match="session2: no frames to label yet"):
        load_task(whole, session=whole.session(project / "session2"))


def test_predictions_and_offsets_of_the_session_are_used(project, rig, truth):
    folder = project / "session1" / "pose-2d"
    for c, name in enumerate(rig.names):
        xy = np.full((30, 1, 1, 3, 2), np.nan)
        xy[7, 0, 0] = truth[0, :, c]
        score = np.full((30, 1, 1, 3), 0.8)
        write_dlc(Keypoints2D(xy, score, (name,), ("x",), ("hip_r", "nose", "tail")), folder / f"walk_{name}.h5")
    (project / "session1" / "pose-2d" / "walk_backleft.h5").write_bytes(b"no h5")
    task = load_task(Project.load(project))
    for camera, row in task.instants[0].rows.items():
        guess = task.guess(row)
        if camera == "backleft":
            assert guess is None
            continue
        want = truth[0, :, rig.names.index(camera)]
        assert np.allclose(guess.xy[0, [2, 0]], want[[0, 1]], atol=1e-3)
        assert np.isnan(guess.xy[0, 1]).all()
    assert np.isnan(task.guess(task.instants[1].rows["frontleft"]).xy).all()
    config = project / "pose3d.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[offsets]", "[offsets]\nfrontleft = 12"), encoding="utf-8")
    frames = [(each.frame, sorted(each.rows)) for each in load_task(Project.load(project)).instants]
    others = ["backleft", "backright", "frontright"]
    assert frames == [(-5, ["frontleft"]), (7, ["backleft", "backright", "frontleft", "frontright"]), (19, others)]


def test_another_calibration_can_be_given(project, rig):
    task = load_task(Project.load(project), rig=rig.select(["frontleft", "backleft"]))
    assert LabelEditor(task).calibrated(0) == ("backleft", "frontleft")


def test_labels_that_are_there_are_shown(project, serve):
    labels = load_labels(Project.load(project), unlabelled=True).labels
    xy, mark = labels.xy.copy(), labels.mark.copy()
    xy[0, 0, 0], mark[1, 0, 2] = (33.5, 44.25), Mark.ABSENT
    save_labels(Project.load(project), type(labels)(labels.images, labels.individuals, labels.keypoints, xy, mark))
    server = serve(project)
    project_state = server.ask("/api/project").json
    assert sum(instant["progress"][0] for instant in project_state["instants"]) == 2
    shown = [server.ask(f"/api/instant/{i}").json["labels"][0] for i in range(2)]
    found = [label for instant in shown for view in instant for label in view if label]
    assert sorted(found, key=str) == sorted([[33.5, 44.25, 1], [None, None, 3]], key=str)
