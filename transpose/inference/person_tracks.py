"""Ids of persons over the frames of a video, by the similarity of their poses and boxes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from transpose.geometry import are_inside
from transpose.inference.nms import oks_nms
from transpose.inference.poses import Poses
from transpose.skeleton import Skeleton

_LEAST_SIMILARITY = 0.2
"""A person less similar to all tracks than this is a new one."""
_FEWEST_KEYPOINTS = 3
"""Confident keypoints of a person who can be followed; also for OKS, of both poses."""
_SAME_PERSON = 0.7
"""Two followed persons with a higher OKS are the same."""
_VELOCITY_FRAMES = 7
"""A track's velocity is the median of so many latest displacements, so that a few wrong poses do not change it."""
_KEPT_FRAMES = 30
"""A person who is not found for more frames than this gets a new id."""
_MARGIN = 0.15
"""Enlargement of the box around keypoints, relative to its sides, on each side."""
_MOST_KEYPOINTS = 0.75
"""Share of the keypoints that must be confident for a box around them; otherwise boxes would become ever smaller."""


class _Track:
    """A person as last found: `xy` [K, 2], `is_confident` [K] and `box` [4]."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.displacements: deque[np.ndarray] = deque(maxlen=_VELOCITY_FRAMES)
        """Latest displacements [2], image pixels per frame."""
        self.age = 0
        """Frames since the person was found; 0 also before."""
        self.frames = 0
        """Number of frames in which the person was found."""
        self.xy = self.box = np.zeros(0)
        self.is_confident = np.zeros(0, dtype=np.bool_)

    @property
    def velocity(self) -> np.ndarray:
        """[2] image pixels per frame."""
        return np.median(self.displacements, axis=0) if self.displacements else np.zeros(2)

    def continue_with(self, xy: np.ndarray, is_confident: np.ndarray, new_box: np.ndarray | None) -> None:
        """Note the keypoints [K, 2] of the latest frame.

        Args:
            new_box: [4] of a detector or the user; None if the person was followed.
        """
        if self.frames:
            displacement = self._displacement(xy, is_confident, new_box)
            self.displacements.append(displacement / self.age)
            self.box = _moved(self.box, displacement)
        if is_confident.mean() >= _MOST_KEYPOINTS:
            self.box = _box_around(xy[is_confident])
        elif new_box is not None:
            self.box = new_box
        self.xy, self.is_confident = xy, is_confident
        self.age, self.frames = 0, self.frames + 1

    def _displacement(self, xy: np.ndarray, is_confident: np.ndarray, new_box: np.ndarray | None) -> np.ndarray:
        shared = self.is_confident & is_confident
        if shared.sum() >= _FEWEST_KEYPOINTS:
            # The median ignores limbs that swing.
            return np.median(xy[shared] - self.xy[shared], axis=0)
        if new_box is None:
            return self.velocity * self.age
        return (new_box[:2] + new_box[2:] / 2) - (self.box[:2] + self.box[2:] / 2)


class PersonTracks:
    """Gives persons the same id in all frames of a video.

    Each person is compared with the persons so far, moved on by their velocity as in SORT (Bewley et al. 2016), by OKS
    and IoU; pairs are matched greedily, most similar first (Xiao et al. 2018, "Simple Baselines", algorithm 1). Persons
    who are not found, for example because another one is in front, keep moving for some frames.
    """

    def __init__(self, skeleton: Skeleton, min_score: float) -> None:
        """Start without persons.

        Args:
            min_score: keypoints with a lower score are not confident.
        """
        self._skeleton = skeleton
        self._min_score = min_score
        self._tracks: list[_Track] = []
        self._next_id = 1

    def update(self, poses: Poses) -> Poses:
        """Return the poses of the next frame, found in new boxes, with ids, counted from 1."""
        similarities = self._similarities(poses)
        confident, distinct = poses.scores >= self._min_score, set(self._distinct(poses, similarities).tolist())
        tracks = self._matched(similarities)
        ids = np.zeros(len(poses), dtype=np.int64)
        for person in range(len(poses)):
            if person not in tracks:
                tracks[person] = _Track(self._next_id)
                self._tracks.append(tracks[person])
                self._next_id += 1
            ids[person] = tracks[person].id
            # A person behind another one often gets the pose of the one in front, and would take over its movement.
            if person in distinct or tracks[person].frames == 0:
                tracks[person].continue_with(poses.xy[person], confident[person], poses.boxes[person])
        return replace(poses, ids=ids)

    def expected_boxes(self, size_hw: Sequence[int]) -> np.ndarray:
        """Return boxes [T, 4], image pixels, in which to look for the same persons in the next frame.

        They enclose the keypoints and are enlarged by 15 % of their sides on each side (Xiao et al. 2018, section 3.1).
        If fewer than three quarters of the keypoints are confident, they are the boxes before, moved by the median
        displacement of the keypoints. All are moved on by the person's velocity.

        Args:
            size_hw: (height, width) of the image; persons outside are left out.
        """
        boxes = [_moved(track.box, track.velocity * (track.age + 1)) for track in self._tracks]
        expected = np.array(boxes).reshape(-1, 4)
        return expected[are_inside(expected, size_hw)]

    def follow(self, poses: Poses) -> Poses:
        """Return the poses of the next frame, found in `expected_boxes`, with ids.

        Poses are left out if they have too few confident keypoints, are not similar to those before, or are nearly
        equal to a pose that fits its person better: two boxes may show the same person.
        """
        poses = poses.select((poses.scores >= self._min_score).sum(axis=1) >= _FEWEST_KEYPOINTS)
        poses = poses.select(self._distinct(poses, self._similarities(poses)))
        tracks = self._matched(self._similarities(poses))
        for person, track in tracks.items():
            track.continue_with(poses.xy[person], poses.scores[person] >= self._min_score, None)
        persons = sorted(tracks)
        ids = np.array([tracks[person].id for person in persons], dtype=np.int64)
        return replace(poses.select(np.array(persons, dtype=np.int64)), ids=ids)

    def _distinct(self, poses: Poses, similarities: np.ndarray) -> np.ndarray:
        """Return the persons in the next frame without those nearly equal to one that fits a track better."""
        fit = similarities.max(axis=0, initial=0)
        areas, image = poses.boxes[:, 2:].prod(axis=1), np.zeros(len(poses))
        return np.sort(oks_nms(poses.xy, fit, areas, image, self._skeleton.oks_sigmas, _SAME_PERSON))

    def _matched(self, similarities: np.ndarray) -> dict[int, _Track]:
        """Move on by a frame, and return the track of each person who has one, by similarities [T, N]."""
        pairs = _greedy_pairs(similarities)
        found = {person: self._tracks[track] for track, person in pairs}
        for track in self._tracks:
            track.age += 1
        self._tracks = [track for track in self._tracks if track.age <= _KEPT_FRAMES]
        return found

    def _similarities(self, poses: Poses) -> np.ndarray:
        """Return the similarities [T, N] of tracks to poses of the next frame.

        The mean of OKS and of the IoU of the boxes, which differ where two boxes show the same person; only the IoU if
        too few keypoints are confident in both poses.
        """
        if not self._tracks or not len(poses):
            return np.zeros((len(self._tracks), len(poses)))
        moved = np.stack([track.velocity * (track.age + 1) for track in self._tracks])
        xy = np.stack([track.xy for track in self._tracks]) + moved[:, None]
        boxes = np.stack([track.box for track in self._tracks])
        boxes[:, :2] += moved
        shared = np.stack([track.is_confident for track in self._tracks])[:, None] & (poses.scores >= self._min_score)
        squared = np.square(xy[:, None] - poses.xy).sum(axis=3)
        area = (boxes[:, None, 2:].prod(axis=2) + poses.boxes[:, 2:].prod(axis=1)) / 2 + np.spacing(1)
        terms = np.exp(-squared / (2 * np.square(2 * self._skeleton.oks_sigmas) * area[..., None]))
        counts = shared.sum(axis=2)
        oks = (terms * shared).sum(axis=2) / np.maximum(counts, 1)
        overlap = _overlaps(boxes, poses.boxes)
        return np.where(counts >= _FEWEST_KEYPOINTS, (oks + overlap) / 2, overlap)


def _box_around(xy: np.ndarray) -> np.ndarray:
    """Return the enlarged box [4] around keypoints [n, 2]; each side is at least one pixel."""
    start, sides = xy.min(axis=0), np.maximum(np.ptp(xy, axis=0), 1)
    return np.concatenate([start - _MARGIN * sides, (1 + 2 * _MARGIN) * sides])


def _moved(box: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return np.concatenate([box[:2] + offset, box[2:]])


def _greedy_pairs(similarity: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs (track, person) of the similarities [T, N], most similar first, each track and person once."""
    pairs: list[tuple[int, int]] = []
    tracks, persons = set[int](), set[int]()
    for flat in np.argsort(-similarity, axis=None, kind="stable").tolist():
        track, person = divmod(flat, similarity.shape[1])
        if similarity[track, person] < _LEAST_SIMILARITY:
            break
        if track not in tracks and person not in persons:
            pairs.append((track, person))
            tracks.add(track)
            persons.add(person)
    return pairs


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the IoU [T, N] of boxes [T, 4] and [N, 4] (x, y, width, height)."""
    start = np.maximum(first[:, None, :2], second[:, :2])
    end = np.minimum(first[:, None, :2] + first[:, None, 2:], second[:, :2] + second[:, 2:])
    shared = np.maximum(end - start, 0).prod(axis=2)
    return shared / (first[:, None, 2:].prod(axis=2) + second[:, 2:].prod(axis=1) - shared)
