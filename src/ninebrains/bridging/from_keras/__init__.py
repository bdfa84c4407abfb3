"""Keras 3 networks as ONNX: reading their files safely, and writing them anew."""

from ninebrains.bridging.from_keras.converting import Converted, convert, to_onnx
from ninebrains.bridging.from_keras.layers import ACTIVATIONS, LAYERS, OPERATIONS, PASSING
from ninebrains.bridging.from_keras.reading import read_keras

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "OPERATIONS",
    "PASSING",
    "Converted",
    "convert",
    "read_keras",
    "to_onnx",
]
