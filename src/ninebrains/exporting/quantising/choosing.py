"""A better set of photos to calibrate on: few, and unlike each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.exporting.quantising.calibrating import Floats, run_batches, session
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

_ROUNDS = 10


def choose_photos(model: onnx.ModelProto, pixels: Pixels, count: int) -> Pixels:
    """The photos that stand for all of them best: k-means over the features, the nearest to each.

    Args:
        model: in float; gives `features`.
        pixels: uint8[n, H, W, 3].
        count: how many to choose; all of them where there are no more.

    Returns:
        uint8[count, H, W, 3], in the order in which they came.
    """
    if len(pixels) <= count:
        return pixels
    outputs = run_batches(session(model, ["features"]), pixels)
    features = np.concatenate([batch[0].reshape(len(batch[0]), -1) for batch in outputs])
    features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    centers = features[_far_apart(features, count)]
    for _ in range(_ROUNDS):
        nearest = _distances(features, centers).argmin(axis=1)
        members = [features[nearest == index] for index in range(count)]
        centers = np.stack(
            [
                group.mean(axis=0) if len(group) else center
                for group, center in zip(members, centers, strict=True)
            ]
        )
    chosen: list[int] = []
    distances = _distances(features, centers)
    for index in range(count):
        distances[chosen, index] = np.inf
        chosen.append(int(distances[:, index].argmin()))
    return np.asarray(pixels[np.sort(chosen)], np.uint8)


def spread_photos(pixels: Pixels, count: int) -> Pixels:
    """At most so many photos, evenly from all of them, which may lie label by label."""
    if len(pixels) <= count:
        return pixels
    return pixels[np.linspace(0, len(pixels) - 1, count).astype(np.int64)]


def _far_apart(features: Floats, count: int) -> list[int]:
    """Begin in the middle, then always take the farthest from those taken."""
    middle = features.mean(axis=0, keepdims=True)
    chosen = [int(_distances(features, middle)[:, 0].argmin())]
    nearest = _distances(features, features[chosen])[:, 0]
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(features, features[chosen[-1:]])[:, 0])
    return chosen


def _distances(features: Floats, centers: Floats) -> npt.NDArray[np.float64]:
    """Squared, [n, k]."""
    products = features @ centers.T
    squares = np.square(features).sum(axis=1)[:, None] + np.square(centers).sum(axis=1)
    return np.asarray(squares - 2 * products, np.float64)
