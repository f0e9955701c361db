"""Parameters, operations and activations of a variant, computed layer by layer from its configuration.

`tests/forecast/test_network.py` checks that parameters, operations and stored bytes equal those of the models.
"""

from transpose.config.variant import HEATMAP_STRIDE, Encoder, HRNetBackbone, ResNetBackbone, Variant
from transpose.forecast.layers import Map, Work, deconvolution, encoder_layer, normalised_convolution


def work_of(variant: Variant, keypoints: int, dropout: bool) -> Work:
    """Compute the work of one crop; `dropout` says whether training uses dropout outside attention.

    Fixed position embeddings do not count as parameters, since they have no gradients.
    """
    features, work = _backbone(variant.backbone, variant.input_size)
    is_kept = True
    if variant.dim is not None:
        reduced = features.strided(variant.dim, 1)
        weights = features.channels * variant.dim
        work += Work(parameters=weights, macs=weights * features.cells)
        features, is_kept = reduced, False
    if variant.encoder is not None:
        work += _encoder(variant.encoder, features, dropout)
    return work + _head(variant, features, keypoints, is_kept)


def _backbone(settings: ResNetBackbone | HRNetBackbone, input_size: tuple[int, int]) -> tuple[Map, Work]:
    crop = Map(3, *input_size)
    features, work = _resnet(settings, crop) if isinstance(settings, ResNetBackbone) else _hrnet(settings, crop)
    return features, work + Work(activations=crop.size)  # input of the first convolution


def _resnet(settings: ResNetBackbone, crop: Map) -> tuple[Map, Work]:
    x, work = normalised_convolution(crop, settings.width, kernel=7, stride=2)
    x = x.strided(x.channels, 2)
    work += Work(activations=x.size, indices=x.size)
    for index, blocks in enumerate(settings.blocks):
        for block in range(blocks):
            stride = 2 if index and not block else 1
            x, added = _residual(x, settings.width * 2**index, stride, settings.block == "bottleneck")
            work += added
    return x, work


def _residual(source: Map, width: int, stride: int, bottleneck: bool) -> tuple[Map, Work]:
    """A residual block; of the sum and its ReLU, only the result is stored."""
    if bottleneck:
        x, first = normalised_convolution(source, width, 1)
        x, second = normalised_convolution(x, width, 3, stride)
        x, third = normalised_convolution(x, 4 * width, 1, rectified=False)
        work = first + second + third
    else:
        x, first = normalised_convolution(source, width, 3, stride)
        x, second = normalised_convolution(x, width, 3, rectified=False)
        work = first + second
    if stride > 1 or source.channels != x.channels:
        work += normalised_convolution(source, x.channels, 1, stride, rectified=False)[1]
    return x, work + Work(activations=x.size)


def _hrnet(settings: HRNetBackbone, crop: Map) -> tuple[Map, Work]:
    x, work = normalised_convolution(crop, settings.stem_width, 3, 2)
    x, added = normalised_convolution(x, settings.stem_width, 3, 2)
    work += added
    for _ in range(settings.bottlenecks):
        x, added = _residual(x, settings.stem_width, 1, bottleneck=True)
        work += added
    maps = [x]
    for stage, modules in enumerate(settings.modules, start=2):
        maps, added = _transition(maps, settings.width, stage)
        work += added
        for module in range(modules):
            is_last = stage == len(settings.modules) + 1 and module == modules - 1
            work += _exchange(maps, settings.blocks, 1 if is_last else stage)
    return maps[0], work


def _transition(maps: list[Map], width: int, branches: int) -> tuple[list[Map], Work]:
    """Branches of the next stage: a new one from the smallest map, and others if the width changes."""
    results, work = [], Work()
    for branch in range(branches):
        source, channels = maps[min(branch, len(maps) - 1)], width * 2**branch
        is_new = branch == len(maps)
        result = source
        if is_new or source.channels != channels:
            result, added = normalised_convolution(source, channels, 3, 2 if is_new else 1)
            work += added
        results.append(result)
    return results, work


def _exchange(maps: list[Map], blocks: int, outputs: int) -> Work:
    work = Work()
    for x in maps:
        for _ in range(blocks):
            work += _residual(x, x.channels, 1, bottleneck=False)[1]
    for target in range(outputs):
        for source in range(len(maps)):
            work += _fusion(maps, source, target)
        work += Work(activations=maps[target].size)
    return work


def _fusion(maps: list[Map], source: int, target: int) -> Work:
    """The path between two branches; its last convolution changes the width and has no ReLU."""
    if source > target:
        return normalised_convolution(maps[source], maps[target].channels, 1, rectified=False)[1]
    x, work = maps[source], Work()
    for step in range(source + 1, target + 1):
        is_last = step == target
        channels = maps[target].channels if is_last else x.channels
        x, added = normalised_convolution(x, channels, 3, 2, rectified=not is_last)
        work += added
    return work


def _encoder(settings: Encoder, features: Map, dropout: bool) -> Work:
    positions = settings.position_embedding != "none"
    work = Work(parameters=features.size if settings.position_embedding == "learnable" else 0)
    for _ in range(settings.layers):
        work += encoder_layer(
            features.cells, features.channels, settings.heads, settings.feedforward, positions, dropout
        )
    return work


def _head(variant: Variant, features: Map, keypoints: int, input_is_kept: bool) -> Work:
    """Upsampling and the final layer; `input_is_kept` if the previous layer already stores the features."""
    work, factor = Work(), variant.backbone.stride // HEATMAP_STRIDE
    if variant.upsampling == "bilinear":
        features, input_is_kept = features.enlarged(features.channels, factor), False
    elif variant.upsampling == "deconvolution":
        for _ in range(factor.bit_length() - 1):
            features, added = deconvolution(features, variant.deconvolution_channels, input_is_kept)
            work, input_is_kept = work + added, True
    weights = features.channels * keypoints
    kept = 0 if input_is_kept else features.size
    return work + Work(parameters=weights + keypoints, macs=weights * features.cells, activations=kept)
