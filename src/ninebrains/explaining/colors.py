"""The colours of heat: from nothing over yellow to dark red.

Lightness falls steadily along the way and the hue stays between yellow and red, so the order can be
seen by people with any colour vision, in print and in grey.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Strength, red, green, blue, opacity; straight lines between. What has under a fifth of the
# strongest evidence stays clear: a veil over the whole photo says nothing.
_STOPS = np.array(
    [
        (0.0, 255, 244, 130, 0.0),
        (0.2, 255, 244, 130, 0.0),
        (0.4, 255, 222, 80, 0.6),
        (0.6, 252, 155, 40, 0.9),
        (0.8, 228, 80, 32, 1.0),
        (1.0, 158, 12, 44, 1.0),
    ]
)


def heat_colors(strength: Floats, opacity: float) -> npt.NDArray[np.uint8]:
    """Colours for strengths of 0 (none) to 1 (strongest).

    Args:
        strength: [h, w]; what lies outside 0 to 1 is taken as the nearer end.
        opacity: of the strongest, 0 to 1.

    Returns:
        RGBA `uint8[h, w, 4]`, not premultiplied.
    """
    channels = [np.interp(strength, _STOPS[:, 0], _STOPS[:, column]) for column in (1, 2, 3)]
    alpha = np.interp(strength, _STOPS[:, 0], _STOPS[:, 4]) * 255 * opacity
    return np.asarray(np.rint(np.stack([*channels, alpha], axis=-1)), np.uint8)
