"""Predict poses in a video, frame by frame, with the same id for a person in all frames."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.background import read_ahead, write_behind
from transpose.data.video import Video, VideoWriter, video_writer
from transpose.files import removed_if_empty
from transpose.inference.person_tracks import PersonTracks
from transpose.inference.poses import Poses
from transpose.inference.predictor import PersonFinder, PosePredictor
from transpose.inference.smoothing import PoseSmoother
from transpose.reporting.pose_files import PoseFiles, pose_files
from transpose.reporting.predict_images import predict_persons

_FRAMES_IN_THREADS = 4
"""Most frames that are read ahead, and most that wait to be drawn and written."""


@dataclass(frozen=True)
class VideoPersons:
    """Where the persons of a video are. Between frames with new boxes, they are followed by their keypoints."""

    boxes: Sequence[np.ndarray] | None = None
    """[N, 4] image pixels for each frame, or for the first frame only; None uses the detector."""
    detector: PersonFinder | None = None
    """Finds persons if there are no boxes; None takes the whole image as one box."""
    every: int = 1
    """Boxes are taken, or persons detected, in each frame with a number divisible by this."""

    def are_new(self, frame: int) -> bool:
        """Whether a frame's persons do not depend on the frame before."""
        return frame == 0 or ((self.boxes is None or len(self.boxes) > 1) and frame % self.every == 0)

    def boxes_of(self, frame: int) -> np.ndarray | None:
        """Return the given boxes [N, 4] of a frame; None if no boxes are given."""
        if self.boxes is None:
            return None
        return self.boxes[frame] if frame < len(self.boxes) else np.zeros((0, 4))


@dataclass(frozen=True)
class PredictedFrame:
    """A frame with its poses."""

    number: int
    pixels: np.ndarray
    """[H, W, 3] uint8 RGB."""
    poses: Poses


@dataclass(frozen=True)
class VideoFolder:
    """A folder of a video's results, in progress."""

    video_name: str
    files: PoseFiles
    overlay: VideoWriter
    min_score: float

    def add(self, frame: PredictedFrame) -> None:
        """Append the poses of a frame."""
        self.files.add(frame.number, self.video_name, frame.poses, frame.number)
        self.overlay.add(frame.poses.draw(frame.pixels, self.min_score))


def predict_video(
    model: PosePredictor,
    video: Video,
    persons: VideoPersons,
    is_smoothed: bool,
    on_frame: Callable[[int, Poses], None],
    folder: Path | None,
    min_score: float,
) -> None:
    """Predict the poses in all frames of a video; memory does not depend on their number.

    A thread decodes the next frames meanwhile, and another one draws and writes the frames before.

    Writes `predictions.json`, `keypoints.csv` and an overlaid video `NAME.mp4` into a folder, if there is one.

    Args:
        is_smoothed: apply a One-Euro filter to each person's keypoints.
        on_frame: called with the number, from 0, and the poses of each frame.
        min_score: keypoints with a lower score are not drawn; the files have all keypoints.

    Raises:
        InputError: the video ends early, a box is outside of its frame, the model has diverged, or a file cannot be
            written. No file is written then.
    """
    poses_of = _FramePoses(model, video, persons)
    smoother = PoseSmoother() if is_smoothed else None
    with _written_frames(folder, video, min_score) as write, _frames_of(video) as frames:
        for number, pixels in enumerate(frames):
            poses = poses_of(number, pixels)
            if smoother is not None:
                poses = smoother.smooth(poses, number / video.fps)
            if write is not None:
                write(PredictedFrame(number, pixels, poses))
            on_frame(number, poses)


class _FramePoses:
    """Predicts the frames of a video one after another."""

    def __init__(self, model: PosePredictor, video: Video, persons: VideoPersons) -> None:
        self._model = model
        self._name = video.name
        self._persons = persons
        self._tracks: PersonTracks | None = None

    def __call__(self, frame: int, pixels: np.ndarray) -> Poses:
        """Return the poses in a frame [H, W, 3] uint8 RGB, with ids."""
        if self._tracks is not None and not self._persons.are_new(frame):
            boxes = self._tracks.expected_boxes(pixels.shape[:2])
            return self._tracks.follow(self._model.predict(pixels, boxes))
        name, given = f"{self._name}, frame {frame}", self._persons.boxes_of(frame)
        poses = predict_persons(self._model, pixels, name, given, self._persons.detector)
        if self._tracks is None:
            self._tracks = PersonTracks(poses.skeleton, self._model.protocol.keypoint_threshold)
        return self._tracks.update(poses)


def _frames_of(video: Video) -> AbstractContextManager[Iterator[np.ndarray]]:
    """Return a context manager with the frames of a video.

    A camera is read in this thread: frames ahead would be late, and only the main thread receives Ctrl-C.
    """
    frames = video.frames()
    return nullcontext(frames) if video.is_camera else read_ahead(frames, _FRAMES_IN_THREADS)


@contextmanager
def _written_frames(
    folder: Path | None, video: Video, min_score: float
) -> Iterator[Callable[[PredictedFrame], None] | None]:
    """Yield a function that writes frames into a folder; None without one."""
    if folder is None:
        yield None
        return
    overlay = folder / f"{video.stem}.mp4"
    with removed_if_empty(folder), video_writer(overlay, video.fps) as writer, pose_files(folder) as files:
        output = VideoFolder(Path(video.name).name, files, writer, min_score)
        with write_behind(output.add, _FRAMES_IN_THREADS) as write:
            yield write
