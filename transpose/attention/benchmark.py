"""How fast attention is captured and explanations are measured; times are no test's business."""

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from transpose.attention.attribution import RANKINGS, gradient_x_input, locality, look_at, rollout
from transpose.attention.capture import capture
from transpose.attention.dependency import encoder_of
from transpose.attention.grid import Grid
from transpose.attention.influence import influence
from transpose.attention.knockout import deletion_and_insertion, knock_out, most_important
from transpose.attention.occlusion import patch_effects, patches
from transpose.attention.randomisation import randomised_models, similarity_of_maps
from transpose.attention.removal import all_layers_removal, last_layer_removal, picture_removal
from transpose.compute import choose_compute, describe_machine
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings
from transpose.config.study import Protocol
from transpose.config.variant import Variant
from transpose.data.crops import normalise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model


class Speed(Settings):
    """Median time of one thing that was timed."""

    name: str
    seconds: float
    per_second: float
    """Persons."""
    ratio: float | None = None
    """Times a plain forward pass, where that is asked."""


class AttentionSpeed(Settings):
    """What attention costs, and on which machine."""

    batch_size: int
    repeats: int
    threads: int
    capturing: tuple[Speed, ...]
    """Passes of a batch, the plain one first."""
    measuring: tuple[Speed, ...]
    """Of one person with all its joints explained."""
    machine: dict[str, str]


def measure_attention_speed(
    variant: Variant,
    keypoints: int,
    settings: AttentionMeasures,
    threads: int,
    batch_size: int,
    repeats: int,
    device: str = "auto",
) -> AttentionSpeed:
    """Time captures and measures on noise, with random weights, which take as long as trained ones.

    All of a kind are timed in turns, so that what else runs on the machine slows them alike.

    Raises:
        InputError: the variant has no encoder.
    """
    encoder_of(variant)
    compute = choose_compute(device, "fp32", threads)
    model = compute.place(build_model(variant, keypoints)).eval()
    crops = torch.randint(0, 256, (batch_size, *variant.input_size, 3), generator=torch.Generator().manual_seed(0))
    images = normalise(crops.to(torch.uint8).to(compute.device))
    passes = _medians(_captures(model, images, Grid.of(variant), keypoints), repeats)
    plain = passes["plain forward pass"]
    measures = _medians(_measures(model, crops[0].to(torch.uint8), images[0], Grid.of(variant), settings), repeats)
    return AttentionSpeed(
        batch_size=batch_size,
        repeats=repeats,
        threads=threads,
        capturing=tuple(
            Speed(name=name, seconds=seconds, per_second=batch_size / seconds, ratio=seconds / plain)
            for name, seconds in passes.items()
        ),
        measuring=tuple(
            Speed(name=name, seconds=seconds, per_second=1 / seconds) for name, seconds in measures.items()
        ),
        machine=describe_machine(compute.device),
    )


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
    protocol = Protocol()
    person = look_at(model, crop, image, _all_joints, grid, protocol)
    count, keypoints = len(RANKINGS), len(person.joints)
    importance = {
        str(ranking): np.random.default_rng(ranking).random((keypoints, grid.tokens)) for ranking in range(count)
    }
    kept = np.stack([~most_important(values, settings.knockout_fraction) for values in importance.values()])
    hidden, near = patches(grid, settings.patch), np.eye(keypoints, grid.tokens, dtype=bool)
    others = randomised_models(model, 0)

    def removals() -> Mapping[str, Callable[[np.ndarray], Tensor]]:
        return {
            "last layer": last_layer_removal(model, person.features),
            "all layers": all_layers_removal(model, person.features),
            "picture": picture_removal(model, person.crop, grid),
        }

    def knocked_out(depth: str) -> Callable[[], object]:
        return lambda: knock_out(removals()[depth], person, kept, grid, protocol)

    def joints_hidden(depth: str) -> Callable[[], object]:
        return lambda: influence(removals()[depth], person, person.points_xy, near, grid, protocol)

    return {
        "forward pass with capture": lambda: look_at(model, crop, image, _all_joints, grid, protocol),
        "rollout": lambda: rollout(person),
        "gradient x input": lambda: gradient_x_input(model, person),
        "locality": lambda: locality(person, grid),
        **{f"knock-out by {count} rankings, {depth}": knocked_out(depth) for depth in removals()},
        "deletion and insertion curves": lambda: deletion_and_insertion(
            removals()["last layer"], person, importance, settings.fractions, grid, protocol
        ),
        "hiding patches": lambda: patch_effects(removals()["picture"], person, hidden, grid, protocol),
        "hiding joints, all layers": joints_hidden("all layers"),
        "hiding joints, picture": joints_hidden("picture"),
        "maps of randomised models": lambda: similarity_of_maps(others, person),
    }


def _all_joints(points_xy: np.ndarray) -> np.ndarray:
    return np.ones(points_xy.shape[:2], dtype=bool)


def _medians(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            # The first turn warms up.
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}
