"""Ids, time and memory of predicting a rendered video in which two persons pass each other every two seconds.

python -m benchmarks.video_scale 300 3000
"""

import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

import transpose
from benchmarks.crossing_video import CrossingVideo, render_crossing
from transpose.data.video import Video
from transpose.inference.poses import Poses
from transpose.pose_model import PoseModel
from transpose.reporting.predict_video import VideoPersons, predict_video

_RENDERED = 300
"""Frames that are rendered; longer videos repeat them."""
_WARM_UP = 100
"""Frame after which memory no longer grows for reasons other than the number of frames."""
_MB = 1e6


@dataclass(frozen=True)
class VideoScale:
    """Ids, time and memory of predicting a video by the small model of the package, with given boxes."""

    frames: int
    swapped: int
    """Predictions with another id than the person had in the first frame."""
    milliseconds: float
    """Wall-clock time of a frame with two persons: decoding, network, drawing, encoding."""
    share_of_network: float
    """Rate relative to that of the network alone."""
    share_of_thread: float
    """Share of the network in the processor time of its thread, in the same run: the rate if a second core is free."""
    grown_mb: float
    """Growth of the process's memory after `_WARM_UP` frames."""


def video_scale(video: CrossingVideo, repeats: int, folder: Path) -> VideoScale:
    """Predict a video `repeats` times in one go."""
    model, process = _timed_model(), psutil.Process()
    memory: list[int] = []
    swapped = 0
    boxes = [video.boxes[frame] for frame in range(len(video.boxes))] * repeats

    def note(frame: int, poses: Poses) -> None:
        nonlocal swapped
        swapped += int((np.array(poses.persons) != np.arange(1, len(poses) + 1)).sum())
        if frame == _WARM_UP:
            memory.append(process.memory_info().rss)

    alone = [_seconds_alone(model)]
    model.seconds.clear()
    start, thread_start = time.perf_counter(), time.thread_time()
    predict_video(model, _Repeated(video.path, repeats), VideoPersons(boxes), False, note, folder, 0.2)
    seconds = (time.perf_counter() - start) / len(boxes)
    share_of_thread = sum(model.seconds) / (time.thread_time() - thread_start)
    alone.append(_seconds_alone(model))
    network = sum(alone) / len(alone)
    grown = (process.memory_info().rss - memory[0]) / _MB
    return VideoScale(len(boxes), swapped, 1e3 * seconds, network / seconds, share_of_thread, grown)


def _seconds_alone(model: PoseModel) -> float:
    """Return the wall-clock time of the network alone on a frame with two persons.

    It is taken before and after a video, since the clock rate of a processor changes within minutes.
    """
    crops = torch.zeros((2, *model.variant.input_size, 3), dtype=torch.uint8)
    model.predict_heatmaps(crops)
    start = time.perf_counter()
    for _ in range(_WARM_UP):
        model.predict_heatmaps(crops)
    return (time.perf_counter() - start) / _WARM_UP


@dataclass(frozen=True)
class _TimedModel(PoseModel):
    """A model that notes how long its network takes."""

    seconds: list[float] = field(default_factory=list)
    """Processor time of each pass."""

    def _heatmaps_on_device(self, crops: Tensor, flip_test: bool) -> list[Tensor]:
        start = time.thread_time()
        heatmaps = super()._heatmaps_on_device(crops, flip_test)
        self.seconds.append(time.thread_time() - start)
        return heatmaps


def _timed_model() -> _TimedModel:
    plain = transpose.load()
    return _TimedModel(*(getattr(plain, one.name) for one in fields(plain)))


class _Repeated(Video):
    """A video file several times in a row."""

    def __init__(self, path: Path, repeats: int) -> None:
        super().__init__(str(path))
        self._repeats = repeats

    def frames(self) -> Generator[np.ndarray, None, None]:
        """See `Video.frames`."""
        for _ in range(self._repeats):
            yield from Video(self.name).frames()


def main(counts: list[int]) -> None:
    """Measure videos of about these numbers of frames."""
    print("frames  swapped ids  ms/frame  share of the network's rate  in its thread  memory grown, MB")
    with tempfile.TemporaryDirectory() as name:
        video = render_crossing(Path(name) / "crossing.mp4", min([_RENDERED, *counts]))
        for count in counts:
            one = video_scale(video, max(1, count // len(video.boxes)), Path(name) / "out")
            print(
                f"{one.frames:6}  {one.swapped:11}  {one.milliseconds:8.1f}  {one.share_of_network:27.2f}"
                f"  {one.share_of_thread:13.2f}  {one.grown_mb:16.1f}"
            )


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [300, 3000])
