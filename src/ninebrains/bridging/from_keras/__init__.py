"""Keras 3 networks as ONNX: reading their files safely, and writing them anew."""
