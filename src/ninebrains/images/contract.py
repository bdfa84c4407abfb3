"""The contract: how a photo becomes a network's input. Part of every trunk and every brain."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Fit = Literal["crop", "pad", "stretch"]

LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Contract:
    """How a photo becomes `uint8[H, W, 3]`.

    Attributes:
        height: rows of the result, in pixels.
        width: columns of the result, in pixels.
        fit: `crop` fills the frame and cuts what sticks out, evenly on both sides; `pad` shows the
            whole photo with bars; `stretch` changes the proportions.
        resample: `bilinear`, antialiased: the triangle filter grows with the reduction.
        color: order of the channels. Networks that want BGR swap them inside their graph.
        dtype: `uint8`, 0 to 255. Normalisation is inside the graph.
        pad_color: the bars' colour, RGB, for `pad`.

    Example:
        >>> Contract(224, 224, fit="pad").shape
        (224, 224, 3)
    """

    height: int
    width: int
    fit: Fit = "crop"
    resample: Literal["bilinear"] = "bilinear"
    color: Literal["RGB"] = "RGB"
    dtype: Literal["uint8"] = "uint8"
    pad_color: tuple[int, int, int] = (124, 116, 104)

    def __post_init__(self) -> None:
        """Refuse what no photo could be turned into.

        Raises:
            ValueError: a side, the fit or a colour is out of range.
        """
        for side in (self.height, self.width):
            if not 1 <= side <= LARGEST_SIDE:
                raise ValueError(f"a contract's side is 1 to {LARGEST_SIDE} pixels, not {side}")
        if self.fit not in ("crop", "pad", "stretch"):
            raise ValueError(f"a contract's fit is crop, pad or stretch, not {self.fit!r}")
        if not all(0 <= value <= 255 for value in self.pad_color):
            raise ValueError(
                f"a contract's pad_color is three values of 0 to 255, not {self.pad_color}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The result's shape: (height, width, 3)."""
        return (self.height, self.width, 3)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that decides the pixels; equal contracts have equal ones."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
