"""Sanity check of Adebayo et al. (2018): attention maps must change when the model's weights are randomised."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from transpose.attention.attribution import ExplainedPerson, attention_rows
from transpose.attention.maps.capture import capture
from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.ranks import rank_correlation
from transpose.models.transpose import TransPose


def randomised_models(model: TransPose, seed: int) -> list[TransPose]:
    """Return copies of the model with the last encoder layer, the last two, ..., and finally all layers randomised.

    Matrices are initialised again; the values of vectors are shuffled.
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
    original = attention_rows(person)
    correlations = []
    for other in models:
        _, layers = capture(other, person.features[None])
        rows = layers[-1].rows(torch.as_tensor(person.queries, device=person.features.device)[None])
        correlations.append(rank_correlation(original, rows[0].mean(dim=0).cpu().double().numpy()))
    return np.stack(correlations)


@torch.no_grad()
def _draw(parameter: nn.Parameter, generator: torch.Generator) -> None:
    """Draw matrices Xavier-uniform, as in the initialisation; shuffle the values of vectors."""
    if parameter.dim() > 1:
        drawn = torch.empty(parameter.shape)
        nn.init.xavier_uniform_(drawn, generator=generator)
        parameter.copy_(drawn)
    else:
        parameter.copy_(parameter[torch.randperm(len(parameter), generator=generator).to(parameter.device)])
