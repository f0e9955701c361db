"""Terminal text of predicted poses."""

from collections.abc import Sequence

import numpy as np

from transpose.inference.poses import Poses
from transpose.reporting.image_poses import ImagePoses


def render_persons(images: Sequence[ImagePoses], min_score: float) -> str:
    """Return one line per person: box, score, and number of keypoints with a score of at least `min_score`."""
    cells = [
        (name, str(row), box_text(poses.boxes[row]), f"{poses.person_scores[row]:.3f}", _count(poses, row, min_score))
        for name, poses, row in _persons(images)
    ]
    lines = [("image", "person", "box", "score", "keypoints"), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def render_keypoints(images: Sequence[ImagePoses], min_score: float = -np.inf) -> str:
    """Return one block per person: each keypoint in image pixels with its confidence.

    Args:
        min_score: keypoints with a lower score are left out.
    """
    return "\n\n".join(
        "\n".join([f"{name}, person {row}, box {box_text(poses.boxes[row])}", *_keypoints(poses, row, min_score)])
        for name, poses, row in _persons(images)
    )


def box_text(box: np.ndarray) -> str:
    """Format a box [4] as x, y, width, height."""
    return ", ".join(f"{value:g}" for value in box)


def _persons(images: Sequence[ImagePoses]) -> list[tuple[str, Poses, int]]:
    """Return (image name, poses, row of the person) for every person."""
    return [(image.path.name, image.poses, row) for image in images for row in range(len(image.poses))]


def _count(poses: Poses, row: int, min_score: float) -> str:
    return f"{(poses.scores[row] >= min_score).sum()} of {len(poses.skeleton)}"


def _keypoints(poses: Poses, row: int, min_score: float) -> list[str]:
    width = max(map(len, poses.skeleton.keypoints))
    places = zip(poses.skeleton.keypoints, poses.xy[row], poses.scores[row], strict=True)
    return [
        f"  {'keypoint':<{width}}        x        y  confidence",
        *(
            f"  {name:<{width}} {x:8.1f} {y:8.1f}  {score:10.3f}"
            for name, (x, y), score in places
            if score >= min_score
        ),
    ]
