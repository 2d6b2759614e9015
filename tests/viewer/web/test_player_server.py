"""The player's server: nothing but the recording's own files, to who has the address."""

import http.client
import json
import struct
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest

from pose3d.viewer.web.packing import CHUNK_ROWS, PackedPlayback, norm_of
from pose3d.viewer.web.server import PlayerApp, static_files


def ask(url, path, *, token=None, method="GET", **headers):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    prefix = parts.path.rstrip("/") if token is None else f"/{token}"
    connection.request(
        method, prefix + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return SimpleNamespace(status=answer.status, headers=answer.headers, content=content)


def test_without_token_or_with_another_host_there_is_nothing(page_url):
    assert ask(page_url, "/").status == 200
    for token in ("", "x", page_url.rstrip("/").split("/")[-1][:-1]):
        for path in ("/", "/api/recording", "/video/0", "/static/main.js", "/data/chunk/0"):
            assert ask(page_url, path, token=token).status == 403
    assert b"pose3d play --web" in ask(page_url, "/", token="x").content
    for host in ("evil.example", "127.0.0.1.evil.example:80", "[::2]:1"):
        assert ask(page_url, "/", Host=host).status == 400
    assert ask(page_url, "/", Host="localhost:1234").status == 200


def test_only_the_recordings_own_files_are_served(page_url, recording):
    (recording.videos[recording.cameras[0]].parent / "secret.txt").write_text("secret")
    for path in (
        "/video/../secret.txt",
        "/video/%2e%2e%2fsecret.txt",
        "/static/..%2fserver.py",
        "/static/server.py",
        "/video/3",
    ):
        assert ask(page_url, path).status == 404
    for path in ("/video/99", "/frame/99/0", "/data/chunk/99", "/data/rows/3", "/secret.txt", "/api", "/docs"):
        assert ask(page_url, path).status == 404
    assert ask(page_url, "/frame/0/99999").status == 422
    for method in ("POST", "PUT", "DELETE"):
        assert ask(page_url, "/api/recording", method=method).status == 405


def test_answers_forbid_everything_from_elsewhere(page_url, recording):
    for path in ("/", "/static/main.js", "/api/recording", "/video/0", "/data/chunk/0"):
        headers = ask(page_url, path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["media-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    framed = PlayerApp(recording, framed=True).app.user_middleware[0].args[2]["Content-Security-Policy"]
    assert "frame-ancestors http://127.0.0.1:* http://localhost:*" in framed
    for name, (content, _) in static_files().items():  # nothing in the page names another place
        text = content.decode("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, name
        assert "https://" not in text, name


def test_videos_answer_ranges(page_url, recording):
    data = recording.videos[recording.cameras[0]].read_bytes()
    answer = ask(page_url, "/video/0", Range="bytes=100-199")
    assert (answer.status, answer.content) == (206, data[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(data)}"
    assert ask(page_url, "/video/0").content == data
    assert ask(page_url, "/video/2").status == 404  # no browser plays it: it comes as pictures
    assert ask(page_url, "/frame/2/5").content[:2] == b"\xff\xd8"
    clip = json.loads(ask(page_url, "/api/video/1").content)
    assert (clip["n_frames"], clip["size"], clip["plays"]) == (280, [320, 240], True)
    assert np.allclose(np.diff(clip["times_s"]), 1 / 29.97, atol=2e-3)
    rows = np.frombuffer(ask(page_url, "/data/rows/1").content, "<i4")
    assert np.array_equal(rows, recording.video_frames(recording.cameras[1]))


def test_a_damaged_video_is_said_in_words(recording, tmp_path):
    from dataclasses import replace

    from pose3d.viewer.web.server import BackgroundPage

    path = tmp_path / "bad.mp4"
    path.write_bytes(b"no video")
    page = BackgroundPage(replace(recording, videos={recording.cameras[0]: path}))
    answer = ask(page.url, "/api/video/0")
    page.close()
    assert answer.status == 422
    assert "bad.mp4" in json.loads(answer.content)["error"]
    with pytest.raises(ConnectionError):
        ask(page.url, "/")


def test_blocks_hold_the_playback(recording):
    packed = PackedPlayback(recording)
    rows = np.concatenate(
        [np.frombuffer(packed.chunk(i), "<f4").reshape(-1, packed.row_floats) for i in range(packed.n_chunks)]
    )
    assert len(rows) == recording.n_frames
    assert len(packed.chunk(0)) == 4 * CHUNK_ROWS * packed.row_floats
    found, at = {}, 0
    for name, shape in packed.fields.items():
        size = int(np.prod(shape))
        found[name] = rows[:, at : at + size].reshape(-1, *shape)
        at += size
    assert at == packed.row_floats
    close = {"rtol": 1e-5, "atol": 1e-3, "equal_nan": True}
    assert np.allclose(found["xyz"], recording.points.xyz, **close)
    assert np.array_equal(found["status"], recording.points.status)
    assert np.allclose(
        found["covariance"][..., [0, 3, 5]], np.diagonal(recording.points.covariance, axis1=-2, axis2=-1), **close
    )
    assert np.allclose(found["detected"], recording.views.xy, **close)
    assert np.allclose(found["residual"], recording.residual_px, **close)
    assert np.allclose(found["low"], recording.angles.low_deg, **close)
    for c, camera in enumerate(recording.cameras):
        assert np.allclose(found["reprojected"][33, c], recording.reprojected(camera, 33), **close)
    json.dumps(packed.description, allow_nan=False)
    heat, missing, filled = np.frombuffer(packed.strip(), np.uint8).reshape(3, -1)
    assert heat[200] > 200 > heat[10]
    assert (missing[40:50] > 0).all()
    assert (filled[100:110] > 0).all()
    assert not missing[:40].any()
    assert struct.unpack("<f", packed.plots()[:4])[0] == pytest.approx(recording.angles.deg[0, 0, 0])


def test_norms_belong_to_angles_of_either_side():
    bands = {"knee_flexion": 0, "foot_progression": 0}
    assert norm_of("knee_flexion_l", bands) == norm_of("knee_flexion_r", bands) == norm_of("knee_flexion", bands)
    assert norm_of("hip_flexion_l", bands) is None
