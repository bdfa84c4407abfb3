"""Between ONNX and Keras 3: a network of one as the same network of the other."""

from ninebrains.bridging.from_keras import read_keras as read_keras
from ninebrains.bridging.from_keras import to_onnx as to_onnx
from ninebrains.bridging.to_keras import to_keras as to_keras
