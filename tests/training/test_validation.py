"""Each person is predicted exactly once, however many processes share the boxes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.small_variants import small_variant
from tests.training.processes import results_of
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.device import DeviceContext
from transpose.inference.predictions import Predictions
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.training import validation
from transpose.training.data import TrainingData
from transpose.training.distributed import ALONE, ProcessGroup
from transpose.training.interruption import StopRequest

CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


def validate(group: ProcessGroup, folder: Path) -> tuple[dict[str, float], list[Predictions]]:
    """The figures in this process, and the predictions that it evaluated."""
    torch.manual_seed(group.rank)
    model = build_model(small_variant("resnet"), len(COCO_PERSON))
    # The figures below can only agree if statistics and weights do.
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    if not group.is_main:
        for buffer in model.buffers():
            buffer.zero_()
    evaluated: list[Predictions] = []

    def keep(predictions: Predictions, *rest: Any, **options: Any) -> Any:
        evaluated.append(predictions)
        return finish(predictions, *rest, **options)

    finish, validation.finish_predictions = validation.finish_predictions, keep
    try:
        recipe = Recipe(name="small", variant=small_variant("resnet"), training=Training(gpus=group.size))
        data = TrainingData(folder / "annotations.json", folder / "annotations.json", COCO_PERSON)
        function = validation.validator(recipe, data, EvalProtocol(batch_size=2), CPU, folder, group)
        return function(model.eval(), StopRequest()), evaluated
    finally:
        validation.finish_predictions = finish


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3, 5])
def test_each_person_is_evaluated_once_whatever_the_number_of_processes(tiny_dataset: Path, processes: int) -> None:
    # Four persons: two shares of two, shares of 2, 1 and 1, and five processes one of them without persons.
    boxes = ground_truth_boxes(load_annotations(tiny_dataset / "annotations.json", COCO_PERSON))
    figures, [alone] = validate(ALONE, tiny_dataset)
    assert len(alone.areas) == len(set(alone.areas.tolist())) == len(boxes) == 4
    leader, *others = results_of(processes, validate, tiny_dataset)
    (together,) = leader[1]
    assert np.array_equal(together.areas, alone.areas)
    np.testing.assert_allclose(together.keypoints_xy, alone.keypoints_xy, atol=1e-3)
    np.testing.assert_allclose(together.keypoint_scores, alone.keypoint_scores, rtol=1e-4, atol=1e-6)
    assert leader[0] == pytest.approx(figures)
    for own_figures, evaluated in others:
        assert own_figures == leader[0]
        assert evaluated == []
