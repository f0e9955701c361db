"""Attribution of keypoint predictions to grid cells: by attention, and by other methods and baselines."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from transpose.attention.maps.capture import LayerAttention, capture
from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import ExplainedPerson
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel

RANKINGS = ("attention", "rollout", "gradient_x_input", "distance", "random", "least_attended")
"""The methods of `attributions`."""


def attributions(model: PoseModel, person: ExplainedPerson, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the importance [J, L] of every cell for each keypoint's prediction, by method; larger is more important.

    `attention` is the last layer's attention row of the keypoint's cell, averaged over heads: the paper's dependency
    area.
    """
    attention = attention_rows(person.layers, person.queries)
    return {
        "attention": attention,
        "rollout": rollout(person),
        "gradient_x_input": gradient_x_input(model.network, person),
        "distance": distance(person, model.grid),
        "random": rng.random(attention.shape),
        "least_attended": -attention,
    }


def attention_rows(layers: Sequence[LayerAttention], queries: np.ndarray) -> np.ndarray:
    """Return [J, L] float64: last-layer attention rows of tokens [J] of one person, averaged over heads."""
    rows = layers[-1].rows(torch.as_tensor(queries, device=layers[-1].query.device)[None])
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


def randomised_models(model: TransPose, seed: int) -> list[TransPose]:
    """Return copies of the model with the last encoder layer, the last two, ..., and finally all layers randomised.

    For the sanity check of Adebayo et al. (2018): attention maps must change when the weights are randomised. Matrices
    are initialised again; the values of vectors are shuffled.
    """
    models: list[TransPose] = []
    generator = torch.Generator().manual_seed(seed)
    latest = model
    for layer in reversed(range(len(encoder_of_model(model).layers))):
        latest = copy.deepcopy(latest)
        for parameter in encoder_of_model(latest).layers[layer].parameters():
            _draw(parameter, generator)
        models.append(latest)
    return models


@torch.inference_mode()
def similarity_of_maps(models: Sequence[TransPose], person: ExplainedPerson) -> np.ndarray:
    """Return [models, J]: rank correlation of each dependency area with that of each model at the same cell."""
    original = attention_rows(person.layers, person.queries)
    others = (attention_rows(capture(model, person.features[None])[1], person.queries) for model in models)
    return np.stack([rank_correlation(original, rows) for rows in others])


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation [...] along the last axis of a and b [..., N].

    NaN where one of them is constant or contains NaN.
    """
    from scipy.stats import rankdata  # takes a second to import

    a_from_mean, b_from_mean = (rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (a, b))
    spread = np.sqrt((a_from_mean**2).sum(axis=-1) * (b_from_mean**2).sum(axis=-1))
    together = (a_from_mean * b_from_mean).sum(axis=-1)
    return np.divide(together, spread, out=np.full(together.shape, np.nan), where=spread > 0)


@torch.no_grad()
def _draw(parameter: nn.Parameter, generator: torch.Generator) -> None:
    """Draw matrices Xavier-uniform, as in the initialisation; shuffle the values of vectors."""
    if parameter.dim() > 1:
        drawn = torch.empty(parameter.shape)
        nn.init.xavier_uniform_(drawn, generator=generator)
        parameter.copy_(drawn)
    else:
        parameter.copy_(parameter[torch.randperm(len(parameter), generator=generator).to(parameter.device)])
