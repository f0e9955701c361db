"""Read the frames of a video file or camera one by one, and write a video."""

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from transpose.data.image_inputs import CAMERA
from transpose.errors import InputError
from transpose.files import atomic_path

_USUAL_FPS = 30.0
"""Of videos and cameras that do not state a rate."""
_SHORTEST_SHARE = 0.95
"""A video that ends before this share of its stated duration is incomplete; stated durations are rounded."""
_CODEC = "mp4v"


class Video:
    """Frames of a video file or camera."""

    def __init__(self, source: str) -> None:
        """Open a video file or `camera:N`.

        Raises:
            InputError: it does not exist, or cannot be opened.
        """
        self.name = source
        self.is_camera = source.startswith(CAMERA)
        self._capture = _open_camera(source) if self.is_camera else _open_file(Path(source))
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(stated) if np.isfinite(stated) and stated > 0 else _USUAL_FPS
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = count if count > 0 and not self.is_camera else None
        """As stated by the file, which may be an estimate; None if unknown."""

    @property
    def stem(self) -> str:
        """Name for files made from this video."""
        return self.name.replace(":", "") if self.is_camera else Path(self.name).stem

    def frames(self) -> Generator[np.ndarray, None, None]:
        """Yield each frame [H, W, 3] uint8 RGB, rotated as it is displayed; a camera's until Ctrl-C.

        Raises:
            InputError: a video file has no frames, or ends before its stated duration.
        """
        read, seconds = 0, 0.0
        with _stops_at_interrupt(self.is_camera) as stopped:
            while not stopped:
                is_read, frame = self._capture.read()
                if not is_read:
                    break
                read, seconds = read + 1, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        self._capture.release()
        if not self.is_camera:
            self._check_complete(read, seconds)

    def _check_complete(self, read: int, seconds: float) -> None:
        """Check how many frames were read, and the time of the last one.

        By time, since the number of frames of a video with a variable rate is an estimate.
        """
        if read == 0:
            raise InputError("no frame can be read", file=self.name)
        if self.frame_count is None or read >= self.frame_count - 1:
            return
        duration = self.frame_count / self.fps
        if max(seconds, read / self.fps) < _SHORTEST_SHARE * duration:
            problem = f"ends early, after {read} of {self.frame_count} frames: the file is incomplete"
            raise InputError(problem, file=self.name)


@contextmanager
def video_writer(path: Path, fps: float) -> Iterator["VideoWriter"]:
    """Yield a writer of an MP4 file (MPEG-4 Part 2), which replaces `path` at the end.

    Raises:
        InputError: the file cannot be written; an existing file stays.
    """
    with atomic_path(path) as temporary:
        writer = VideoWriter(temporary, fps)
        try:
            yield writer
        finally:
            writer.close()


class VideoWriter:
    """Writes frames of one size to a video file."""

    def __init__(self, path: Path, fps: float) -> None:
        """Write nothing yet: the first frame decides the size."""
        self._path = path
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None

    def add(self, frame: np.ndarray) -> None:
        """Append a frame [H, W, 3] uint8 RGB.

        Raises:
            InputError: OpenCV cannot write such a video.
        """
        if self._writer is None:
            height, width = frame.shape[:2]
            code = cv2.VideoWriter.fourcc(*_CODEC)
            with _quiet_opencv():
                self._writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise InputError(f"OpenCV cannot write a video of {width}x{height} pixels", file=self._path)
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.release()


def _open_file(path: Path) -> cv2.VideoCapture:
    if not path.exists():
        raise InputError("no such video", file=path)
    with _quiet_opencv():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError("not a video that can be read, or incomplete", file=path)
    return capture


def _open_camera(source: str) -> cv2.VideoCapture:
    number = source.removeprefix(CAMERA)
    if not (number.isascii() and number.isdecimal()):
        raise InputError("must be camera:N with a number N, such as camera:0", file=source)
    with _quiet_opencv():
        capture = cv2.VideoCapture(int(number))
    if not capture.isOpened():
        raise InputError("the camera cannot be opened", file=source)
    return capture


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and FFmpeg from printing about a file or camera that our own message names."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when OpenCV opens its first video
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


@contextmanager
def _stops_at_interrupt(is_camera: bool) -> Iterator[list[int]]:
    """Yield a list that gets an item at SIGINT instead of the exception, if this is a camera, which has no end."""
    signals: list[int] = []
    if not is_camera:
        yield signals
        return
    previous = signal.signal(signal.SIGINT, lambda number, frame: signals.append(number))
    try:
        yield signals
    finally:
        signal.signal(signal.SIGINT, previous)
