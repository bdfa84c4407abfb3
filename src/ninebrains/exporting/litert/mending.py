"""What can be done before conversion for whole numbers that lose too much, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninebrains.exporting.quantising import choose_photos, equalised, spread_photos
from ninebrains.exporting.quantising.calibrating import check_pixels
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

EFFORTS = ("per channel", "better calibration", "equalisation")
"""No layer can be left in float: the network is to be of whole numbers alone. Biases corrected for
another quantiser's 8 bits made the answers of MobileNetV2 worse here, not better."""

# The converter calibrates with slow reference code, photo by photo.
_USUAL_PHOTOS = 64
_CHOSEN_PHOTOS = 128


def mend(
    model: onnx.ModelProto, pixels: Pixels | None, effort: int
) -> tuple[onnx.ModelProto, Pixels]:
    """The network to convert and the photos to calibrate it on; each step includes those before.

    Args:
        model: a brain's, in float; left as it is.
        pixels: photos of training, uint8[n, H, W, 3].
        effort: an index into `EFFORTS`.

    Raises:
        BrainError: the photos are too few, or of another size.
    """
    pixels = check_pixels(model, pixels)
    if effort == 0:
        return model, spread_photos(pixels, _USUAL_PHOTOS)
    chosen = choose_photos(model, pixels, _CHOSEN_PHOTOS)
    return (model if effort == 1 else equalised(model, chosen)), chosen
