"""Write attention maps of selected persons: arrays, a list of the persons, and figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from transpose.attention.maps.dependency import AttentionAreas, encoder_of
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.study import AttentionMapSettings, EvalProtocol
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.errors import InputError
from transpose.files import atomic_folder, write_json, write_npz
from transpose.pose_model import CropKeypoints, PoseModel
from transpose.reporting.attention_figure import AreaKind, AttentionPanel, draw_attention
from transpose.skeleton import Skeleton
from transpose.study.layout import RecordKind, ResultsLayout, RunFolder, RunId


def write_attention_maps(layout: ResultsLayout, run: RunId, dataset: str, split: str, annotations: Path) -> None:
    """Write `maps.npz`, `persons.json` and `figures/` of the persons that `choose_persons` selects.

    The keypoints are predicted by the protocol (with the flip test, if it has one). The arrays contain the areas of
    both passes; the figures show the unflipped pass.

    Raises:
        InputError: a file is missing or wrong, no person is annotated, the variant has no encoder, or the model has
            diverged.
    """
    skeleton = read_record(Dataset, layout.record(RecordKind.DATASET, dataset)).skeleton
    settings = read_record(AttentionMapSettings, layout.record(RecordKind.ATTENTION_MAPS))
    protocol = read_record(EvalProtocol, layout.record(RecordKind.PROTOCOL))
    folder = layout.attention(run, dataset, split)
    truth = load_annotations(annotations, skeleton)
    boxes = choose_persons(truth, settings.persons)
    model = load_for_attention_maps(layout.train(run), skeleton, protocol)
    crops = EvaluationCrops(boxes, truth, image_source_of(annotations), model.variant.input_size)
    images = crops.batch(np.arange(len(boxes))).crops
    keypoints = model.find_keypoints(images)
    passes = [model.explain(images, keypoints.points_xy, mirrored) for mirrored in (False, True)]
    write_npz(
        folder / "maps.npz",
        **{f"dependency_{areas.image_pass}": areas.dependency for areas in passes},
        **{f"affected_{areas.image_pass}": areas.affected for areas in passes},
        queries=passes[0].queries,
        keypoints_xy=keypoints.points_xy,
        keypoint_scores=keypoints.scores,
        crops=images.numpy(),
    )
    fields = ("image_id", "image", "annotation_id", "box_xywh")
    records = [dict(zip(fields, person, strict=True)) for person in boxed_persons(boxes, truth)]
    names = [f"{record['image']}, person {record['annotation_id']}" for record in records]
    draw_persons(model, images, keypoints, passes[0], names, settings.threshold, folder / "figures")
    figures = {"pass": passes[0].image_pass, "grid": model.grid.size, "persons": records}
    write_json(folder / "persons.json", figures)


def load_for_attention_maps(run: RunFolder, skeleton: Skeleton, protocol: EvalProtocol) -> PoseModel:
    """Load the model of a training run in fp32.

    Raises:
        InputError: the record or the weights are missing or wrong, or the variant has no encoder.
    """
    recipe = read_record(RunRecord, run.record).recipe
    encoder_of(recipe.variant)
    return PoseModel.from_weights(recipe, run.weights, skeleton, protocol, dtype="fp32", compiled=False)


def draw_persons(
    model: PoseModel,
    crops: Tensor,
    keypoints: CropKeypoints,
    explanation: AttentionAreas,
    names: Sequence[str],
    threshold: float,
    folder: Path,
) -> None:
    """Write the figures `0_dependency.png`, `0_affected.png`, ... of P persons into `folder`.

    Args:
        crops: [P, H, W, 3] uint8 RGB.
        names: name of each person in the titles of the figures.
    """
    of_kind: dict[AreaKind, np.ndarray] = {"dependency": explanation.dependency, "affected": explanation.affected}
    with atomic_folder(folder) as figures:
        for person, name in enumerate(names):
            title = f"{model.variant.title} on {name}"
            for kind, areas in of_kind.items():
                shown = AttentionPanel(
                    crops[person].numpy(),
                    keypoints.points_xy[person],
                    keypoints.scores[person],
                    areas[person],
                    model.grid,
                )
                draw_attention(shown, kind, model.skeleton, title, figures / f"{person}_{kind}.png", threshold)


def choose_persons(annotations: CocoAnnotations, count: int) -> PersonBoxes:
    """Return the annotated boxes of the persons with most labelled keypoints, at most one per image.

    Among persons with equal counts the larger one comes first.

    Raises:
        InputError: no person is annotated with keypoints.
    """
    persons, boxes = training_instances(annotations), ground_truth_boxes(annotations)
    if not len(boxes):
        raise InputError("no person with keypoints to explain", file=annotations.source, field="annotations")
    labelled = (persons.keypoints[:, :, 2] > 0).sum(axis=1)
    order = np.lexsort((boxes.annotation_ids, -persons.areas, -labelled))
    _, first = np.unique(boxes.image_ids[order], return_index=True)
    return boxes.select(order[np.sort(first)[:count]])


def boxed_persons(boxes: PersonBoxes, annotations: CocoAnnotations) -> list[tuple[int, str, int, list[float]]]:
    """Return (image id, file name, annotation id, x, y, width and height) of annotated boxes."""
    names = annotations.images.file_names
    columns = (boxes.image_ids.tolist(), boxes.annotation_ids.tolist(), boxes.boxes_xywh.tolist())
    return [
        (image_id, names[annotations.image_index(image_id)], annotation_id, box)
        for image_id, annotation_id, box in zip(*columns, strict=True)
    ]
