"""Int8 that holds: a brain's network in 8 bits, as ONNX, with what mends its answers.

float model ─► equalise ─► enter_as_bytes ─► measure_ranges ─► write ─► bias_shifts ─► write
               (channels)   (photos)          (photos)                   (photos)
"""

from ninebrains.exporting.quantising.calibrating import (
    Method,
    channel_peaks,
    check_pixels,
    measure_ranges,
)
from ninebrains.exporting.quantising.choosing import choose_photos, spread_photos
from ninebrains.exporting.quantising.correcting import bias_shifts, with_biases
from ninebrains.exporting.quantising.efforts import (
    EFFORTS,
    Quantised,
    equalised,
    mended,
    quantise,
    quantise_with,
)
from ninebrains.exporting.quantising.equalising import equalise
from ninebrains.exporting.quantising.layers import Layer, find_layers, values_with_grids
from ninebrains.exporting.quantising.ranking import rank_layers
from ninebrains.exporting.quantising.writing import write

__all__ = [
    "EFFORTS",
    "Layer",
    "Method",
    "Quantised",
    "bias_shifts",
    "channel_peaks",
    "check_pixels",
    "choose_photos",
    "equalise",
    "equalised",
    "find_layers",
    "measure_ranges",
    "mended",
    "quantise",
    "quantise_with",
    "rank_layers",
    "spread_photos",
    "values_with_grids",
    "with_biases",
    "write",
]
