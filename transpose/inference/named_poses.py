"""Poses as JSON with named keypoints: the answer of servers and of the logged model."""

from pydantic import BaseModel, Field

from transpose.inference.poses import Poses


class NamedPoint(BaseModel):
    """A predicted keypoint."""

    x: float = Field(description="Image pixels; 0 is the centre of the first pixel.")
    y: float = Field(description="Image pixels.")
    score: float = Field(description="Confidence: the heatmap's maximum.")


class NamedPose(BaseModel):
    """The pose predicted in a box."""

    box: list[float] = Field(description="x, y, width, height in image pixels.")
    score: float = Field(description="Score of the person by the evaluation protocol, with a box score of 1.")
    keypoints: dict[str, NamedPoint] = Field(description="Keypoints by name.")


def named_poses(poses: Poses) -> list[NamedPose]:
    """Return the N poses of an image in the order of their boxes."""
    return [
        NamedPose(box=box, score=score, keypoints=_named_points(poses.skeleton.keypoints, points, scores))
        for box, score, points, scores in zip(
            poses.boxes.tolist(), poses.person_scores.tolist(), poses.xy.tolist(), poses.scores.tolist(), strict=True
        )
    ]


def _named_points(names: tuple[str, ...], points: list[list[float]], scores: list[float]) -> dict[str, NamedPoint]:
    return {name: NamedPoint(x=x, y=y, score=score) for name, (x, y), score in zip(names, points, scores, strict=True)}
