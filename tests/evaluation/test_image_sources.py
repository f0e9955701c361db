"""Heatmaps of the photographs do not depend on where the images are read from, nor on the batch."""

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
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.study.data_files import PHOTOGRAPHS

VARIANTS = Path(__file__).parents[2] / "config" / "variants"
CPU = DeviceContext(torch.device("cpu"), "fp32", 1)
PERSONS = 6


@pytest.fixture(scope="module", params=["tp_r_a4", "tp_h_s"])
def model(request: pytest.FixtureRequest) -> TransPose:
    model = build_model(load_variant(request.param, VARIANTS), len(COCO_PERSON))
    fill_by_formula(model, request.param)
    return CPU.to_device(model).eval()


def heatmaps_of(model: TransPose, annotation_file: Path, batch_size: int) -> np.ndarray:
    annotations = load_annotations(annotation_file, COCO_PERSON)
    boxes = ground_truth_boxes(annotations).select(np.arange(PERSONS))
    crops = EvaluationCrops(boxes, annotations, image_source_of(annotation_file), (256, 192))
    predicting = pose_model(model, EvalProtocol(flip_test=False))
    return np.concatenate([predicting.predict_heatmaps(batch.crops).numpy() for batch in crops.batches(batch_size)])


@pytest.fixture(scope="module")
def from_folder(model: TransPose) -> np.ndarray:
    return heatmaps_of(model, PHOTOGRAPHS / "annotations.json", PERSONS)


def test_an_archive_gives_the_same_bytes_as_a_folder(model: TransPose, from_folder: np.ndarray, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "val.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for image in (PHOTOGRAPHS / "images").iterdir():
            archive.write(image, f"val2017/{image.name}")
    annotations = tmp_path / "split" / "annotations.json"
    annotations.parent.mkdir()
    annotations.write_bytes((PHOTOGRAPHS / "annotations.json").read_bytes())
    point_to_zip(annotations, tmp_path / "val.zip", "val2017")
    assert np.array_equal(heatmaps_of(model, annotations, PERSONS), from_folder)


def test_one_at_a_time_gives_what_a_batch_does(model: TransPose, from_folder: np.ndarray) -> None:
    alone = heatmaps_of(model, PHOTOGRAPHS / "annotations.json", 1)
    assert np.abs(alone - from_folder).max() <= 1e-5 * np.abs(from_folder).max()
