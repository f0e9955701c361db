"""AP of each part of the keypoints alone, such as the feet or the hands of COCO-WholeBody."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import NonNegativeInt, PositiveInt

from transpose.config.base import Settings
from transpose.data.coco import CocoAnnotations
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


class PartMetrics(Settings):
    """Metrics of one part of the keypoints."""

    keypoints: PositiveInt
    persons: NonNegativeInt
    """Persons with a labelled keypoint of the part."""
    ap: float
    """Fraction; -1 without persons."""
    ar: float
    """Fraction; -1 without persons."""


def part_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton, parts: Mapping[str, int]
) -> dict[str, PartMetrics] | None:
    """Evaluate each part as if there were no other keypoints; None if there is only one part.

    As in the official evaluation of COCO-WholeBody, the area is that of the person, a person without a labelled
    keypoint of the part is ignored, and the score is that of the whole person.

    Args:
        parts: name -> number of keypoints, in the order of the skeleton's.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    if len(parts) < 2:
        return None
    found, start = {}, 0
    for name, count in parts.items():
        chosen, start = slice(start, start + count), start + count
        persons = replace(annotations.persons, keypoints=annotations.persons.keypoints[:, chosen])
        metrics = evaluate_keypoints(
            replace(annotations, persons=persons),
            replace(results, keypoints=results.keypoints[:, chosen]),
            _part_of(skeleton, chosen),
        )
        statistics = metrics.statistics
        found[name] = PartMetrics(keypoints=count, persons=metrics.persons, ap=statistics["AP"], ar=statistics["AR"])
    return found


def _part_of(skeleton: Skeleton, chosen: slice) -> Skeleton:
    """Return some keypoints of a skeleton, as far as OKS needs them."""
    return Skeleton(
        name=skeleton.name,
        keypoints=skeleton.keypoints[chosen],
        flip_pairs=(),
        limbs=(),
        sigmas=skeleton.sigmas[chosen],
        joint_weights=skeleton.joint_weights[chosen],
        upper_body=(),
    )
