"""Models against numbers of the official code: checkpoint keys, heatmaps and attention of every variant found."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.formula_weights import fill_by_formula
from transpose.config.load import load_variant
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import official_state_dict

ROOT = Path(__file__).parents[1]
REFERENCE = Path(os.environ.get("TRANSPOSE_REFERENCE_DIR", ROOT / "tests" / "reference"))
KEYPOINTS = 17


def names_of(prefix: str, suffix: str) -> list[str]:
    return sorted(path.stem.removeprefix(prefix) for path in REFERENCE.glob(f"{prefix}*{suffix}"))


def model_of(variant: str) -> TransPose:
    return build_model(load_variant(variant, ROOT / "config" / "variants"), KEYPOINTS).eval()


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Largest deviation relative to the largest value of the whole array."""
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("variant", names_of("state_dict_", ".json"))
def test_checkpoint_keys_and_shapes(variant: str) -> None:
    expected = json.loads((REFERENCE / f"state_dict_{variant}.json").read_text())
    actual = {key: list(tensor.shape) for key, tensor in official_state_dict(model_of(variant)).items()}
    assert actual == expected


@pytest.mark.parametrize("variant", names_of("forward_", ".npz"))
def test_heatmaps_and_attention(variant: str) -> None:
    golden = np.load(REFERENCE / f"forward_{variant}.npz")
    model = fill_by_formula(model_of(variant), variant)
    input_size = tuple(4 * side for side in golden["heatmaps"].shape[2:])
    noise = np.random.default_rng(int(golden["input_seed"])).standard_normal((1, 3, *input_size))
    images = torch.from_numpy(noise.astype(np.float32))

    with torch.inference_mode():
        fused = model(images)
        heatmaps, attentions = model.forward_with_attention(images)
    assert_close(fused.numpy(), golden["heatmaps"], 1e-5)
    assert_close(heatmaps.numpy(), golden["heatmaps"], 1e-5)

    height, width = model.grid_size(input_size)
    columns, rows = golden["locations_xy"][: golden["dependency"].shape[1]].T
    cells = torch.from_numpy(rows * width + columns)
    averaged = torch.stack([attention[0].mean(dim=0) for attention in attentions])
    dependency = averaged[:, cells].unflatten(-1, (height, width))
    affected = averaged[:, :, cells].transpose(1, 2).unflatten(-1, (height, width))
    assert_close(dependency.numpy(), golden["dependency"], 1e-4)
    assert_close(affected.numpy(), golden["affected"], 1e-4)
