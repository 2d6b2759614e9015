"""Finding a board: CPU time a 1080p frame beside aniposelib's detector, on the same frames, in one run.

Run as ``python tests/benchmarks/detection.py [FRAMES]``. Frames are rendered: a 7x10 ChArUco board at varied distances
and tilts before a cluttered background, and the background alone. aniposelib's detector is that of its
``detect_video``. Absolute times drift with the machine: quote the ratios. CPU time is that of all threads.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np

from pose3d.calibration.detection.corners import corner_finder
from pose3d.data import Board, Camera
from pose3d.demo.board import BoardPainter, inside_image
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, rigid

BOARD = Board("charuco", (7, 10), 60, 45, "4X4_50")
CAMERA = Camera(
    "one", (1920, 1080), [[1400, 0, 960], [0, 1400, 540], [0, 0, 1]], [-0.12, 0.05, 0, 0, 0], [0] * 3, [0] * 3
)
RATIO = 8
ROUNDS = 3
FAR_PX = 1.0

Frame = tuple[np.ndarray, np.ndarray | None]


def background(rng: np.random.Generator) -> np.ndarray:
    """A room of soft shades and hard edges."""
    w, h = CAMERA.size
    image = cv2.resize(rng.integers(30, 220, (27, 48)).astype(np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y, side_x, side_y = rng.integers([0, 0, 10, 10], [w, h, 270, 270]).tolist()
        width = -1 if rng.random() < 0.6 else 2
        cv2.rectangle(image, (x, y), (x + side_x, y + side_y), int(rng.integers(0, 255)), width)
    return cv2.GaussianBlur(image, (0, 0), 1.0)


def render(n: int, *, empty: bool, seed: int = 0) -> list[Frame]:
    """Return frames and the true corners in them, NaN outside the image; None where there is no board."""
    rng = np.random.default_rng([seed, empty])
    painter = BoardPainter(CAMERA, BOARD)
    frames: list[Frame] = []
    for _ in range(n):
        image, truth = background(rng), None
        if not empty:
            axis = rng.normal(size=3) * [1, 1, 0.3]
            tilt = exp_so3(axis / np.linalg.norm(axis) * rng.uniform(0, 1))
            R = tilt @ exp_so3(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
            distance = rng.uniform(900, 2600)
            center = np.array([rng.uniform(-0.45, 0.45), rng.uniform(-0.22, 0.22), 1]) * distance
            pose = rigid(R, center - R @ BOARD.points.mean(0))
            painter.paint(image, pose, light=float(rng.uniform(0.6, 1)))
            points = apply(pose, BOARD.points)
            truth = np.where(inside_image(CAMERA, points)[:, None], CAMERA.project(points), np.nan)
        image = np.clip(image + rng.normal(scale=2, size=image.shape), 0, 255).astype(np.uint8)
        frames.append((image, truth))
    return frames


def run_aniposelib() -> Callable[[np.ndarray], np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's imports
        from aniposelib.boards import CharucoBoard
    board = CharucoBoard(7, 10, 60, 45, marker_bits=4, dict_size=50)

    def find(image: np.ndarray) -> np.ndarray:
        return np.asarray(board.fill_points(*board.detect_image(image))).reshape(-1, 2)

    return find


def run_opencv() -> Callable[[np.ndarray], np.ndarray]:
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    detector = cv2.aruco.CharucoDetector(cv2.aruco.CharucoBoard(BOARD.squares, 60, 45, dictionary))

    def find(image: np.ndarray) -> np.ndarray:
        out = np.full((BOARD.n_corners, 2), np.nan)
        corners, ids, _, _ = detector.detectBoard(image)
        if ids is not None:
            out[ids.ravel()] = corners.reshape(-1, 2)
        return out

    return find


def cpu_ms(find: Callable[[np.ndarray], np.ndarray], frames: list[Frame]) -> tuple[float, list[np.ndarray]]:
    """Return the median over the rounds of the mean time of a frame, and what was found."""
    find(frames[0][0])
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        found = [find(image) for image, _ in frames]
        times.append((time.process_time() - start) / len(frames) * 1e3)
    return statistics.median(times), found


def main(n: int) -> int:
    shown, empty = render(n, empty=False), render(max(n // 4, 1), empty=True)
    methods = {
        "pose3d": corner_finder(BOARD),
        "OpenCV's defaults": run_opencv(),
        "aniposelib": run_aniposelib(),
    }
    truth = np.array([corners for _, corners in shown])
    print(f"{n} frames of 1920x1080 with a board, {len(empty)} without; {np.isfinite(truth[..., 0]).sum()} corners")
    print(f"{'':18} {'board ms':>9} {'empty ms':>9} {'corners':>8} {'rms px':>8} {'median px':>10} {'> 1 px':>7}")
    results = {}
    for name, find in methods.items():
        with_board, found = cpu_ms(find, shown)
        without, _ = cpu_ms(find, empty)
        error = np.linalg.norm(np.array(found) - truth, axis=-1)
        error = error[np.isfinite(error)]
        near = error[error < FAR_PX]
        results[name] = (with_board, without, len(error))
        print(
            f"{name:18} {with_board:9.1f} {without:9.1f} {len(error):8d} {np.sqrt((near**2).mean()):8.4f} "
            f"{np.median(error):10.4f} {len(error) - len(near):7d}"
        )
    ours, theirs = results["pose3d"], results["aniposelib"]
    ratios = theirs[0] / ours[0], theirs[1] / ours[1]
    print(f"aniposelib / pose3d: {ratios[0]:.1f} with a board, {ratios[1]:.1f} without; aim {RATIO}")
    return int(min(ratios) < RATIO or ours[2] < theirs[2])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
