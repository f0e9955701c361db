"""Outputs of exported files are compared with those of PyTorch."""

import numpy as np
import pytest

from benchmarks.export_equality import Outputs, agreement


def test_differences_are_relative_and_only_confident_keypoints_count() -> None:
    maps = np.zeros((2, 2, 4, 3), dtype=np.float32)
    maps[0, 0, 1, 1] = 2
    points, scores = np.zeros((2, 2, 2)), np.array([[0.9, 0.1], [0.5, 0.2]])
    moved = np.array([[[0.03, 0.0], [9.0, 0.0]], [[0.3, 0.4], [9.0, 0.0]]])
    found = agreement(Outputs(maps, points, scores, 0.5), Outputs(maps + 0.01, moved, scores, 0.4), ("nose", "tail"))
    assert found.heatmap_difference == pytest.approx(0.005)
    assert (found.compared, found.share, found.ap) == (2, 0.5, 0.4)
    (outlier,) = found.outliers
    assert (outlier.person, outlier.keypoint, outlier.score) == (1, "nose", 0.5)
    assert outlier.distance == pytest.approx(0.5)


def test_files_that_return_keypoints_have_no_heatmap_difference() -> None:
    nothing = np.zeros((1, 1, 2)), np.zeros((1, 1)), 0.0
    found = agreement(Outputs(np.ones((1, 1, 2, 2)), *nothing), Outputs(None, *nothing), ("nose",))
    assert (found.heatmap_difference, found.compared, found.share) == (None, 0, 1.0)
