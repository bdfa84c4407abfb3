"""Where in a photo a brain found its evidence: heat maps laid over photos."""

from ninebrains.explaining.overlaying import heat_layer, overlay, peak, thumbnail

__all__ = ["heat_layer", "overlay", "peak", "thumbnail"]
