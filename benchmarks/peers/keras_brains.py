"""The peer: N Keras models in one process, each saved and loaded on its own.

    keras_brains.py convert MODEL.onnx ...      once: each as MODEL.keras beside it
    keras_brains.py '{"models": ...}'           see `timing` for the argument

Each is a functional model with the layers and weights of a brain's ONNX file, batch normalisation
folded in. `setting`: `function` (tf.function around the call), `frozen` (the same with its weights
made constants, so that TensorFlow can fuse more) or `xla` (compiled by XLA).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, TypeAlias

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from layers import OUTPUTS, Step, side, steps
from timing import Answer, measure, told

Value: TypeAlias = Any
"""What Keras calls a KerasTensor; its own functions do not say so."""
Weights = list[tuple[keras.Layer, list[np.ndarray]]]


def build(path: str) -> tuple[keras.Model, Weights]:
    """The network of one file in layers, and the weights that belong into them."""
    high = side(path)
    pixels = keras.Input((high, high, 3), dtype="uint8")
    made: dict[str, Value] = {"photos": pixels}
    weights: Weights = []
    for step in steps(path):
        made[step.output] = _add(step, [made[name] for name in step.values], weights)
    return keras.Model(pixels, [made[name] for name in OUTPUTS]), weights


def _add(step: Step, read: list[Value], weights: Weights) -> Value:
    """One step; channels are last here, so what moves them is passed over."""
    if step.kind == "Conv":
        return _convolve(step, read[0], weights)
    if step.kind in ("Gemm", "MatMul"):
        kernel = step.weights[0].T if step.kind == "Gemm" else step.weights[0]
        layer = keras.layers.Dense(kernel.shape[1], use_bias=len(step.weights) > 1)
        weights.append((layer, [kernel, *step.weights[1:]]))
        return layer(read[0])
    if step.kind == "Sub":
        return keras.ops.subtract(read[0], step.weights[0].reshape(-1))
    if step.kind in ("Transpose", "Flatten"):
        return read[0]
    if step.kind == "Max":
        return keras.ops.maximum(read[0], float(step.weights[0].item()))
    return _FUNCTIONS[step.kind](*read)


def _convolve(step: Step, value: Value, weights: Weights) -> Value:
    kernel, bias = step.weights
    stride, group = step.facts.get("strides", [1])[0], step.facts.get("group", 1)
    padding = "valid"
    if step.facts["pads"][0]:
        # TensorFlow pads strided convolutions on one side; zeros of our own keep both sides even.
        if stride == 1:
            padding = "same"
        else:
            value = keras.layers.ZeroPadding2D(step.facts["pads"][0])(value)
    if group > 1:
        layer = keras.layers.DepthwiseConv2D(kernel.shape[2], stride, padding)
        kernel = kernel.transpose(2, 3, 0, 1)
    else:
        layer = keras.layers.Conv2D(kernel.shape[0], kernel.shape[2], stride, padding)
        kernel = kernel.transpose(2, 3, 1, 0)
    weights.append((layer, [np.ascontiguousarray(kernel), bias]))
    return layer(value)


_FUNCTIONS = {
    "Cast": lambda value: keras.ops.cast(value, "float32"),
    "Relu": keras.ops.relu,
    "Clip": keras.ops.relu6,
    "GlobalAveragePool": lambda value: keras.ops.mean(value, axis=(1, 2)),
    "Softmax": keras.ops.softmax,
    "Add": keras.ops.add,
    "Mul": keras.ops.multiply,
    "Div": keras.ops.divide,
    "Sqrt": keras.ops.sqrt,
    "ReduceL2": lambda value: keras.ops.norm(value, axis=1, keepdims=True),
    "ReduceMin": lambda value: keras.ops.min(value, axis=1, keepdims=True),
    "Reshape": lambda value: keras.ops.reshape(value, (-1,)),
}


def convert(path: str) -> None:
    """One ONNX file to the Keras file beside it."""
    model, weights = build(path)
    for layer, arrays in weights:
        layer.set_weights(arrays)
    model.save(Path(path).with_suffix(".keras"))


def open_model(path: str, setting: str) -> Answer:
    """One model, ready to answer."""
    import tensorflow as tf

    model = keras.models.load_model(Path(path).with_suffix(".keras"))
    taken = tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)
    function = tf.function(
        lambda pixels: model(pixels, training=False),
        input_signature=[taken],
        jit_compile=setting == "xla",
        autograph=False,
    )
    run = function.get_concrete_function()
    if setting == "frozen":
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        run = convert_variables_to_constants_v2(run)

    def answer(pixels: np.ndarray) -> list[np.ndarray]:
        scores, features, unfamiliar = run(tf.constant(pixels))
        return [scores.numpy()[0], features.numpy(), unfamiliar.numpy()]

    return answer


def main() -> None:
    if sys.argv[1] == "convert":
        for path in sys.argv[2:]:
            convert(path)
        return
    import tensorflow as tf

    asked = told()
    tf.config.threading.set_intra_op_parallelism_threads(asked.threads)
    tf.config.threading.set_inter_op_parallelism_threads(max(asked.threads, asked.pool))
    models = [open_model(path, asked.setting) for path in asked.models]
    measure(models, asked, f"{keras.__version__} on tensorflow {tf.__version__}")


if __name__ == "__main__":
    main()
