"""Keras's own way to ONNX, in an environment that has Keras and tf2onnx.

keras_export.py NAME OPTIONS MODEL.keras PHOTOS.npy    make a network; print its answers
keras_export.py export MODEL.keras OUT.onnx            write it as ONNX
"""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np


def make(name: str, options: dict[str, object], path: str, photos: str) -> None:
    """Save an application with random weights, and statistics that are those of its photos."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(
        weights=None, classifier_activation=None, classes=10, **options
    )
    inside = name.startswith(("MobileNetV3", "EfficientNet"))
    low, high = (0, 255) if inside else (-1, 1)
    pixels = np.random.default_rng(0).uniform(low, high, (4, *model.input_shape[1:]))
    pixels *= np.linspace(0.3, 1.0, 4).reshape(4, 1, 1, 1)
    pixels = pixels.astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(pixels, training=True)
    np.save(photos, pixels)
    answers = np.asarray(model(pixels, training=False))
    model.save(path)
    print(json.dumps({"answers": answers.tolist()}))


def export(path: str, out: str) -> None:
    """Write ONNX; say what is wrong with it if ONNX Runtime cannot run it on photos."""
    import onnxruntime

    model = keras.saving.load_model(path, compile=False)
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    fault = ""
    try:
        model.export(out, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
        if len(session.get_inputs()) != 1:
            fault = f"asks for {len(session.get_inputs())} inputs"
    except Exception as error:  # noqa: BLE001 - whatever the converter raises is its fault
        fault = (str(error).splitlines() or [type(error).__name__])[0][:120]
    versions = [f"{name}={metadata.version(name)}" for name in ("keras", "tf2onnx")]
    print(json.dumps({"fault": fault, "version": " ".join(versions)}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2], sys.argv[3])
    else:
        Path(sys.argv[3]).parent.mkdir(exist_ok=True)
        make(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4])
