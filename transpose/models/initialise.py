"""Weight initialisation (matches the official training code; paper, section 4.1)."""

import math
from typing import Literal

import torch
from torch import nn

from transpose.models.encoder import EncoderLayer, TransformerEncoder
from transpose.models.resnet import ResNet
from transpose.models.transpose import TransPose


@torch.no_grad()
def initialise(
    model: TransPose,
    how: Literal["official", "kaiming"],
    pretrained_backbone: bool,
    generator: torch.Generator | None = None,
) -> None:
    """Initialise all weights of the model; load pretrained backbone weights afterwards.

    official: convolutions N(0, 0.001), but PyTorch's default for the reduction and the deconvolutions of the R family
    with a pretrained backbone. kaiming, for training from scratch: convolutions Kaiming-normal by fan-out.
    Both: norms 1 and 0, matrices of the encoder Xavier-uniform, `final_layer` N(0, 0.001) with bias 0, a learnable
    position embedding N(0, 1). Without a generator, PyTorch's global one is used; the result depends only on it.
    """
    keeps_default = how == "official" and pretrained_backbone and isinstance(model.backbone, ResNet)
    for module in model.backbone.modules():
        _initialise_module(module, how, generator)
    for part in (model.reduce, model.upsampling):
        for module in part.modules():
            _initialise_module(module, "default" if keeps_default else how, generator)
    _initialise_module(model.final_layer, "official", generator)
    if model.global_encoder is not None:
        _initialise_encoder(model.global_encoder, generator)
    if isinstance(model.pos_embedding, nn.Parameter):
        model.pos_embedding.normal_(generator=generator)


@torch.no_grad()
def renew_final_layer(model: TransPose, generator: torch.Generator | None = None) -> None:
    """Initialise the last layer for fine-tuning: uniform in +- 1 / sqrt(channels), PyTorch's default."""
    bound = model.final_layer.in_channels**-0.5
    for parameter in model.final_layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)


def _initialise_module(
    module: nn.Module, how: Literal["official", "kaiming", "default"], generator: torch.Generator | None
) -> None:
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        if how == "official":
            nn.init.normal_(module.weight, std=0.001, generator=generator)
        elif how == "kaiming":
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        else:
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _initialise_encoder(encoder: TransformerEncoder, generator: torch.Generator | None) -> None:
    for layer in encoder.layers:
        assert isinstance(layer, EncoderLayer)
        nn.init.xavier_uniform_(layer.self_attn.in_proj_weight, generator=generator)
        nn.init.zeros_(layer.self_attn.in_proj_bias)
        nn.init.xavier_uniform_(layer.self_attn.out_proj.weight, generator=generator)
        nn.init.zeros_(layer.self_attn.out_proj.bias)
        for linear in (layer.linear1, layer.linear2):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            bound = linear.in_features**-0.5
            nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
        layer.norm1.reset_parameters()
        layer.norm2.reset_parameters()
