"""The player in a notebook's cell, and as one file."""

import functools
import http.server
import re
import threading

import pytest

import pose3d
from pose3d.viewer.web.packing import SecondRecording
from pose3d.viewer.web.standalone import make_document, write_document


def test_one_file_plays_without_a_server(recording, tmp_path, show):
    path = tmp_path / "walk.html"
    write_document(recording, path, second=SecondRecording(recording))
    text = path.read_text(encoding="utf-8")
    assert "<b>with</b>" not in text  # names and notes are text, not markup
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    page = show(path.as_uri())
    page.page.keyboard.press("End")
    page.settle()
    row = recording.n_frames - 1
    assert page.value("pose3dPlayer.clock.row") == row
    assert page.value(f"pose3dPlayer.plots.value({row}, 1)") == pytest.approx(recording.angles.deg[row, 0, 1], abs=1e-4)
    assert len(page.value("pose3dPlayer.stage.joints")) == 17
    assert page.value("document.querySelectorAll('video').length") == 0
    assert page.value("pose3dPlayer.stage.shown.second") == "over"
    assert "videos are no part" in page.page.locator("#help").text_content()


def test_a_long_recording_is_cut_to_fit_and_says_so(recording):
    small = make_document(recording, most_bytes=300_000)
    assert "only the first 256 of 300 frames" in small or "left out, to keep" in small
    tiny = make_document(recording, most_bytes=10_000)
    assert "only the first 256 of 300 frames" in tiny
    assert len(tiny) < len(small) or tiny == small


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def in_frame(page, expression):
    """What an expression is in the page's first frame, when the player is there."""
    for _ in range(200):
        if len(page.frames) > 1 and page.frames[1].evaluate("() => Boolean(window.pose3dPlayer)"):
            return page.frames[1].evaluate(f"() => {expression}")
        page.wait_for_timeout(25)
    return pytest.fail("the frame shows no player")


def test_the_cell_of_a_script(recording, monkeypatch, tmp_path, browser):
    for name in ("JUPYTERHUB_API_URL", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "CODESPACES", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    cell = pose3d.play(recording, height=500)
    assert cell.url.startswith("http://127.0.0.1:")
    assert f'src="{cell.url}"' in cell._repr_html_()
    assert "height:500px" in cell._repr_html_()
    # Jupyter frames the page from another port of this machine.
    (tmp_path / "lab.html").write_text(f"<!doctype html><meta charset=utf-8>{cell._repr_html_()}", encoding="utf-8")
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as lab:
        threading.Thread(target=lab.serve_forever, daemon=True).start()
        outside = browser.new_page()
        outside.goto(f"http://localhost:{lab.server_address[1]}/lab.html")
        assert in_frame(outside, "pose3dPlayer.stage.joints.length") == 17
        outside.close()
        lab.shutdown()
    cell.close()
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    far = pose3d.play(recording.points, rig=recording.rig)
    assert far.url is None
    assert 'sandbox="allow-scripts" srcdoc="' in far._repr_html_()


@pytest.mark.slow
def test_a_notebook_shows_the_player(recording, tmp_path, show, browser):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    from pose3d.io.anipose_csv import write_pose3d

    path = tmp_path / "walk.csv"
    write_pose3d(recording.points, path)
    cells = [
        f"import pose3d\ncell = pose3d.play({str(path)!r}, served=True)\ncell",
        "import urllib.request\nprint(urllib.request.urlopen(cell.url).status, cell.playback.n_frames)",
        f"pose3d.play({str(path)!r}, served=False)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    with client.setup_kernel():
        for i, cell in enumerate(notebook.cells):
            client.execute_cell(cell, i)
        html = notebook.cells[0].outputs[0]["data"]["text/html"]
        url = re.search(r'src="(http://127\.0\.0\.1:\d+/[^"]+)"', html)[1]
        assert notebook.cells[1].outputs[0]["text"].split() == ["200", "300"]
        # What the browser shows in the frame, while the kernel runs.
        page = show(url)
        page.page.keyboard.press("ArrowRight")
        page.settle()
        assert page.value("pose3dPlayer.clock.row") == 1
        page.expect("#frame").to_have_text("frame 8 / 306")
    host = tmp_path / "cell.html"
    host.write_text(
        f"<!doctype html><meta charset=utf-8>{notebook.cells[2].outputs[0]['data']['text/html']}", encoding="utf-8"
    )
    outside = browser.new_page()
    fetched = []
    outside.on("request", lambda request: fetched.append(request.url))
    outside.goto(host.as_uri())
    assert in_frame(outside, "pose3dPlayer.stage.joints.length") == 17
    outside.close()
    assert [url for url in fetched if not url.startswith(("file:", "about:", "data:", "blob:"))] == []
