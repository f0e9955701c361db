"""Predicted poses as terminal text."""

from collections.abc import Iterator, Sequence

import numpy as np

from transpose.inference.poses import Poses

_BOX_WIDTH = 24
"""Characters of the column of boxes: four numbers of up to five characters."""


class PersonTable:
    """A table with one line per person."""

    def __init__(self, names: Sequence[str], min_score: float) -> None:
        """Choose the width of the first column.

        Args:
            names: of images.
            min_score: keypoints with at least this score are counted.
        """
        self._name_width = max(map(len, ["image", *names]))
        self._min_score = min_score

    @property
    def heading(self) -> str:
        """The names of the columns."""
        return self._line("image", "person", "box", "score", "keypoints")

    def lines(self, name: str, poses: Poses) -> Iterator[str]:
        """Yield a line for each person: box, score, and number of keypoints with at least the minimum score."""
        counts = (poses.scores >= self._min_score).sum(axis=1).tolist()
        rows = zip(poses.persons, poses.boxes, poses.person_scores.tolist(), counts, strict=True)
        for person, box, score, count in rows:
            yield self._line(name, str(person), box_text(box), f"{score:.3f}", f"{count} of {len(poses.skeleton)}")

    def _line(self, name: str, person: str, box: str, score: str, keypoints: str) -> str:
        return f"{name:<{self._name_width}}  {person:<6}  {box:<{_BOX_WIDTH}}  {score}  {keypoints}"


def keypoint_blocks(name: str, poses: Poses, min_score: float = -np.inf) -> Iterator[str]:
    """Yield a text for each person: a line with the box, and one for each keypoint, in image pixels.

    Args:
        name: of the image.
        min_score: keypoints with a lower score are left out.
    """
    width = max(map(len, poses.skeleton.keypoints))
    for row, person in enumerate(poses.persons):
        lines = [
            f"{name}, person {person}, box {box_text(poses.boxes[row])}, score {poses.person_scores[row]:.3f}",
            f"  {'keypoint':<{width}}        x        y  confidence",
        ]
        for keypoint, (x, y), score in zip(poses.skeleton.keypoints, poses.xy[row], poses.scores[row], strict=True):
            if score >= min_score:
                lines.append(f"  {keypoint:<{width}} {x:8.1f} {y:8.1f}  {score:10.3f}")
        yield "\n".join(lines) + "\n"


def box_text(box: np.ndarray) -> str:
    """Format a box [4] as x, y, width, height."""
    return ", ".join(f"{round(value, 1):g}" for value in box.tolist())
