"""Persons in a video are found, followed and identified, frame by frame."""

import json
from pathlib import Path

import numpy as np
import pytest

import transpose
from benchmarks.crossing_video import CrossingVideo, render_crossing
from tests.data.test_video import write_cut_video
from tests.reporting.test_predict_images import LeftHalf, Spread
from transpose.data.video import Video, VideoWriter, video_writer
from transpose.errors import InputError
from transpose.inference.poses import Poses
from transpose.reporting.predict_video import VideoPersons, predict_video


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> CrossingVideo:
    return render_crossing(tmp_path_factory.mktemp("crossing") / "crossing.mp4", 40)


def predict(
    video: CrossingVideo, persons: VideoPersons, output: Path | None = None, smooth: bool = False
) -> list[Poses]:
    found: list[Poses] = []
    model = transpose.load()
    predict_video(model, Video(str(video.path)), persons, smooth, lambda _, poses: found.append(poses), output, 0.2)
    return found


def distances(video: CrossingVideo, found: list[Poses]) -> dict[int, list[float]]:
    """Median distance of keypoints to those of the person that the id had at first, image pixels, by id."""
    distances: dict[int, list[float]] = {1: [], 2: []}
    first = {person: int(np.abs(video.xy[0] - xy).mean(axis=(1, 2)).argmin()) for person, xy in _rows(found[0])}
    for frame, poses in enumerate(found):
        for person, xy in _rows(poses):
            distance = np.median(np.linalg.norm(xy - video.xy[frame, first[person]], axis=1))
            distances[person].append(float(distance))
    return distances


def _rows(poses: Poses) -> list[tuple[int, np.ndarray]]:
    return list(zip(poses.persons, poses.xy, strict=True))


def shuffled_boxes(video: CrossingVideo, missed: range = range(0)) -> list[np.ndarray]:
    """The boxes of each frame in a random order, without the person behind in the frames `missed`."""
    rng = np.random.default_rng(0)
    orders = (rng.permutation(2) for _ in video.boxes)
    return [
        boxes[[person for person in order if frame not in missed or person == 0]]
        for frame, (boxes, order) in enumerate(zip(video.boxes, orders, strict=True))
    ]


@pytest.mark.parametrize("missed", [range(0), range(17, 25)])
def test_two_persons_who_cross_keep_their_ids(crossing: CrossingVideo, tmp_path: Path, missed: range) -> None:
    found = predict(crossing, VideoPersons(shuffled_boxes(crossing, missed)), tmp_path / "out")
    assert [sorted(poses.persons) for poses in found] == [[1] if frame in missed else [1, 2] for frame in range(40)]
    errors = distances(crossing, found)
    assert all(np.median(errors[person]) < 5 for person in (1, 2))
    # Apart from the moment in which one is behind the other.
    apart = [frame for frame in range(len(found)) if abs(frame - 19.5) > 5]
    assert max(errors[1][frame] for frame in apart) < 12
    assert max(errors[2][-10:]) < 12
    records = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert {record["file_name"] for record in records} == {"crossing.mp4"}
    overlay = Video(str(tmp_path / "out" / "crossing.mp4"))
    assert (overlay.frame_count, overlay.fps) == (40, 25)


@pytest.mark.parametrize(("every", "frames"), [(5, 40), (100, 15)])
def test_persons_are_followed_between_detections(crossing: CrossingVideo, every: int, frames: int) -> None:
    """Without new boxes, the person behind may be lost in the crossing, so the second case ends before it."""
    found = predict(crossing, VideoPersons(shuffled_boxes(crossing), every=every))[:frames]
    assert {person for poses in found for person in poses.persons} == {1, 2}
    assert sum(map(len, found)) > 1.75 * frames
    errors = distances(crossing, found)
    assert all(np.median(errors[person]) < 5 for person in (1, 2))
    assert max(errors[1][-8:] + errors[2][-8:]) < 12


def test_smoothed_keypoints_are_nearby(crossing: CrossingVideo) -> None:
    persons = VideoPersons(shuffled_boxes(crossing))
    plain, smoothed = predict(crossing, persons), predict(crossing, persons, smooth=True)
    assert [poses.persons for poses in plain] == [poses.persons for poses in smoothed]
    steps = [
        np.mean([np.abs(np.diff([poses.xy[poses.persons.index(1)] for poses in found], 2, axis=0)).mean()])
        for found in (plain, smoothed)
    ]
    assert steps[1] < 0.9 * steps[0]


class TestBoxesOfFrames:
    """With a model whose keypoints fill their box up to the margin of a followed box."""

    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        with video_writer(tmp_path / "a.mp4", 25.0) as writer:
            for _ in range(6):
                writer.add(np.zeros((48, 64, 3), dtype=np.uint8))
        return tmp_path / "a.mp4"

    @staticmethod
    def boxes(video: Path, persons: VideoPersons) -> list[list[list[float]]]:
        found: list[Poses] = []
        predict_video(Spread(), Video(str(video)), persons, False, lambda _, poses: found.append(poses), None, 0.2)
        return [poses.boxes.round(2).tolist() for poses in found]

    def test_whole_images_and_detections_are_new_in_every_frame(self, video: Path) -> None:
        assert self.boxes(video, VideoPersons()) == [[[0, 0, 64, 48]]] * 6
        assert self.boxes(video, VideoPersons(detector=LeftHalf())) == [[[0, 0, 32, 48]]] * 6

    def test_a_detector_runs_in_every_third_frame(self, video: Path) -> None:
        detector = LeftHalf()
        found = self.boxes(video, VideoPersons(detector=detector, every=3))
        assert found == [[[0, 0, 32, 48]]] * 6
        assert detector.frames == 2

    def test_boxes_of_the_first_frame_are_followed(self, video: Path) -> None:
        assert self.boxes(video, VideoPersons([np.array([[8.0, 8, 20, 20]])])) == [[[8, 8, 20, 20]]] * 6

    def test_frames_without_boxes_have_no_persons(self, video: Path) -> None:
        given = [np.array([[8.0, 8, 20, 20]])] * 2 + [np.zeros((0, 4))]
        assert list(map(len, self.boxes(video, VideoPersons(given)))) == [1, 1, 0, 0, 0, 0]

    def test_a_box_outside_is_named_with_its_frame(self, video: Path) -> None:
        given = [np.array([[8.0, 8, 20, 20]]), np.array([[90.0, 8, 20, 20]])]
        with pytest.raises(InputError, match=r"a\.mp4, frame 1: box 90,8,20,20: is outside the image, which is 64x48"):
            self.boxes(video, VideoPersons(given))

    def test_an_incomplete_video_leaves_no_files(self, tmp_path: Path) -> None:
        path, output = tmp_path / "cut.avi", tmp_path / "out"
        write_cut_video(path)
        with pytest.raises(InputError, match=r"cut\.avi: ends early, after \d+ of 40 frames"):
            predict_video(Spread(), Video(str(path)), VideoPersons(), False, lambda *_: None, output, 0.2)
        assert not output.exists()

    def test_a_failed_drawing_is_raised_and_leaves_no_files(
        self, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise InputError("OpenCV cannot write it", file="a.mp4")

        monkeypatch.setattr(VideoWriter, "add", fail)
        with pytest.raises(InputError, match=r"a\.mp4: OpenCV cannot write it"):
            predict_video(Spread(), Video(str(video)), VideoPersons(), False, lambda *_: None, tmp_path / "out", 0.2)
        assert not (tmp_path / "out").exists()
