"""Networks of one or a few operators, and what ONNX Runtime says of them."""

import numpy as np
import onnxruntime

from tests.trunks.networks import Net

CHANNELS, SIDE = 6, 9


def net(opset=17, channels=CHANNELS, size=(SIDE, SIDE)):
    """A network of photos [N, channels, H, W] of floats, called `x`."""
    return Net(opset, shape=("N", channels, *size))


def numbers(*shape, seed=0, low=-1.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def photos_for(model, count=3):
    """Floats of the shape that a network takes."""
    sizes = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    return numbers(count, *sizes[1:], seed=5, low=-2.0, high=2.0)


def reference(model, photos):
    """The outputs by name, as ONNX Runtime computes them."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: photos}), strict=True))
