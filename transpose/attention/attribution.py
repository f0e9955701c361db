"""What a keypoint's prediction is said to depend on: cells of the grid ranked by attention, and by its rivals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.capture import LayerAttention, capture
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import (
    MATCH_OKS,
    ExplainedPersons,
    FoundKeypoints,
    GroundTruth,
    heatmaps_of,
    locate_keypoints,
)
from transpose.config.study import EvalProtocol
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel

RANKINGS = ("attention", "rollout", "gradient_x_input", "distance", "random", "least_attended")
"""What `attributions` ranks cells by."""


@dataclass(frozen=True)
class ExplainedPerson:
    """One person, what the model makes of it in its unflipped pass, and J of its keypoints that are to be explained."""

    crop: np.ndarray
    """[H, W, 3] uint8 RGB."""
    features: Tensor
    """[dim, h, w]: what the encoder receives."""
    layers: Sequence[LayerAttention]
    """Of a batch of one, first layer first."""
    heatmaps: np.ndarray
    """[K, h, w] float32."""
    found: FoundKeypoints
    """Of a batch of one."""
    keypoints: np.ndarray
    """[J] int64: the keypoints to explain."""
    queries: np.ndarray
    """[J] int64: the tokens of the cells that hold them as found."""

    @property
    def points_xy(self) -> np.ndarray:
        """[J, 2] float64: the keypoints as found, crop pixels."""
        return self.found.points_xy[0, self.keypoints]

    @property
    def peak_cells(self) -> np.ndarray:
        """[J] int64: cells of the heatmaps' maxima."""
        return self.found.peak_cells[0, self.keypoints]


@torch.inference_mode()
def explain_instance(
    model: TransPose,
    crop: Tensor,
    image: Tensor,
    well_found: Callable[[np.ndarray], np.ndarray],
    grid: Grid,
    protocol: EvalProtocol,
) -> ExplainedPerson:
    """Run a person through the model and keep what explanations need.

    Args:
        crop: [H, W, 3] uint8.
        image: [3, H, W], the crop normalised, on the model's device.
        well_found: from points [1, K, 2] in crop pixels to [1, K] bool: the keypoints to explain.

    Raises:
        FloatingPointError: a heatmap is not finite.
    """
    features = model.features(image[None])
    encoded, layers = capture(model, features)
    heatmaps = heatmaps_of(model, encoded).cpu()
    found = locate_keypoints(heatmaps, grid, protocol)
    keypoints = np.flatnonzero(well_found(found.points_xy)[0])
    queries = grid.tokens_at(found.points_xy[0, keypoints])
    return ExplainedPerson(crop.numpy(), features[0], layers, heatmaps[0].numpy(), found, keypoints, queries)


def evaluated_instances(
    model: PoseModel, persons: ExplainedPersons
) -> Iterator[tuple[int, ExplainedPerson, GroundTruth]]:
    """Persons of whom the model finds a keypoint well, those keypoints being explained: position, person, its truth
    alone.

    Raises:
        InputError: an image is missing or broken.
        FloatingPointError: a heatmap is not finite.
    """
    for batch in persons.batches(model.protocol.batch_size):
        images = batch.images(model.context.device)
        for index, crop, image in zip(batch.index.tolist(), batch.crops, images, strict=True):
            truth = persons.truth.select(np.array([index]))

            def well_found(points_xy: np.ndarray, truth: GroundTruth = truth) -> np.ndarray:
                return truth.similarity(points_xy, model.skeleton) >= MATCH_OKS

            person = explain_instance(model.network, crop, image, well_found, model.grid, model.protocol)
            if len(person.keypoints):
                yield index, person, truth


def random_cells_of(truth: GroundTruth, seed: int) -> np.random.Generator:
    """What draws random cells for the one person of a truth: the person's own, whoever else is tried."""
    return np.random.default_rng((seed, int(truth.annotation_ids[0])))


def attributions(
    model: TransPose, person: ExplainedPerson, grid: Grid, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Importance of every cell for each keypoint's prediction, by each method: [J, L], more important being larger.

    `attention` is the last layer's row of the keypoint's cell, averaged over heads: the paper's dependency area.
    """
    attention = attention_rows(person)
    return {
        "attention": attention,
        "rollout": rollout(person),
        "gradient_x_input": gradient_x_input(model, person),
        "distance": distance(person, grid),
        "random": rng.random(attention.shape),
        "least_attended": -attention,
    }


def attention_rows(person: ExplainedPerson) -> np.ndarray:
    """[J, L] float64: the last layer's attention of the keypoints' cells, averaged over heads."""
    last = person.layers[-1]
    rows = last.rows(torch.as_tensor(person.queries, device=last.query.device)[None])
    return rows[0].mean(dim=0).cpu().double().numpy()


def rollout(person: ExplainedPerson) -> np.ndarray:
    """Attention rollout (Abnar and Zuidema 2020): layers multiplied, each half attention and half residual. [J, L]."""
    device = person.features.device
    reached = torch.nn.functional.one_hot(
        torch.as_tensor(person.queries, device=device), person.layers[0].tokens
    ).float()
    for layer in reversed(person.layers):
        reached = 0.5 * reached + 0.5 * reached @ layer.matrix()[0].mean(dim=0)
    return reached.cpu().double().numpy()


def gradient_x_input(model: TransPose, person: ExplainedPerson) -> np.ndarray:
    """Gradient of each keypoint's heatmap at its maximum, times the encoder's input, summed over channels. [J, L].

    Signed: cells that would lower the maximum rank last.
    """
    keypoints = torch.as_tensor(person.keypoints)
    # Inference tensors take no part in autograd; a clone does.
    inputs = person.features.clone()[None].repeat(len(keypoints), 1, 1, 1).requires_grad_()
    with torch.enable_grad():
        heatmaps = model.predict_heatmaps(model.encode(inputs)).flatten(2)
        peaks = heatmaps[torch.arange(len(keypoints)), keypoints, torch.as_tensor(person.peak_cells)]
        (gradient,) = torch.autograd.grad(peaks.sum(), inputs)
    return (gradient * inputs).detach().sum(dim=1).flatten(1).cpu().double().numpy()


def distance(person: ExplainedPerson, grid: Grid) -> np.ndarray:
    """Nearness to the keypoint as found: what a Gaussian around it ranks, whatever the image shows. [J, L]."""
    offsets = grid.centres() - person.points_xy[:, None]
    return -np.hypot(offsets[..., 0], offsets[..., 1])
