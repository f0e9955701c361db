"""Attribution of keypoint predictions to grid cells: by attention, and by other methods and baselines."""

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
"""The methods of `attributions`."""


@dataclass(frozen=True)
class ExplainedPerson:
    """One person, the model's outputs for its unflipped crop, and the J keypoints to explain."""

    crop: np.ndarray
    """[H, W, 3] uint8 RGB."""
    features: Tensor
    """[dim, h, w]: input of the encoder."""
    layers: Sequence[LayerAttention]
    """Attention of each layer, for a batch of one."""
    heatmaps: np.ndarray
    """[K, h, w] float32."""
    found: FoundKeypoints
    """Predicted keypoints, for a batch of one."""
    keypoints: np.ndarray
    """[J] int64: indices of the keypoints to explain."""
    queries: np.ndarray
    """[J] int64: tokens of the cells that contain the predicted keypoints."""

    @property
    def points_xy(self) -> np.ndarray:
        """[J, 2] float64: predicted keypoints, crop pixels."""
        return self.found.points_xy[0, self.keypoints]

    @property
    def peak_cells(self) -> np.ndarray:
        """[J] int64: heatmap pixel of each maximum, y * width + x."""
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
    """Run the model on one person and keep the data that attributions need.

    Args:
        crop: [H, W, 3] uint8.
        image: [3, H, W] normalised crop on the model's device.
        well_found: maps points [1, K, 2] in crop pixels to [1, K] bool, the keypoints to explain.

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
    """Yield (index, person, ground truth of this person) for persons with at least one well-predicted keypoint.

    The well-predicted keypoints (similarity of at least `MATCH_OKS`) are the ones to explain.

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
    """Return the random generator of one person; it does not depend on which other persons are evaluated."""
    return np.random.default_rng((seed, int(truth.annotation_ids[0])))


def attributions(
    model: TransPose, person: ExplainedPerson, grid: Grid, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the importance [J, L] of every cell for each keypoint's prediction, by method; larger is more important.

    `attention` is the last layer's attention row of the keypoint's cell, averaged over heads: the paper's dependency
    area.
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
    """Return [J, L] float64: last-layer attention rows of the keypoints' cells, averaged over heads."""
    last = person.layers[-1]
    rows = last.rows(torch.as_tensor(person.queries, device=last.query.device)[None])
    return rows[0].mean(dim=0).cpu().double().numpy()


def rollout(person: ExplainedPerson) -> np.ndarray:
    """Attention rollout [J, L] (Abnar and Zuidema 2020): product of the layers, each half attention, half identity."""
    device = person.features.device
    reached = torch.nn.functional.one_hot(
        torch.as_tensor(person.queries, device=device), person.layers[0].tokens
    ).float()
    for layer in reversed(person.layers):
        reached = 0.5 * reached + 0.5 * reached @ layer.matrix()[0].mean(dim=0)
    return reached.cpu().double().numpy()


def gradient_x_input(model: TransPose, person: ExplainedPerson) -> np.ndarray:
    """Gradient of each heatmap's maximum times the encoder's input, summed over channels: [J, L].

    Signed: cells that lower the maximum rank last.
    """
    keypoints = torch.as_tensor(person.keypoints)
    # Autograd refuses inference tensors but accepts a clone.
    inputs = person.features.clone()[None].repeat(len(keypoints), 1, 1, 1).requires_grad_()
    with torch.enable_grad():
        heatmaps = model.predict_heatmaps(model.encode(inputs)).flatten(2)
        peaks = heatmaps[torch.arange(len(keypoints)), keypoints, torch.as_tensor(person.peak_cells)]
        (gradient,) = torch.autograd.grad(peaks.sum(), inputs)
    return (gradient * inputs).detach().sum(dim=1).flatten(1).cpu().double().numpy()


def distance(person: ExplainedPerson, grid: Grid) -> np.ndarray:
    """Negative distance to the predicted keypoint [J, L]: a baseline that does not use the image."""
    offsets = grid.centres() - person.points_xy[:, None]
    return -np.hypot(offsets[..., 0], offsets[..., 1])
