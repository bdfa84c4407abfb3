"""Where in a photo a brain finds its evidence, as a picture to be laid over it."""

from __future__ import annotations

import base64
import io

from ninebrains.brains import Brain, Inference
from ninebrains.errors import MissingError
from ninebrains.explaining import heat_layer
from ninebrains.images import Limits

LARGEST_SIDE = 384


def heat_png(brain: Brain, data: bytes, key: str | None, limits: Limits) -> bytes:
    """A transparent PNG with the photo's proportions.

    Args:
        brain: whose evidence.
        data: the photo's file.
        key: id of the label; the best one by default.
        limits: bytes and pixels that the photo may have.

    Raises:
        MissingError: the brain does not know the label.
        PhotoError: the photo cannot be read.
    """
    return layer_png(brain.run(data, limits=limits), key)


def layer_png(inference: Inference, key: str | None) -> bytes:
    """The heat of an answer that came with heat maps; see `heat_png`."""
    known = {label.id: label.index for label in inference.labels}
    if key is not None and key not in known:
        raise MissingError(
            f"this brain does not know the label {key!r}; it was made after it, or had too few "
            "photos"
        )
    index = inference.top.index if key is None else known[key]
    assert inference.heatmaps is not None
    width, height = inference.photo_size
    scale = LARGEST_SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    layer = heat_layer(inference.heatmaps[index], inference.contract, size, opacity=0.7)
    file = io.BytesIO()
    layer.save(file, "PNG", compress_level=3)
    return file.getvalue()


def as_data_url(png: bytes) -> str:
    """A PNG as an address that a page can show."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
