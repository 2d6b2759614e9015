"""What a video costs from file to h5, beside what its decoding and the network alone cost, in one run.

Run as ``python tests/benchmarks/analysis.py [MODEL [VIDEO]]``. Without them the default network with random weights is
exported, and a 640x480 clip is drawn. CPU time of all threads; parts take turns and the fastest round counts, so quote
the ratio: absolute times drift with the machine. The aim: everything costs at most 2.5 times the network and the
decoding together, and memory does not grow with the length of the video.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from pose3d.io.scaled_frames import scaled_frames
from pose3d.io.video import VideoFile, write_video
from pose3d.network.analysis import AnalysisSettings, analyze_video
from pose3d.network.export import export_litert
from pose3d.network.litert import LiteRTNetwork
from pose3d.network.model_folder import ModelFolder, NetworkFile, read_model, write_model
from pose3d.network.padding import pad_image
from pose3d.network.prediction import Predictor
from pose3d.network.spec import NetworkSpec
from pose3d.network.subject_window import CropSettings

SIZE = (640, 480)
N_FRAMES = 300
ROUNDS = 3
AIM = 2.5

# Not ru_maxrss, which a process has from the one that started it.
MEMORY = """
import re, sys
from pathlib import Path
from pose3d.network.analysis import AnalysisSettings, analyze_video
analyze_video(*sys.argv[1:], settings=AnalysisSettings(chunk_frames=120))
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def drawn_frames(n: int) -> Iterator[np.ndarray]:
    """Draw something that moves over something that does not, with a camera's noise."""
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(40, 200, (15, 20, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 3, (480 + 16, 640 + 16, 3))
    for i in range(n):
        image = room.copy()
        centre = (int(320 + 200 * np.sin(i / 40)), int(240 + 100 * np.cos(i / 33)))
        cv2.ellipse(image, centre, (60, 30), i % 360, 0, 360, (30, 60, 220), -1, cv2.LINE_AA)
        cv2.circle(image, (centre[0] + 50, centre[1] - 20), 18, (200, 200, 40), -1, cv2.LINE_AA)
        x, y = rng.integers(0, 16, 2)
        yield np.clip(image + noise[y : y + 480, x : x + 640], 0, 255).astype(np.uint8)


def fresh_model(folder: Path, video: Path) -> Path:
    from pose3d.network.model import build_model, save_weights

    spec = NetworkSpec(tuple(f"keypoint {i}" for i in range(17)), scale=0.5, stride=4)
    place = ModelFolder(folder)
    folder.mkdir()
    save_weights(build_model(spec), place.weights)
    frames = scaled_frames(VideoFile(video), (320, 240), indices=range(0, N_FRAMES, 10))
    export_litert(spec, place, [image for _, image in frames])
    write_model(NetworkFile(spec, "int8"), folder)
    return folder


def cost_ms(work: Callable[[], object], n_frames: int) -> float:
    began = time.process_time()
    work()
    return 1e3 * (time.process_time() - began) / n_frames


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        video = Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "clip.mp4"
        if len(sys.argv) <= 2:
            write_video(video, drawn_frames(N_FRAMES), fps=50, crf=20)
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else fresh_model(folder / "model", video)
        return measure(video, model, folder)


def measure(video: Path, model: Path, folder: Path) -> int:
    source = VideoFile(video)
    file, place = read_model(model)
    predictor = Predictor.open(model)
    network = LiteRTNetwork(place.int8 if file.precision == "int8" else place.fp32)
    size = predictor.scaled_size(source.size)
    n = min(source.n_frames, N_FRAMES)
    few = [image for _, image in scaled_frames(source, size, indices=range(0, n, max(1, n // 40)))]
    padded = [pad_image(image, multiple=file.spec.multiple) for image in few]
    output = folder / "out.h5"

    def whole(settings: AnalysisSettings) -> Callable[[], object]:
        def work() -> None:
            output.unlink(missing_ok=True)
            analyze_video(video, model, output, settings=settings)

        return work

    parts: dict[str, tuple[Callable[[], object], int]] = {
        "decoding alone": (lambda: sum(1 for _ in source.pictures(range(source.n_frames), id)), source.n_frames),
        "decoding, scaled": (lambda: sum(1 for _ in scaled_frames(source, size)), source.n_frames),
        "network alone": (lambda: [network.run(image) for image in padded], len(padded)),
        "network and peaks": (lambda: predictor.predict(few), len(few)),
        "everything": (whole(AnalysisSettings()), source.n_frames),
        "everything, 5 peaks": (whole(AnalysisSettings(n_peaks=5)), source.n_frames),
        "everything, cropped": (whole(AnalysisSettings(crop=CropSettings())), source.n_frames),
    }
    cost = dict.fromkeys(parts, np.inf)
    for _ in range(ROUNDS):
        for name, (work, n_frames) in parts.items():
            cost[name] = min(cost[name], cost_ms(work, n_frames))
    print(f"{source!r}, network {size[0]}x{size[1]}, {file.precision}, {file.spec.backbone}; CPU ms a frame")
    for name, milliseconds in cost.items():
        print(f"  {name:<22} {milliseconds:7.2f}")
    ratio = cost["everything"] / (cost["network alone"] + cost["decoding alone"])
    print(f"everything / (network + decoding): {ratio:.2f}, aim {AIM}")
    if not Path("/proc/self/status").exists():
        return int(ratio > AIM)
    short, long = memory_mb(video, model, folder)
    print(f"most memory: {short:.1f} MB for {source.n_frames} frames, {long:.1f} MB for {4 * source.n_frames}")
    return int(ratio > AIM or long > short + 10)


def memory_mb(video: Path, model: Path, folder: Path) -> list[float]:
    source = VideoFile(video)
    longer = folder / "longer.mp4"
    write_video(longer, (image for _ in range(4) for _, image in source.frames()), fps=50, crf=20)
    peaks = []
    for path in (video, longer):
        command = [sys.executable, "-c", MEMORY, str(path), str(model), str(folder / f"{path.stem}-memory.h5")]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024)
    return peaks


if __name__ == "__main__":
    sys.exit(main())
