"""The real window on a real display: keys, clicks, videos to the frame, and what is seen."""

from pathlib import Path

import numpy as np


def test_every_pane_shows_the_frame_of_its_row(run_player, session_on_disk: Path) -> None:
    told = run_player(
        """
        import dataclasses
        window = opened(sys.argv[1])
        key(window, K.Key_D)  # without keypoints over the numbers
        names = list(window.panes)
        wanted, shown, mixed = [], [], []
        def look():
            settle(window)
            for name in names:
                pane = window.panes[name]
                if not pane.message:
                    wanted.append(int(window.playback.video_frames(name)[window.row]))
                    shown.append(number_in(pane))
        rng = np.random.default_rng(0)
        for row in [0, 149, 75, 76, 74, *rng.integers(0, 150, 8).tolist()]:
            window.seek(row)
            look()
        for which in (K.Key_Right, K.Key_Right, K.Key_Left, K.Key_Left, K.Key_Left, K.Key_Home, K.Key_End):
            key(window, which)
            look()
        messages = {name: window.panes[name].message for name in names}
        rows = []
        for speed in (0.25, 1.0, 8.0):
            window.seek(0)
            window.transport.speed = speed
            key(window, K.Key_Space)
            limit = time.monotonic() + 1.0
            while time.monotonic() < limit:
                QTest.qWait(30)
                rows.append(window.row)
                for pane in window.panes.values():
                    if not pane.message and pane.shown is not None and pane.drawn_row is not None:
                        mixed.append([number_in(pane), pane.shown.frame,
                                      int(window.playback.video_frames(pane.camera)[pane.drawn_row])])
            if window.transport.playing:
                key(window, K.Key_Space)
            look()
        window.seek(0)
        settle(window)
        early = [pane for pane in window.panes.values() if not pane.message and pane.wanted > 0]
        for pane in early:  # the video's first keyframe comes first, and is of no row
            pane._take(dataclasses.replace(pane.shown, frame=0))
        before = [[pane.drawn_row, bool(np.isnan(pane.error_px()))] for pane in early]
        tell(wanted=wanted, shown=shown, mixed=mixed, messages=messages, remarks=window.remarks, rows=rows,
             before=before)
        window.close()
        """,
        session_on_disk,
    )
    assert told["shown"] == told["wanted"]
    assert len(told["shown"]) > 50
    mixed = np.array(told["mixed"])
    assert len(mixed) > 20
    np.testing.assert_array_equal(mixed[:, 0], mixed[:, 1])
    np.testing.assert_array_equal(mixed[:, 0], mixed[:, 2])  # keypoints are drawn over the frame that they belong to
    assert told["before"]
    assert told["before"] == [[None, True]] * len(told["before"])
    assert max(told["rows"]) > 100
    (short,) = [text for text in told["messages"].values() if text]
    assert short == "no picture at this time"
    assert any("no picture for 60 of 150 frames" in line for line in told["remarks"])


def test_keys_and_clicks_do_what_they_say(run_player, session_on_disk: Path) -> None:
    told = run_player(
        """
        window = opened(sys.argv[1])
        seen = {}
        def press(name, which, modifiers=M.NoModifier):
            key(window, which, modifiers)
            seen[name] = window.row
        press("right", K.Key_Right)
        press("second on", K.Key_Right, M.ShiftModifier)
        press("end", K.Key_End)
        press("home", K.Key_Home)
        press("event", K.Key_E)
        press("event back", K.Key_E, M.ShiftModifier)
        line = window.timeline
        QTest.mouseClick(line, Qt.MouseButton.LeftButton, pos=QPoint(round(line.x_of(90)), 24))
        seen["strip"] = window.row
        QTest.mousePress(line, Qt.MouseButton.LeftButton, M.ShiftModifier, QPoint(round(line.x_of(20)), 24))
        QTest.mouseMove(line, QPoint(round(line.x_of(40)), 24))
        QTest.mouseRelease(line, Qt.MouseButton.LeftButton, M.ShiftModifier, QPoint(round(line.x_of(40)), 24))
        seen["selection"] = window.selection
        key(window, K.Key_L)
        seen["loop"] = window.transport.loop
        key(window, K.Key_Space)
        played = set()
        limit = time.monotonic() + 1.2
        while time.monotonic() < limit:
            QTest.qWait(10)
            played.add(window.row)
        key(window, K.Key_Space)
        seen["played"] = sorted(played - {90})
        key(window, K.Key_Escape)
        seen["no selection"] = window.selection
        key(window, K.Key_BracketLeft)
        key(window, K.Key_BracketLeft)
        seen["speed"] = window.transport.speed
        key(window, K.Key_2)
        seen["large"] = window.grid.large
        sizes = [pane.width() for pane in window.panes.values()]
        key(window, K.Key_0)
        seen["small again"] = window.grid.large
        key(window, K.Key_F2)
        seen["trails"] = window.view.settings.trails
        key(window, K.Key_T)
        seen["view"] = window.view.view
        view, aims = window.view, []
        view.set_follows(True)
        for row in (10, 75, 140):  # framed wherever the subject is, the view aims at it in the same way
            window.seek(row)
            key(window, K.Key_V)
            aims.append(view.camera.target - window.playback.path_of_subject[row])
        seen["aims apart"] = float(np.ptp(aims, axis=0).max())
        key(window, K.Key_T)
        before = window.view.camera.azimuth_deg
        QTest.mousePress(window.view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
        QTest.mouseMove(window.view, QPoint(260, 200))
        QTest.mouseRelease(window.view, Qt.MouseButton.LeftButton, pos=QPoint(260, 200))
        seen["turned"] = window.view.camera.azimuth_deg - before
        key(window, K.Key_C)
        seen["through"] = window.view.through
        key(window, K.Key_X)
        seen["side"] = window.traces.side
        key(window, K.Key_Question, M.ShiftModifier)
        seen["help"] = window.help.isVisible()
        QTest.keyClick(window.help, K.Key_Escape)
        seen["help closed"] = not window.help.isVisible()
        keys = [key for action in window.table for key in action.keys]
        tips = [window.actions_by_name[a.name].toolTip() for a in window.table]
        tell(**seen, sizes=sizes, names=list(window.panes), keyless=[a.name for a in window.table if not a.keys],
             twice=len(keys) - len(set(keys)), tipless=[tip for tip in tips if "(" not in tip])
        window.close()
        """,
        session_on_disk,
    )
    expected = {"right": 1, "second on": 51, "end": 149, "home": 0, "event": 25, "event back": 25, "strip": 90}
    assert {name: told[name] for name in expected} == expected
    assert told["selection"] == told["loop"]
    assert abs(told["selection"][0] - 20) <= 1
    assert abs(told["selection"][1] - 40) <= 1
    assert set(told["played"]) <= set(range(told["selection"][0], told["selection"][1] + 1))
    assert len(told["played"]) > 5
    assert told["no selection"] is None
    assert told["speed"] == 0.25
    assert told["large"] == told["names"][1]
    assert told["sizes"][1] > 1.5 * told["sizes"][0]
    assert told["small again"] is None
    assert told["trails"] is False
    assert told["view"] == "top"
    assert abs(abs(told["turned"]) - 60 * 0.35) < 2
    assert told["aims apart"] < 1.0, "mm"
    assert told["through"] == told["names"][0]
    assert told["side"] == 2
    assert told["help"]
    assert told["help closed"]
    assert not told["keyless"], "every control has a key"
    assert not told["tipless"], "every tooltip tells the key"
    assert told["twice"] == 0


def test_the_picture_on_the_screen_has_what_it_should(run_player, session_on_disk: Path) -> None:
    told = run_player(
        """
        window = opened(sys.argv[1])
        window.seek(60)
        settle(window)
        QTest.qWait(200)
        picture = screen(window).astype(int)
        view, points, sides = window.view, window.playback.points, window.playback.sides
        corner = view.mapTo(window, QPoint(0, 0))
        colours = []
        for k in range(len(points.keypoints)):
            x, y = view.place_of(0, k)
            x, y = round(x) + corner.x(), round(y) + corner.y()
            colours.append([int(sides[k]), *picture[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0).tolist()])
        line = window.timeline
        at = line.mapTo(window, QPoint(round(line.x_of(60)), 30))
        cursor = picture[at.y(), at.x() - 1 : at.x() + 2].max(0).tolist()
        pane = next(iter(window.panes.values()))
        at = pane.mapTo(window, QPoint(0, 0))
        chip = picture[at.y() + 6 : at.y() + 28, at.x() + 6 : at.x() + 200].reshape(-1, 3)
        error = pane.error_px()
        key(window, K.Key_C)
        QTest.qWait(300)
        wait(lambda: window.view.scene is not None)
        through = window.view.through
        pane = window.panes[through]
        scale, left, top = fit(pane.video_size, window.view.pixels)
        flat = window.playback.reprojected(through, 60)[0]
        view_places = np.array([window.view.place_of(0, k) for k in range(len(flat))])
        over_video = (flat + 0.5) * scale + [left, top]
        known = np.isfinite(over_video).all(1)
        tell(colours=colours, cursor=cursor, error=error, size=[window.width(), window.height()],
             dark=float(np.median(picture)), chip=chip.tolist()[::7], known=int(known.sum()),
             away=float(np.abs(view_places - over_video)[known].max()))
        window.close()
        """,
        session_on_disk,
    )
    colours = np.array(told["colours"])
    left, right, middle = (colours[colours[:, 0] == side, 1:] for side in (1, 2, 0))
    blue = left[:, 2] > left[:, 0] + 60
    orange = right[:, 0] > right[:, 2] + 60
    white = (middle.min(1) > 120) & (np.ptp(middle, axis=1) < 60)
    assert blue.mean() > 0.6  # others are behind the body
    assert orange.mean() > 0.6
    assert white.mean() > 0.5
    assert min(told["cursor"]) > 180
    assert abs(told["error"] - 5.0) < 0.6
    assert told["size"] == [1400, 860]
    assert told["dark"] < 60
    chip = np.array(told["chip"])
    assert (chip.min(1) > 200).any(), "the camera's name is white"
    assert told["known"] > 10
    assert told["away"] < 1.0, "through a camera the 3D view lies over its video"


def test_bad_input_is_said_in_the_window(run_player, tmp_path: Path, walking) -> None:
    from pose3d.data import Keypoints3D
    from pose3d.io.anipose_csv import write_pose3d

    one = Keypoints3D.from_points(walking.xyz[:, :, :1], ("thing",), ("x",), fps=50.0)
    nothing = Keypoints3D.from_points(np.full((40, 1, 3, 3), np.nan), ("a", "b", "c"), ("x",), fps=50.0)
    write_pose3d(one, tmp_path / "one.csv")
    write_pose3d(nothing, tmp_path / "nothing.csv")
    (tmp_path / "broken.mp4").write_bytes(b"not a video" * 50)
    told = run_player(
        """
        folder = Path(sys.argv[1])
        results = {}
        for name in ("one", "nothing"):
            window = opened(folder / f"{name}.csv", videos={"left": folder / "broken.mp4"})
            wait(lambda: "broken" in window.panes["left"].message)
            for which in (K.Key_Space, K.Key_Right, K.Key_N, K.Key_C, K.Key_F3, K.Key_F7, K.Key_F10, K.Key_A, K.Key_T,
                          K.Key_X, K.Key_E, K.Key_B, K.Key_Delete, K.Key_Z, K.Key_Q, K.Key_M):
                key(window, which)
                QTest.qWait(20)
            key(window, K.Key_Z, M.ControlModifier)
            results[name] = [window.panes["left"].message, window.view.n_drawn, window.isVisible(), window.remarks]
            window.close()
        tell(**results)
        """,
        tmp_path,
    )
    for message, drawn, visible, _ in told.values():
        assert "broken.mp4" in message
        assert drawn > 1
        assert visible
    assert any("no point" in line for line in told["nothing"][3])


def test_without_opengl_the_window_says_so(run_player, session_on_disk: Path) -> None:
    told = run_player(
        """
        playback, _ = load_recording(sys.argv[1])
        window = open_window(playback)
        wait(lambda: window.message.text() != "", 20)
        QTest.qWait(100)
        key(window, K.Key_Right)
        tell(message=window.message.text(), row=window.row, visible=window.isVisible())
        window.close()
        """,
        session_on_disk,
        QT_XCB_GL_INTEGRATION="none",
    )
    assert "no OpenGL" in told["message"]
    assert "--web" in told["message"]
    assert told["visible"]


def test_norms_several_individuals_and_a_second_recording(run_player, session_on_disk: Path, tmp_path: Path) -> None:
    norms = tmp_path / "norms.csv"
    rows = "".join(f"knee_flexion,{percent},20,5\n" for percent in range(0, 101, 2))
    norms.write_text(f"variable,percent,mean,sd\n{rows}", encoding="utf-8")
    told = run_player(
        """
        from dataclasses import replace
        from pose3d.data import Keypoints3D
        single, _ = load_recording(sys.argv[1], norms=sys.argv[2], videos={}, rig=None)
        alone = replace(single, videos={}, rig=None, raw=None, samples=None, angles=None)
        points, angles = single.points, single.angles
        xyz = np.concatenate([points.xyz, points.xyz + 900 * single.ground.axes[1]], axis=1)
        both = Keypoints3D.from_points(xyz, points.keypoints, ("anna", "ben"), fps=points.fps)
        deg = np.concatenate([angles.deg, angles.deg + 60], axis=1)
        angles = replace(angles, deg=deg, individuals=both.individuals, sd_deg=None, low_deg=None, high_deg=None)
        window = open_window(replace(alone, points=both, angles=angles), second=alone, second_shift_mm=-900)
        assert QTest.qWaitForWindowActive(window, 10000)
        wait(lambda: window.view.n_drawn > 0)
        window.show_parts(trails=False)
        window.seek(60)
        QTest.qWait(300)
        picture, corner = screen(window).astype(int), window.view.mapTo(window, QPoint(0, 0))

        def colours(xyz):
            at, _ = window.view.camera.project(xyz, window.view.pixels)
            x, y = np.round(at / window.devicePixelRatioF()).astype(int).T
            return picture[y + corner.y(), x + corner.x()].tolist()

        who = {name: colours(xyz[60, i]) for i, name in enumerate(both.individuals)}
        who["second"] = colours(points.xyz[60, 0] - 900 * alone.ground.axes[1])
        traces = window.traces

        def cycle(percent, deg):
            "The colour in the plot of cycles."
            plot, place = traces._cycles(), traces._cycle_place()
            inner = plot._inner(place)
            y = inner.bottom() - (deg - plot.low) / (plot.high - plot.low) * inner.height()
            drawn = pixels(traces)[round(y), round(inner.left() + percent / 100 * inner.width())]
            return drawn.astype(int).tolist()

        band = {deg: cycle(25, deg) for deg in (10, 20, 32)}
        before = traces._cycles().cycles.deg
        key(window, K.Key_W)
        after = traces._cycles().cycles.deg
        tell(who=who, sides=window.playback.sides.tolist(), band=band, message=window.message.text(),
             moved=float(np.abs(after - before - 60).max()), cycles=len(before), remarks=window.remarks)
        window.close()
        """,
        session_on_disk,
        norms,
    )
    sides = np.array(told["sides"])
    for name in ("anna", "ben"):
        left, right = (np.array(told["who"][name])[sides == side] for side in (1, 2))
        assert (left[:, 2] > left[:, 0] + 50).mean() > 0.5, name
        assert (right[:, 0] > right[:, 2] + 50).mean() > 0.5, name
    second = np.array(told["who"]["second"])
    violet = (second[:, 2] > second[:, 0] + 10) & (second[:, 0] > second[:, 1]) & (second[:, 2] > 120)
    assert violet.mean() > 0.7
    inside, outside = np.array(told["band"]["20"]), np.array([told["band"][deg] for deg in ("10", "32")])
    assert (inside > outside + 20).all(), "the norm's band is grey, and 10 degrees wide"
    assert np.ptp(inside) < 25
    assert told["cycles"] == 2
    assert told["moved"] < 1e-9, "the plots show the other individual"
    assert told["message"] == "plots: ben"
