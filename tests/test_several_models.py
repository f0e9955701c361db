"""Several models predict the same persons from the same crops."""

from unittest.mock import patch

import numpy as np

from tests.helpers.pose_models import pose_model
from tests.helpers.run_records import SMALL
from tests.test_pose_model import peaks
from transpose import several_models
from transpose.config.study import EvalProtocol
from transpose.several_models import predict_with_each

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
BOXES = [[20.0, 15, 50, 90], [90, 30, 40, 70]]


def test_each_predicts_as_alone_and_crops_are_cut_once() -> None:
    protocol = EvalProtocol(blur_kernel=3)
    models = [pose_model(peaks, protocol), pose_model(lambda images: -peaks(images), protocol)]
    assert SMALL.variant.input_size == models[0].variant.input_size
    with patch.object(several_models, "crop_boxes", wraps=several_models.crop_boxes) as crop:
        found = predict_with_each(models, IMAGE, BOXES)
    assert crop.call_count == 1
    for model, poses in zip(models, found, strict=True):
        alone = model.predict(IMAGE, BOXES)
        np.testing.assert_array_equal(poses.xy, alone.xy)
        np.testing.assert_array_equal(poses.person_scores, alone.person_scores)
    assert (found[0].scores != found[1].scores).any()
