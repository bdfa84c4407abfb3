"""A trunk: the frozen network that turns photos into features, shared by many brains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import Graph
from ninebrains.errors import TrunkError
from ninebrains.images import Contract, Pixels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trunk:
    """A backbone network, from uint8 pixels to features.

    Its graph reads `photos` uint8[N, H, W, 3] and gives `features` float32[N, D] and `feature_map`
    float32[N, D, h, w]; the features are the mean of the map over all places.

    Attributes:
        name: under which it is kept.
        graph: the network.
        contract: how a photo becomes its input.
        num_features: D.
        map_size: (h, w) of the feature map.
        family: who prescribes the normalisation: `torchvision`, `keras-tf`, `keras-caffe`,
            `inside` (the network's own first steps) or `given` (the user).
        source: name and SHA-256 of the file that it was made from.
    """

    name: str
    graph: Graph = field(repr=False)
    contract: Contract
    num_features: int
    map_size: tuple[int, int]
    family: str
    source: str
    _sessions: dict[int | None, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the graph, weights included."""
        return self.graph.hash

    def session(self, threads: int | None = None) -> Any:  # noqa: ANN401 - onnxruntime has no types
        """The network compiled for this machine; compiled once for each number of threads."""
        if threads not in self._sessions:
            self._sessions[threads] = self.graph.session(threads)
        return self._sessions[threads]

    def run(self, pixels: Pixels, *, threads: int | None = None) -> Floats:
        """Features float32[N, D] of pixels uint8[N, H, W, 3], the same bits for any `threads`.

        Raises:
            TrunkError: the pixels do not match the contract.

        Example:
            >>> trunk.run(np.stack([prepare("cat.jpg", trunk.contract)])).shape  # doctest: +SKIP
            (1, 1280)
        """
        return np.asarray(self._run(pixels, ["features"], threads)[0])

    def run_maps(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """Features float32[N, D] and the feature map float32[N, D, h, w]; otherwise as `run`."""
        features, maps = self._run(pixels, ["features", "feature_map"])
        return np.asarray(features), np.asarray(maps)

    def _run(self, pixels: Pixels, outputs: list[str], threads: int | None = None) -> list[Floats]:
        expected = self.contract.shape
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
            raise TrunkError(
                f"trunk {self.name} got pixels of {pixels.dtype}{list(pixels.shape)}; expected "
                f"uint8[N, {expected[0]}, {expected[1]}, 3] as images.prepare makes them."
            )
        results: list[Floats] = self.session(threads).run(
            outputs, {"photos": np.ascontiguousarray(pixels)}
        )
        return results
