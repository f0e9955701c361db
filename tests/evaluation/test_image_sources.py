"""Crops do not depend on where the images are read from, nor heatmaps on the batch."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.formula_weights import fill_by_formula
from tests.helpers.pose_models import pose_model
from transpose.config.load import load_variant
from transpose.config.study import EvalProtocol
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of, point_to_zip
from transpose.data.loader import EvaluationCrops
from transpose.device import DeviceContext
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.study.data_files import PHOTOGRAPHS

VARIANTS = Path(__file__).parents[2] / "config" / "variants"
CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


def crops_of(annotation_file: Path) -> torch.Tensor:
    annotations = load_annotations(annotation_file, COCO_PERSON)
    boxes = ground_truth_boxes(annotations)
    (batch,) = EvaluationCrops(boxes, annotations, image_source_of(annotation_file), (256, 192)).batches(len(boxes))
    return batch.crops


def test_an_archive_gives_the_same_bytes_as_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "val.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for image in (PHOTOGRAPHS / "images").iterdir():
            archive.write(image, f"val2017/{image.name}")
    annotations = tmp_path / "split" / "annotations.json"
    annotations.parent.mkdir()
    annotations.write_bytes((PHOTOGRAPHS / "annotations.json").read_bytes())
    point_to_zip(annotations, tmp_path / "val.zip", "val2017")
    assert torch.equal(crops_of(annotations), crops_of(PHOTOGRAPHS / "annotations.json"))


@pytest.mark.parametrize("name", ["tp_r_a4", "tp_h_s"])
def test_one_at_a_time_gives_what_a_batch_does(name: str) -> None:
    model = build_model(load_variant(name, VARIANTS), len(COCO_PERSON))
    fill_by_formula(model, name)
    predicting = pose_model(CPU.to_device(model).eval(), EvalProtocol(flip_test=False))
    crops = crops_of(PHOTOGRAPHS / "annotations.json")[:3]
    together = predicting.predict_heatmaps(crops).numpy()
    alone = np.concatenate([predicting.predict_heatmaps(crop[None]).numpy() for crop in crops])
    assert np.abs(alone - together).max() <= 1e-5 * np.abs(together).max()
