"""MobileNetV1 from Keras weights (HDF5) to ONNX, without running Keras.

    peers/bin/python keras_mobilenet_v1.py WEIGHTS.h5 OUT.onnx [--check]

Runs in the peers' environment, which has h5py; `--check` compares with Keras itself. The layers are
those of `keras.applications.MobileNet`: a convolution, thirteen depthwise-separable blocks, ReLU6
after every step, global average pooling and the classifier. Batch normalisation is folded in.
"""

from __future__ import annotations

import sys

import h5py
import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, save

SIDE = 224
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
EPSILON = 1e-3
# TensorFlow's "same" at stride 2 on even sides adds a row below and a column on the right only.
PADS = {1: [1, 1, 1, 1], 2: [0, 0, 1, 1]}


class Writer:
    """Nodes and weights of the graph so far; `last` is the value they lead to."""

    def __init__(self, file: h5py.File) -> None:
        self.file, self.last = file, "input"
        self.nodes: list[object] = []
        self.weights: list[TensorProto] = []
        self.constant("zero", np.float32(0.0))
        self.constant("six", np.float32(6.0))

    def read(self, layer: str, name: str) -> np.ndarray:
        """One weight of a layer, in float64 so that folding costs no precision."""
        return np.asarray(self.file["model_weights"][layer][layer][f"{name}:0"], np.float64)

    def constant(self, name: str, values: np.ndarray) -> str:
        """Keep a weight; return its name."""
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def add(self, kind: str, inputs: list[str], name: str, **attributes: object) -> None:
        """A node that reads the last value and the weights in `inputs`."""
        self.nodes.append(helper.make_node(kind, [self.last, *inputs], [name], name, **attributes))
        self.last = name

    def convolve(self, layer: str, stride: int, *, depthwise: bool = False) -> None:
        """A convolution with its batch normalisation folded in, then ReLU6."""
        kernel = self.read(layer, "depthwise_kernel" if depthwise else "kernel")
        # HWIO to OIHW; of a depthwise kernel the third axis is the output.
        kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        of = f"{layer}_bn"
        scale = self.read(of, "gamma") / np.sqrt(self.read(of, "moving_variance") + EPSILON)
        shift = self.read(of, "beta") - self.read(of, "moving_mean") * scale
        side = kernel.shape[-1]
        weights = self.constant(f"{layer}.weight", kernel * scale[:, None, None, None])
        self.add(
            "Conv",
            [weights, self.constant(f"{layer}.bias", shift)],
            layer,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=PADS[stride] if side > 1 else [0, 0, 0, 0],
            group=len(kernel) if depthwise else 1,
        )
        self.add("Clip", ["zero", "six"], f"{layer}.relu6")


def convert(path: str) -> ModelProto:
    """The ONNX model of a weights file; its input is RGB, -1 to 1."""
    with h5py.File(path) as file:
        writer = Writer(file)
        writer.convolve("conv1", 2)
        for number, stride in enumerate(STRIDES, start=1):
            writer.convolve(f"conv_dw_{number}", stride, depthwise=True)
            writer.convolve(f"conv_pw_{number}", 1)
        writer.add("GlobalAveragePool", [], "pooled")
        writer.add("Flatten", [], "features", axis=1)
        weights = writer.constant("classifier", writer.read("conv_preds", "kernel")[0, 0])
        bias = writer.constant("classifier.bias", writer.read("conv_preds", "bias"))
        writer.add("Gemm", [weights, bias], "logits")
        num_classes = len(writer.read("conv_preds", "bias"))
    graph = helper.make_graph(
        writer.nodes,
        "mobilenet_v1",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", num_classes])],
        writer.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model, full_check=True)
    return model


def check(weights: str, model: ModelProto) -> None:
    """Fail unless the model gives Keras's probabilities for a few random inputs, to 1e-4."""
    import keras
    from onnx.reference import ReferenceEvaluator

    with h5py.File(weights) as file:
        alpha = file["model_weights"]["conv1"]["conv1"]["kernel:0"].shape[-1] / 32
    peer = keras.applications.MobileNet(alpha=alpha, weights=None)
    peer.load_weights(weights)
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    pixels[1] = np.sin(np.linspace(0, 9, SIDE))[:, None, None]  # smooth, as photos are
    inputs = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    logits = ReferenceEvaluator(model).run(None, {"input": inputs})[0]
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    body = keras.Model(peer.input, peer.get_layer("conv_preds").output)
    expected = np.asarray(body(pixels)).reshape(len(pixels), -1)
    error = float(np.abs(logits - expected).max() / np.abs(expected).max())
    worst = float(np.abs(found - np.asarray(peer(pixels))).max())
    print(f"largest difference: {error:.1e} of the largest logit, {worst:.1e} in probability")
    if max(error, worst) > 1e-4:
        raise SystemExit("the converted model differs from Keras's")


if __name__ == "__main__":
    converted = convert(sys.argv[1])
    if "--check" in sys.argv:
        check(sys.argv[1], converted)
    save(converted, sys.argv[2])
