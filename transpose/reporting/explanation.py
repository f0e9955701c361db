"""Attention maps of chosen persons as files: arrays, a list of the persons, and a figure for each."""

from pathlib import Path

import numpy as np

from transpose.attention.dependency import explain_persons
from transpose.attention.grid import Grid
from transpose.config.recipe import Recipe
from transpose.config.study import Explanation, Protocol
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.data.crops import normalise
from transpose.data.loader import EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.errors import InputError
from transpose.evaluation.pipeline import load_model
from transpose.evaluation.predict import decode_heatmaps, finite_heatmaps_of, predict_heatmaps
from transpose.files import atomic_folder, write_json, write_npz
from transpose.geometry import rescale_points
from transpose.reporting.attention_figure import AreaKind, ExplainedPerson, draw_attention
from transpose.skeleton import Skeleton


def write_explanation(
    recipe: Recipe,
    weights: Path,
    skeleton: Skeleton,
    annotations: Path,
    protocol: Protocol,
    settings: Explanation,
    folder: Path,
) -> None:
    """Write `maps.npz`, `persons.json` and `figures/` of the persons that `choose_persons` picks.

    The keypoints whose areas are shown come from the protocol's prediction (flip test included); the attention is that
    of the unflipped pass.

    Raises:
        InputError: a file is missing or wrong, nobody is annotated, the variant has no encoder, or the weights are of a
            model that has diverged.
    """
    truth = load_annotations(annotations, skeleton)
    boxes = choose_persons(truth, settings.persons)
    model, compute = load_model(recipe, weights, skeleton, protocol, precision="fp32")
    crops = EvaluationCrops(boxes, truth, pictures_beside(annotations), recipe.variant.input_size)
    pictures = crops.batch(np.arange(len(boxes))).crops
    with finite_heatmaps_of(weights):
        heatmaps = predict_heatmaps(model, pictures, skeleton, protocol, compute)
    points, scores = decode_heatmaps(heatmaps.numpy(), protocol)
    keypoints = rescale_points(points, recipe.variant.heatmap_size, recipe.variant.input_size)
    explanation = explain_persons(model, recipe.variant, normalise(pictures).to(compute.device), keypoints)
    grid = Grid.of(recipe.variant)
    write_npz(
        folder / "maps.npz",
        dependency=explanation.dependency,
        affected=explanation.affected,
        queries=explanation.queries,
        keypoints_xy=keypoints,
        keypoint_scores=scores,
        crops=pictures.numpy(),
    )
    records = _person_records(boxes, truth)
    of_kind: dict[AreaKind, np.ndarray] = {"dependency": explanation.dependency, "affected": explanation.affected}
    with atomic_folder(folder / "figures") as figures:
        for person, record in enumerate(records):
            title = f"{recipe.variant.title} on {record['picture']}, person {record['annotation_id']}"
            for kind, areas in of_kind.items():
                shown = ExplainedPerson(
                    pictures[person].numpy(), keypoints[person], scores[person], areas[person], grid
                )
                draw_attention(shown, kind, skeleton, title, figures / f"{person}_{kind}.png", settings.threshold)
    write_json(folder / "persons.json", {"pass": "unflipped", "grid": grid.size, "persons": records})


def choose_persons(annotations: CocoAnnotations, count: int) -> PersonBoxes:
    """Annotated boxes of the persons with most labelled keypoints, the larger first among equals, one a picture.

    Raises:
        InputError: nobody is annotated with keypoints.
    """
    persons, boxes = training_instances(annotations), ground_truth_boxes(annotations)
    if not len(boxes):
        raise InputError(annotations.source, None, "annotations", "nobody to explain: no person with keypoints")
    labelled = (persons.keypoints[:, :, 2] > 0).sum(axis=1)
    order = np.lexsort((boxes.annotation_ids, -persons.areas, -labelled))
    _, first = np.unique(boxes.image_ids[order], return_index=True)
    return boxes.select(order[np.sort(first)[:count]])


def _person_records(boxes: PersonBoxes, annotations: CocoAnnotations) -> list[dict[str, object]]:
    names = annotations.images.file_names
    return [
        {
            "image_id": image_id,
            "picture": names[annotations.image_index(image_id)],
            "annotation_id": annotation_id,
            "box_xywh": box,
        }
        for image_id, annotation_id, box in zip(
            boxes.image_ids.tolist(), boxes.annotation_ids.tolist(), boxes.boxes_xywh.tolist(), strict=True
        )
    ]
