"""Poses as text for a terminal."""

from collections.abc import Sequence

from transpose.reporting.explain_pictures import PosedPerson
from transpose.skeleton import Skeleton


def render_poses(persons: Sequence[PosedPerson], skeleton: Skeleton) -> str:
    """A block a person: each keypoint's place in image pixels and the model's confidence in it."""
    return "\n\n".join("\n".join(_lines(index, person, skeleton)) for index, person in enumerate(persons))


def _lines(index: int, person: PosedPerson, skeleton: Skeleton) -> list[str]:
    box = ", ".join(f"{value:g}" for value in person.box_xywh)
    width = max(map(len, skeleton.keypoints))
    places = zip(skeleton.keypoints, person.points_xy, person.scores, strict=True)
    return [
        f"{person.picture}, person {index}, box {box}",
        f"  {'keypoint':<{width}}        x        y  confidence",
        *(f"  {name:<{width}} {x:8.1f} {y:8.1f}  {score:10.3f}" for name, (x, y), score in places),
    ]
