"""Benchmarks of attention capture and of the attention measures, on the demo's R model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from transpose.attention.attribution import (
    RANKINGS,
    distance,
    gradient_x_input,
    randomised_models,
    rollout,
    similarity_of_maps,
)
from transpose.attention.influence import influence, patch_effects, patches
from transpose.attention.maps.capture import LayerAttention, capture
from transpose.attention.masking import (
    deletion_and_insertion,
    knock_out,
    mask_all_layers,
    mask_image,
    mask_last_layer,
    most_important,
)
from transpose.attention.persons import ExplainedPerson, explain_instance
from transpose.benchmark.networks import BenchmarkedNetwork
from transpose.config.attention import AttentionMeasures
from transpose.config.load import load_any_variant
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.data.normalise import normalise
from transpose.inference.runtime import torch_runtime
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

VARIANT = Path(__file__).parents[1] / "config" / "variants" / "r_sine.yaml"
BATCH_SIZE = 16
SETTINGS = AttentionMeasures()


@dataclass(frozen=True)
class Subject:
    """A model, a batch of random crops, and what the measures of the first crop start from."""

    model: PoseModel
    crops: Tensor
    """[B, H, W, 3] uint8."""
    images: Tensor
    """[B, 3, H, W], the normalised crops."""
    person: ExplainedPerson
    importance: dict[str, np.ndarray]
    """Random importance [K, tokens] for each ranking."""
    kept: np.ndarray
    """[rankings, K, tokens] bool: tokens that a knock-out keeps."""
    randomised: list[TransPose]

    def tokens(self) -> Tensor:
        """Draw a token [B, K] for each keypoint."""
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, self.model.grid.tokens, (BATCH_SIZE, len(COCO_PERSON)), generator=generator)

    def explain(self) -> ExplainedPerson:
        """Predict the first crop and capture its attention."""
        return explain_instance(self.model, self.crops[0], _all_keypoints)

    def mask(self, depth: str) -> Callable[[np.ndarray], Tensor]:
        """Return the masking of tokens in the last layer, in all layers or in the image."""
        if depth == "image":
            return mask_image(self.model.network, self.person.crop, self.model.grid)
        mask = mask_last_layer if depth == "last layer" else mask_all_layers
        return mask(self.model.network, self.person.features)

    def knock_out(self, depth: str) -> object:
        """Mask the most important tokens of each keypoint by each ranking."""
        return knock_out(self.model, self.mask(depth), self.person, self.kept)

    def mask_keypoints(self, depth: str) -> object:
        """Mask the tokens at each keypoint."""
        near = np.eye(len(self.person.keypoints), self.model.grid.tokens, dtype=bool)
        return influence(self.model, self.mask(depth), self.person, self.person.points_xy, near)

    def delete_and_insert(self) -> object:
        """Compute the deletion and insertion curves by each ranking."""
        mask = self.mask("last layer")
        return deletion_and_insertion(self.model, mask, self.person, self.importance, SETTINGS.fractions)

    def mask_patches(self) -> object:
        """Mask each patch of the image."""
        hidden = patches(self.model.grid, SETTINGS.patch)
        return patch_effects(self.model, self.mask("image"), self.person, hidden)


def _all_keypoints(points_xy: np.ndarray) -> np.ndarray:
    return np.ones(points_xy.shape[:2], dtype=bool)


@pytest.fixture(scope="module")
def subject() -> Subject:
    variant = load_any_variant(VARIANT)
    network = BenchmarkedNetwork(variant, BATCH_SIZE, device="cpu", threads=1)
    recipe, context = Recipe(name="benchmark", variant=variant, training=Training()), network.context()
    optimized, crops = optimize_for_inference(network.model(), context), network.crops()
    runtime = torch_runtime(context, attends=True)
    model = PoseModel(optimized, recipe, COCO_PERSON, EvalProtocol(), context, Path("random weights"), runtime)
    person = explain_instance(model, crops[0], _all_keypoints)
    rng = np.random.default_rng(0)
    importance = {ranking: rng.random((len(person.keypoints), model.grid.tokens)) for ranking in RANKINGS}
    kept = np.stack([~most_important(values, SETTINGS.knockout_fraction) for values in importance.values()])
    return Subject(model, crops, normalise(crops), person, importance, kept, randomised_models(optimized, 0))


@pytest.mark.benchmark(group=f"forward pass of a batch of {BATCH_SIZE}")
@torch.inference_mode()
def test_plain_forward_pass(benchmark: BenchmarkFixture, subject: Subject) -> None:
    benchmark.pedantic(subject.model.network, (subject.images,), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group=f"forward pass of a batch of {BATCH_SIZE}")
@pytest.mark.parametrize("parts", [("rows",), ("rows", "columns"), ("sum",)], ids=" and ".join)
@torch.inference_mode()
def test_capture(benchmark: BenchmarkFixture, subject: Subject, parts: tuple[str, ...]) -> None:
    tokens = subject.tokens()

    def part_of(layer: LayerAttention, part: str) -> Tensor:
        if part == "sum":
            return layer.summed()
        return layer.rows(tokens) if part == "rows" else layer.columns(tokens)

    def run() -> object:
        encoded, layers = capture(subject.model.network, subject.model.network.features(subject.images))
        captured = [part_of(layer, part) for layer in layers for part in parts]
        return subject.model.network.predict_heatmaps(encoded), captured

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)


MEASURES: Mapping[str, Callable[[Subject], object]] = {
    "forward pass with capture": lambda subject: subject.explain(),
    "rollout": lambda subject: rollout(subject.person),
    "gradient x input": lambda subject: gradient_x_input(subject.model.network, subject.person),
    "distance": lambda subject: distance(subject.person, subject.model.grid),
    "knock-out, last layer": lambda subject: subject.knock_out("last layer"),
    "knock-out, all layers": lambda subject: subject.knock_out("all layers"),
    "knock-out, image": lambda subject: subject.knock_out("image"),
    "deletion and insertion curves": lambda subject: subject.delete_and_insert(),
    "masking patches": lambda subject: subject.mask_patches(),
    "masking keypoints, all layers": lambda subject: subject.mask_keypoints("all layers"),
    "masking keypoints, image": lambda subject: subject.mask_keypoints("image"),
    "maps of randomised models": lambda subject: similarity_of_maps(subject.randomised, subject.person),
}


@pytest.mark.benchmark(group="attention measures, all keypoints of a person")
@pytest.mark.parametrize("measure", list(MEASURES.values()), ids=list(MEASURES))
def test_measure(benchmark: BenchmarkFixture, subject: Subject, measure: Callable[[Subject], object]) -> None:
    benchmark.pedantic(measure, (subject,), rounds=3, warmup_rounds=1)
