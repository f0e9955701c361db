"""Benchmarks of attention capture and of the attention analyses."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from transpose.attention.attribution import RANKINGS, distance, explain_instance, gradient_x_input, rollout
from transpose.attention.influence import influence
from transpose.attention.knockout import deletion_and_insertion, knock_out, most_important
from transpose.attention.maps.capture import capture
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import mask_all_layers, mask_image, mask_last_layer
from transpose.attention.occlusion import patch_effects, patches
from transpose.attention.randomisation import randomised_models, similarity_of_maps
from transpose.benchmark.comparison import Candidate, SpeedComparison, compare_speed
from transpose.benchmark.networks import BenchmarkedNetwork
from transpose.config.attention import AttentionMeasures
from transpose.config.study import EvalProtocol
from transpose.data.crops import normalise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.skeleton import COCO_PERSON


def compare_captures(network: BenchmarkedNetwork, rounds: int) -> SpeedComparison:
    """Time forward passes that return attention against a plain forward pass; for a variant with an encoder."""
    context = network.context()
    model = optimize_for_inference(network.model(), context)
    images = normalise(context.send(network.crops()))
    title = f"{network.variant.title}, capture of attention, batch {network.batch_size}"
    passes = _captures(model, images, Grid.of(network.variant), len(COCO_PERSON))
    return compare_speed(title, "images", network.batch_size, _candidates(passes), rounds)


def compare_measures(network: BenchmarkedNetwork, settings: AttentionMeasures, rounds: int) -> SpeedComparison:
    """Time each attention measure, and the forward pass before it, for one person with all keypoints."""
    context = network.context()
    model = optimize_for_inference(network.model(), context)
    crop = network.crops()[0]
    image = normalise(context.send(crop[None]))[0]
    measures = _measures(model, crop, image, Grid.of(network.variant), settings)
    title = f"{network.variant.title}, measures of attention, all keypoints of a person"
    return compare_speed(title, "persons", 1, _candidates(measures), rounds)


def _candidates(actions: Mapping[str, Callable[[], object]]) -> list[Candidate]:
    return [Candidate(name, action) for name, action in actions.items()]


def _captures(model: TransPose, images: Tensor, grid: Grid, keypoints: int) -> dict[str, Callable[[], object]]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, grid.tokens, (len(images), keypoints), generator=generator).to(images.device)

    def captured(*wanted: str) -> Callable[[], object]:
        @torch.inference_mode()
        def run() -> object:
            encoded, layers = capture(model, model.features(images))
            parts = {"rows": lambda layer: layer.rows(tokens), "columns": lambda layer: layer.columns(tokens)}
            parts["sum"] = lambda layer: layer.summed()
            return model.predict_heatmaps(encoded), [parts[name](layer) for layer in layers for name in wanted]

        return run

    return {
        "plain forward pass": torch.inference_mode()(lambda: model(images)),
        "rows of all keypoints, all layers": captured("rows"),
        "rows and columns of all keypoints, all layers": captured("rows", "columns"),
        "sum over persons, all layers": captured("sum"),
    }


def _measures(
    model: TransPose, crop: Tensor, image: Tensor, grid: Grid, settings: AttentionMeasures
) -> dict[str, Callable[[], object]]:
    protocol = EvalProtocol()
    person = explain_instance(model, crop, image, _all_keypoints, grid, protocol)
    count, keypoints = len(RANKINGS), len(person.keypoints)
    importance = {
        str(ranking): np.random.default_rng(ranking).random((keypoints, grid.tokens)) for ranking in range(count)
    }
    kept = np.stack([~most_important(values, settings.knockout_fraction) for values in importance.values()])
    hidden, near = patches(grid, settings.patch), np.eye(keypoints, grid.tokens, dtype=bool)
    others = randomised_models(model, 0)

    def maskings() -> Mapping[str, Callable[[np.ndarray], Tensor]]:
        return {
            "last layer": mask_last_layer(model, person.features),
            "all layers": mask_all_layers(model, person.features),
            "image": mask_image(model, person.crop, grid),
        }

    def knocked_out(depth: str) -> Callable[[], object]:
        return lambda: knock_out(maskings()[depth], person, kept, grid, protocol)

    def keypoints_masked(depth: str) -> Callable[[], object]:
        return lambda: influence(maskings()[depth], person, person.points_xy, near, grid, protocol)

    return {
        "forward pass with capture": lambda: explain_instance(model, crop, image, _all_keypoints, grid, protocol),
        "rollout": lambda: rollout(person),
        "gradient x input": lambda: gradient_x_input(model, person),
        "distance": lambda: distance(person, grid),
        **{f"knock-out by {count} rankings, {depth}": knocked_out(depth) for depth in maskings()},
        "deletion and insertion curves": lambda: deletion_and_insertion(
            maskings()["last layer"], person, importance, settings.fractions, grid, protocol
        ),
        "masking patches": lambda: patch_effects(maskings()["image"], person, hidden, grid, protocol),
        "masking keypoints, all layers": keypoints_masked("all layers"),
        "masking keypoints, image": keypoints_masked("image"),
        "maps of randomised models": lambda: similarity_of_maps(others, person),
    }


def _all_keypoints(points_xy: np.ndarray) -> np.ndarray:
    return np.ones(points_xy.shape[:2], dtype=bool)
