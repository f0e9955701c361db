"""Frames of a video are read one by one, and written to a video that replaces a file at the end."""

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from transpose.data.video import Video, video_writer
from transpose.errors import InputError


def write_video(path: Path, frames: int, size_hw: tuple[int, int] = (48, 64)) -> Path:
    """A video that becomes brighter."""
    with video_writer(path, 25.0) as writer:
        for frame in range(frames):
            writer.add(np.full((*size_hw, 3), 4 * frame, dtype=np.uint8))
    return path


def test_frames_are_read_as_they_were_written(tmp_path: Path) -> None:
    video = Video(str(write_video(tmp_path / "a.mp4", 30)))
    assert (video.fps, video.frame_count, video.stem, video.is_camera) == (25, 30, "a", False)
    frames = list(video.frames())
    assert len(frames) == 30
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    np.testing.assert_allclose([frame.mean() for frame in frames], 4 * np.arange(30), atol=4)


def test_colours_stay(tmp_path: Path) -> None:
    with video_writer(tmp_path / "a.mp4", 25.0) as writer:
        writer.add(np.full((48, 64, 3), (200, 40, 90), dtype=np.uint8))
    (frame,) = Video(str(tmp_path / "a.mp4")).frames()
    np.testing.assert_allclose(frame.mean(axis=(0, 1)), (200, 40, 90), atol=6)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 3)
    before = path.read_bytes()

    def fail() -> None:
        with video_writer(path, 25.0) as writer:
            writer.add(np.zeros((48, 64, 3), dtype=np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def write_cut_video(path: Path) -> None:
    """A video of 40 frames of which the second half is missing."""
    with video_writer(path, 25.0) as writer:
        for frame in range(40):
            writer.add(np.random.default_rng(frame).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def test_a_video_that_ends_early_is_reported(tmp_path: Path) -> None:
    write_cut_video(tmp_path / "a.avi")
    with pytest.raises(InputError, match=r"a\.avi: ends early, after \d+ of 40 frames: the file is incomplete"):
        list(Video(str(tmp_path / "a.avi")).frames())


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_what_is_no_video_is_one_line(tmp_path: Path, content: bytes | None, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp4"
    if content is None:  # without its end, where the index is
        data = write_video(path, 30).read_bytes()
        content = data[: len(data) // 2]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4: not a video that can be read, or incomplete"):
        Video(str(path))
    assert capfd.readouterr().err == ""


def test_missing_files_and_cameras_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: no such video"):
        Video(str(tmp_path / "none.mp4"))
    with pytest.raises(InputError, match="camera:99: the camera cannot be opened"):
        Video("camera:99")
    with pytest.raises(InputError, match="camera:x: must be camera:N with a number N, such as camera:0"):
        Video("camera:x")
    assert capfd.readouterr().err == ""


class _FakeCamera:
    """Grey frames without an end."""

    def isOpened(self) -> bool:  # noqa: N802 -- OpenCV's name
        return True

    def get(self, _: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 6, 3), dtype=np.uint8)

    def release(self) -> None:
        pass


def test_a_camera_ends_at_ctrl_c_with_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: _FakeCamera())
    camera, before = Video("camera:3"), signal.getsignal(signal.SIGINT)
    assert (camera.stem, camera.fps, camera.frame_count, camera.is_camera) == ("camera3", 30, None, True)
    frames = []
    for frame in camera.frames():
        frames.append(frame)
        if len(frames) == 3:
            os.kill(os.getpid(), signal.SIGINT)
    assert len(frames) == 3
    assert signal.getsignal(signal.SIGINT) is before
