"""The network `octo`: plain residual blocks, thin where the map is large, wide where it is small.

Plain convolutions, ReLU, additions and one average are what every runtime runs fast, and what a CPU
trains several times faster than depthwise convolutions of the same accuracy.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

STRIDE = 16
MEAN, STD = 120.0, 64.0  # of one channel of the training photos, pixels 0 to 255, rounded


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch normalisation, which export folds into one."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
            norm=nn.BatchNorm2d(outputs),
        )
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3)
        self.second = convolution(channels, channels, 3)
        nn.init.zeros_(self.second.norm.weight)  # each block begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        """The map [N,C,h,w], changed."""
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class Entry(nn.Module):
    """A convolution and ReLU; with stride 2 it begins a stage."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.only = convolution(inputs, outputs, size, stride)

    def forward(self, x: Tensor) -> Tensor:
        """A map of other channels, half the size with stride 2."""
        return torch.relu(self.only(x))


class Octo(nn.Module):
    """Pixels [N,3,H,W], 0 to 255, to a feature map [N,num_features,H/16,W/16].

    Args:
        widths: channels of the stem and of the three stages.
        depths: residual blocks of the three stages.
        num_features: channels of the map.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (16, 32, 96, 256),
        depths: tuple[int, int, int] = (1, 1, 2),
        num_features: int = 768,
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = [Entry(3, widths[0])]
        for before, width, depth in zip(widths, widths[1:], depths, strict=False):
            blocks += [Entry(before, width), *(Residual(width) for _ in range(depth))]
        blocks.append(Entry(widths[-1], num_features, size=1, stride=1))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pixels: Tensor) -> Tensor:
        """The feature map."""
        features: Tensor = self.blocks((pixels - MEAN) / STD)
        return features
