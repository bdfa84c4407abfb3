"""How far the student is from the teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.trunk.recipe import Weights


@dataclass(frozen=True)
class Scale:
    """Mean and spread of the teacher's features over many views, each [D].

    Attributes:
        mean: of the features.
        pooled: standard deviation of the features averaged over a view.
        spot: standard deviation of the features at one place.
    """

    mean: Tensor
    pooled: Tensor
    spot: Tensor

    @classmethod
    def of(cls, maps: Tensor) -> Scale:
        """The scale of maps [N,D,h,w]."""
        pooled = maps.mean((2, 3))
        return cls(pooled.mean(0), pooled.std(0) + 1e-2, maps.std((0, 2, 3)) + 1e-2)


class Projector(nn.Module):
    """From the student's features to the teacher's; linear, as the heads of brains are."""

    def __init__(self, inputs: int, scale: Scale) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, len(scale.mean), 1)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Features [N,D,h,w] in the teacher's own units."""
        mean, spread = self.scale.mean[:, None, None], self.scale.pooled[:, None, None]
        told: Tensor = mean + spread * self.linear(features).float()
        return told


def losses(
    features: Tensor,
    projector: Projector,
    taught: Tensor,
    layer: tuple[Tensor, Tensor],
) -> dict[str, Tensor]:
    """The terms of the loss.

    Args:
        features: the student's map, [N,F,h,w].
        projector: of the student.
        taught: the teacher's map of the same views, [N,D,i,j].
        layer: weight [D,C] and bias [C] of the teacher's linear layer.

    Returns:
        pooled: squared error of the features averaged over the view, in their own spread.
        map: the same at every other place of the teacher's grid, which ones is left to chance:
            all of them cost more than they teach.
        answers: Kullback-Leibler divergence of the teacher's answers when its linear layer reads
            the student (Hinton et al. 2015, arXiv:1503.02531).
        likeness: squared error of the likeness (cosine) of each two photos of the batch, by the
            student's own features (Tung and Mori 2019, arXiv:1907.09682).
    """
    scale = projector.scale
    wanted = taught.mean((2, 3))
    pooled = features.float().mean((2, 3))
    told = projector(pooled[:, :, None, None])[:, :, 0, 0]
    grid = functional.interpolate(
        features, size=taught.shape[2:], mode="bilinear", align_corners=False
    )
    down, across = torch.randint(2, (2,)).tolist()
    grid, spots = grid[:, :, down::2, across::2], taught[:, :, down::2, across::2]
    apart = (projector(grid) - spots) / scale.spot[:, None, None]
    weight, bias = layer
    answers = functional.kl_div(
        functional.log_softmax(told @ weight + bias, 1),
        functional.log_softmax(wanted @ weight + bias, 1),
        log_target=True,
        reduction="batchmean",
    )
    return {
        "pooled": ((told - wanted) / scale.pooled).square().mean(),
        "map": apart.square().mean(),
        "answers": answers,
        "likeness": _likeness(pooled, (wanted - scale.mean) / scale.pooled),
    }


def _likeness(student: Tensor, teacher: Tensor) -> Tensor:
    def cosines(values: Tensor) -> Tensor:
        rows = functional.normalize(values - values.mean(0), dim=1)
        return rows @ rows.T

    return 100 * (cosines(student) - cosines(teacher)).square().mean()


def total(terms: dict[str, Tensor], weights: Weights) -> Tensor:
    """The loss: the terms, weighted."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
