"""Between ONNX and Keras 3: a network of one as the same network of the other."""
