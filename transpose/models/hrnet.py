"""HRNet (Sun et al., 2019), truncated after any of its multi-branch stages."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transpose.models.resnet import BasicBlock, Bottleneck, residual_stage


class ExchangeModule(nn.Module):
    """Parallel branches of basic blocks; then every output branch is the sum over all input branches.

    Branch b has 1/2^b of the resolution of branch 0. Only the first `outputs` branches are built.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(residual_stage(BasicBlock, width, width, blocks) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse_path(source, target, widths) for source in range(len(widths)))
            for target in range(outputs)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps [B, widths[b], H / 2^b, W / 2^b] of all branches -> the same of the first `outputs` branches."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [_fuse(paths, maps, maps[target].shape[-2:]) for target, paths in enumerate(self.fuse_layers)]


class HRNet(nn.Module):
    """Stem, `layer1` and stages 2, 3 (and 4); the output is the branch of highest resolution (paper, section 3.1).

    The last module outputs only this branch, so parts for other output branches do not exist. With modules (1, 4) this
    is the paper's HRNet-Small, with (1, 4, 3) the full network.
    """

    stride = 4

    def __init__(
        self, width: int, stem_width: int = 64, bottlenecks: int = 4, modules: Sequence[int] = (1, 4), blocks: int = 4
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.conv2 = nn.Conv2d(stem_width, stem_width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem_width)
        self.layer1 = residual_stage(Bottleneck, stem_width, stem_width, bottlenecks)
        self.last_stage = len(modules) + 1
        widths = [Bottleneck.expansion * stem_width]
        for stage, count in enumerate(modules, start=2):
            before, widths = widths, [width * 2**branch for branch in range(stage)]
            self.add_module(f"transition{stage - 1}", _transition(before, widths))
            outputs = [stage] * (count - 1) + [1 if stage == self.last_stage else stage]
            self.add_module(f"stage{stage}", nn.Sequential(*(ExchangeModule(widths, blocks, n) for n in outputs)))
        self.out_channels = width

    @property
    def left_out(self) -> tuple[str, ...]:
        """Prefixes of the names of the whole network's layers that this part of it does not have."""
        later = [f"{name}." for last in range(self.last_stage, 4) for name in (f"transition{last}", f"stage{last + 1}")]
        last = f"stage{self.last_stage}"
        *_, module = [name for name, _ in self.get_submodule(last).named_children()]
        branches = [f"{last}.{module}.fuse_layers.{branch}." for branch in range(1, self.last_stage)]
        return (*later, *branches)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] -> features [B, width, H / 4, W / 4]."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        maps = [self.layer1(x)]
        for stage in range(2, self.last_stage + 1):
            paths = self.get_submodule(f"transition{stage - 1}").children()
            # The new branch starts from the branch of lowest resolution.
            maps = [path(maps[min(branch, len(maps) - 1)]) for branch, path in enumerate(paths)]
            maps = self.get_submodule(f"stage{stage}")(maps)
        return maps[0]


def _fuse(paths: nn.Module, maps: list[Tensor], size: torch.Size) -> Tensor:
    first, *rest = [_enlarge(path(x), size) for path, x in zip(paths.children(), maps, strict=True)]
    for addend in rest:
        first = first + addend
    return F.relu(first)


def _enlarge(x: Tensor, size: torch.Size) -> Tensor:
    # Resized to a given size instead of by a factor, because halving an odd side rounds up.
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="nearest")


def _fuse_path(source: int, target: int, widths: Sequence[int]) -> nn.Module:
    if source == target:
        return nn.Identity()
    if source > target:
        projection = nn.Conv2d(widths[source], widths[target], 1, bias=False)
        return nn.Sequential(projection, nn.BatchNorm2d(widths[target]))  # upsampled in `_fuse`
    halvings = [_convolution(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    last = _convolution(widths[source], widths[target], stride=2)
    return nn.Sequential(*halvings, last[:2])  # the ReLU comes after the sum


def _transition(before: Sequence[int], widths: Sequence[int]) -> nn.ModuleList:
    paths = nn.ModuleList()
    for old, new in zip(before, widths, strict=False):
        paths.append(nn.Identity() if old == new else _convolution(old, new, stride=1))
    paths.append(nn.Sequential(_convolution(before[-1], widths[-1], stride=2)))
    return paths


def _convolution(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
