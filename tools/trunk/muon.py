"""Muon: momentum made orthogonal, for the kernels of convolutions (Jordan et al. 2024).

Source: https://kellerjordan.github.io/posts/muon/ ; the size of a step is that of Adam as in Liu et
al. 2025 (arXiv:2502.16982), so that one learning rate serves both.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ADAM_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions, taken as matrices [outputs, everything else].

    Every process has the same gradients, makes its share of them orthogonal and gets the others'.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take a step; gradients must be there."""
        for group in self.param_groups:
            steps = self._steps(group["params"], group["momentum"])
            for weight, step in zip(group["params"], steps, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(step.view_as(weight), alpha=-group["lr"])

    def _steps(self, weights: list[Tensor], momentum: float) -> list[Tensor]:
        rank, workers = distributed.get_rank(), distributed.get_world_size()
        sizes = [weight.numel() for weight in weights]
        joined = torch.zeros(sum(sizes))
        for mine, (weight, part) in enumerate(zip(weights, joined.split(sizes), strict=True)):
            state = self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(weight)
            mean = state["momentum"].lerp_(weight.grad, 1 - momentum)
            if mine % workers == rank:
                matrix = orthogonal(weight.grad.lerp(mean, momentum).reshape(len(weight), -1))
                part.copy_(matrix.flatten() * (_ADAM_SIZE * max(matrix.shape) ** 0.5))
        distributed.all_reduce(joined)
        return list(joined.split(sizes))


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix with all its singular values near 1, by a Newton-Schulz iteration."""
    a, b, c = _COEFFICIENTS
    wide = matrix.bfloat16()
    is_tall = wide.shape[0] > wide.shape[1]
    if is_tall:
        wide = wide.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(steps):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide.T if is_tall else wide
