"""Faults in a person's words: cameras, keypoints and frames by their names and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.quality.elimination import Problem
from pose3d.reconstruction.quality.exchanges import Exchange
from pose3d.reconstruction.quality.findings import QualityFinding, listed
from pose3d.reconstruction.quality.gaps import Silence
from pose3d.reconstruction.quality.hypotheses import Explanation
from pose3d.reconstruction.quality.outlying import Outlying

__all__ = ["Recording"]

_LABELS = "look at its labels there"


@dataclass(frozen=True)
class Recording:
    """The names and numbers of a recording, which turn a fault into a finding.

    Attributes
    ----------
    cameras, keypoints : tuple of str
    frames : (n_rows,) int array
        Frames of the sample, from 0.
    n_frames, start : int
    """

    cameras: tuple[str, ...]
    keypoints: tuple[str, ...]
    frames: IntArray
    n_frames: int
    start: int

    def _span(self, first: int, stop: int) -> tuple[int, int]:
        """Return first and last frame of rows of the sample."""
        begin = 0 if first <= 0 else int(self.frames[first])
        end = self.n_frames if stop >= len(self.frames) else int(self.frames[stop])
        return begin + self.start, end - 1 + self.start

    def _when(self, span: tuple[int, int]) -> str:
        first, last = span[0] > self.start, span[1] < self.start + self.n_frames - 1
        if first and last:
            return f" from frame {span[0]} to {span[1]}"
        return f" from frame {span[0]} on" if first else f" up to frame {span[1]}" if last else ""

    def silent(self, silence: Silence, block_frames: int) -> QualityFinding:
        """Say that a camera sees nothing."""
        name = self.cameras[silence.camera]
        first = silence.first * block_frames + self.start
        last = min(silence.stop * block_frames, self.n_frames) - 1 + self.start
        share = (last - first + 1) / max(self.n_frames, 1)
        return QualityFinding(
            "silent",
            (name,),
            (),
            first,
            last,
            share,
            "share",
            f"camera {name} has no detections{self._when((first, last))}, where others have",
            "look whether its video ends or its file is cut short there, or the subject left its view",
        )

    def copy(self, a: int, b: int) -> QualityFinding:
        """Say that two cameras have the same detections."""
        names = (self.cameras[a], self.cameras[b])
        return QualityFinding(
            "copy",
            names,
            (),
            self.start,
            self.start + self.n_frames - 1,
            1.0,
            "share",
            f"cameras {names[0]} and {names[1]} have the same detections",
            "one file was given twice, or copied under another camera's name; give each camera its own",
        )

    def explained(self, fault: Explanation, rivals: Sequence[int], problem: Problem) -> QualityFinding:
        """Say that a camera is late, has moved or does not fit its calibration."""
        names = tuple(self.cameras[c] for c in (fault.camera, *rivals))
        span = self._span(fault.first, fault.stop)
        if fault.kind == "late":
            return self._late(fault, names, span)
        whole = fault.first == 0 and fault.stop == problem.n_rows
        degrees = np.degrees(fault.size_px / problem.cameras[fault.camera].focal)
        much = f"by about {fault.size_px:.1f} px, as much as a turn of {degrees:.2f} degrees"
        who = f"camera {names[0]}" if len(names) == 1 else f"one of the cameras {listed(names, word='or')}"
        if whole:
            sentence = f"{who} does not fit its calibration: its image is off {much}, all along"
            advice = (
                "was it moved or refocused since, or has it another camera's name? calibrate again or run pose3d "
                "recalibrate; if the calibration is sure, its labels lie elsewhere than the others'"
            )
        else:
            since = fault.first > 0
            at = span[0] if since else span[1] + 1
            side = "from there on" if since else "until then"
            sentence = f"{who} moved at about frame {at}: its image is off {much}, {side}"
            advice = f"calibrate the frames {'after' if since else 'before'} it apart, or leave the camera out there"
        return QualityFinding(
            "calibration" if whole else "moved", names, (), *span, fault.size_px, "px", sentence, advice
        )

    def _late(self, fault: Explanation, names: tuple[str, ...], span: tuple[int, int]) -> QualityFinding:
        n = float(fault.values[0])
        much = f"about {abs(n):.1f} frame{'' if f'{abs(n):.1f}' == '1.0' else 's'}"
        late = "late" if n > 0 else "early"
        if len(names) == 1:
            sentence = f"camera {names[0]} is {much} {late}{self._when(span)}"
        elif len(self.cameras) == 2:
            sentence = f"cameras {names[0]} and {names[1]} are {much} apart{self._when(span)}: {names[0]} is {late}"
        else:
            sentence = f"one of the cameras {listed(names, word='or')} is {much} off{self._when(span)}"
        whole = not self._when(span)
        advice = "run pose3d sync" if whole else "it lost or doubled frames there; run pose3d sync, or give its times"
        return QualityFinding("late", names, (), *span, n, "frames", sentence, advice)

    def exchanged(self, fault: Exchange) -> QualityFinding:
        """Say that keypoints bear each other's names in a camera."""
        name, span = self.cameras[fault.camera], self._span(fault.first, fault.stop)
        pairs = [(self.keypoints[a], self.keypoints[b]) for a, b in fault.pairs]
        mutual = [pair for pair in pairs if pair[::-1] in pairs and pair[0] <= pair[1]]
        alone = [pair for pair in pairs if pair[::-1] not in pairs]
        said = [f"{a} and {b} exchanged" for a, b in mutual] + [f"{a} where the others see {b}" for a, b in alone]
        keypoints = tuple(dict.fromkeys(k for pair in pairs for k in pair))
        return QualityFinding(
            "exchanged" if mutual else "mislabelled",
            (name,),
            keypoints,
            *span,
            fault.size_px,
            "px",
            f"camera {name} has {listed(said)}{self._when(span)} ({fault.size_px:.0f} px apart)",
            "put its labels right, or leave these keypoints out there",
        )

    def outlying(self, faults: Sequence[Outlying]) -> list[QualityFinding]:
        """Say on which keypoints cameras disagree; keypoints of one camera in the same frames together."""
        groups: list[list[Outlying]] = []
        near = max(4, len(self.frames) // 20)
        for fault in faults:
            for group in groups:
                g = group[0]
                if g.camera == fault.camera and abs(g.first - fault.first) <= near and abs(g.stop - fault.stop) <= near:
                    group.append(fault)
                    break
            else:
                groups.append([fault])
        return [self._outlying(group) for group in groups]

    def _outlying(self, group: Sequence[Outlying]) -> QualityFinding:
        camera = group[0].camera
        span = self._span(min(f.first for f in group), max(f.stop for f in group))
        keypoints = tuple(self.keypoints[f.keypoint] for f in group)
        size, usual = (float(np.median([getattr(f, key) for f in group])) for key in ("size_px", "usual_px"))
        much = f"{size:.1f} px off, {usual:.1f} px elsewhere"
        if camera is None:
            sentence = f"the cameras disagree on {listed(keypoints)}{self._when(span)}: {much}"
            advice = "look at these labels in all cameras, or leave the keypoint out"
            return QualityFinding("keypoint", (), keypoints, *span, size, "px", sentence, advice)
        name = self.cameras[camera]
        sentence = f"camera {name} disagrees with the others on {listed(keypoints)}{self._when(span)}: {much}"
        advice = _LABELS + ("" if len(group) < 3 else ", at its focus and at sync")
        return QualityFinding("disagrees", (name,), keypoints, *span, size, "px", sentence, advice)

    def noisy(self, camera: int, noise_px: FloatArray) -> QualityFinding:
        """Say that a camera's detections are much noisier than the others'."""
        name, others = self.cameras[camera], float(np.nanmedian(np.delete(noise_px, camera)))
        return QualityFinding(
            "noisy",
            (name,),
            (),
            self.start,
            self.start + self.n_frames - 1,
            float(noise_px[camera]),
            "px",
            f"camera {name} is off by {noise_px[camera]:.1f} px on all keypoints, the others by {others:.1f} px",
            "look at its focus, exposure and calibration, and at how the network does on its images",
        )
