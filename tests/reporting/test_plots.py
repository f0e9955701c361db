from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.sample_results import demo_rows, result_row
from transpose.attention.maps.grid import Grid
from transpose.reporting.attention_figure import AttentionPanel, draw_attention
from transpose.reporting.plots import (
    curve_of_history,
    plot_accuracy_against_cost,
    plot_keypoint_accuracy,
    plot_training,
    spread,
)
from transpose.skeleton import COCO_PERSON

HISTORY = [
    {"epoch": 0, "loss": 0.004, "validation": None},
    {"epoch": 1, "loss": 0.002, "validation": {"AP": 0.3}},
    {"epoch": 2, "loss": 0.001, "validation": {"AP": 0.4}},
]

GRID = Grid((16, 12), (32, 24), (128, 96))


def one_evaluation():
    return [row for row in demo_rows() if (row.key.dataset, row.key.boxes) == ("synthetic", "simulated")]


def drawn(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    assert image.std() > 5
    return image


@pytest.mark.parametrize("plot", [plot_accuracy_against_cost, plot_keypoint_accuracy])
def test_figures_of_results(plot, tmp_path: Path):
    plot(one_evaluation(), tmp_path / "a.png")
    plot(one_evaluation(), tmp_path / "b.png")
    drawn(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("plot", [plot_accuracy_against_cost, plot_keypoint_accuracy])
def test_figures_refuse_to_mix(plot, tmp_path: Path):
    with pytest.raises(ValueError, match="one data set, split, box source and protocol"):
        plot(demo_rows(), tmp_path / "mixed.png")
    with pytest.raises(ValueError, match="different images or persons"):
        plot([result_row("tp_r_a3"), result_row("tp_h_s", persons=1)], tmp_path / "mixed.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plot", [plot_accuracy_against_cost, plot_keypoint_accuracy])
@pytest.mark.parametrize("aps", [(), (-1.0,)])
def test_figures_without_anything_measured(plot, aps, tmp_path: Path):
    plot([result_row("tp_r_a3", aps, title="a $weird_title")], tmp_path / "empty.png")
    drawn(tmp_path / "empty.png")


def test_training_curves(tmp_path: Path):
    curve = curve_of_history("r_sine", 0, HISTORY)
    assert curve.validated_epochs == [1, 2]
    assert curve.values == [0.3, 0.4]
    curves = [curve, curve_of_history("r_sine", 1, HISTORY), curve_of_history("r_no_position", 0, [])]
    plot_training(curves, tmp_path / "t.png")
    drawn(tmp_path / "t.png")


def person(rng: np.random.Generator, layers: int = 2) -> AttentionPanel:
    crop = rng.integers(0, 255, (128, 96, 3), dtype=np.uint8)
    areas = rng.dirichlet(np.full(GRID.tokens, 0.5), (layers, len(COCO_PERSON))).astype(np.float32)
    points = rng.uniform((0, 0), (95, 127), (len(COCO_PERSON), 2))
    return AttentionPanel(crop, points, np.linspace(0, 1, len(COCO_PERSON)), areas, GRID)


@pytest.mark.parametrize("kind", ["dependency", "affected"])
def test_attention_figure(kind, tmp_path: Path):
    explained = person(np.random.default_rng(0))
    draw_attention(explained, kind, COCO_PERSON, "R small $x, person 1", tmp_path / "p.png")
    image = drawn(tmp_path / "p.png")
    assert image.shape[1] > 1500
    assert (tmp_path / "p.png").stat().st_size < 1_500_000


def test_attention_panels_share_one_scale(tmp_path: Path):
    """An area is drawn the same way next to weak and strong ones; the strongest one sets the scale."""
    rng = np.random.default_rng(0)
    explained = person(rng, layers=2)
    explained.areas[0] = 1 / 192
    explained.areas[1] = 1 / 192
    explained.areas[1, 3, 8 * 12 + 6] = 0.5
    explained.areas[0, 5, 8 * 12 + 6] = 0.5
    draw_attention(explained, "dependency", COCO_PERSON, "planted", tmp_path / "p.png", threshold=1.5)
    image = drawn(tmp_path / "p.png").astype(int)
    colourful = np.ptp(image, axis=2) > 60
    columns = np.flatnonzero(colourful[80:, 34 + 99 : -92].any(axis=0)) // 99
    assert set(columns) == {3, 5}


def test_keypoints_outside_the_crop_and_flat_attention(tmp_path: Path):
    explained = person(np.random.default_rng(0), layers=1)
    explained.keypoints_xy[0] = (-40, 900)
    explained.areas[:] = 1 / 192
    draw_attention(explained, "affected", COCO_PERSON, "flat", tmp_path / "p.png")
    drawn(tmp_path / "p.png")


@pytest.mark.parametrize("plot", [plot_accuracy_against_cost, plot_keypoint_accuracy])
def test_figures_for_papers_are_the_same_every_time(plot, tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plot(one_evaluation(), tmp_path / name / "figure.png")
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("a", "b"))
    assert first.startswith(b"<?xml")
    assert first == second


def test_models_of_equal_cost_are_drawn_side_by_side():
    first, second, third = spread([1.0, 2.0, 1.0])
    assert second == 2.0
    assert third - first == pytest.approx(0.025)
    assert (first + third) / 2 == pytest.approx(1.0)
    assert spread([3.0, 3.0])[0] < 3.0 < spread([3.0, 3.0])[1]
    assert spread([]) == []
