"""What common converters make of a network.

    python converters.py KIND SOURCE OUT CALIBRATION

SOURCE is a brain's network in ONNX, from uint8 photos to answers, or for Keras the weights of its
MobileNetV1 0.25. CALIBRATION is a .npy file of uint8[n, H, W, 3] for what computes in 8 bits. Every
converter is used as its documentation shows first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_NUM_LABELS = 10


def outside(source: str, out: str, _calibration: str) -> None:
    """The network without its beginning, which numpy then has to do; the mean goes beside it."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    centre = next(node for node in model.graph.node if node.op_type == "Sub")
    mean = next(one for one in model.graph.initializer if one.name == centre.input[1])
    values = numpy_helper.to_array(mean)
    np.save(Path(out).with_suffix(".npy"), values)
    (given,) = model.graph.input
    _, high, wide, _ = (dim.dim_value for dim in given.type.tensor_type.shape.dim)
    start = list(model.graph.node).index(centre) + 1
    rest = list(model.graph.node)[start:]
    entrance = onnx.helper.make_tensor_value_info(
        centre.output[0], onnx.TensorProto.FLOAT, ["N", 3, high, wide]
    )
    del model.graph.node[:], model.graph.input[:], model.graph.value_info[:]
    model.graph.node.extend(rest)
    model.graph.input.append(entrance)
    model.graph.initializer.remove(mean)
    onnx.checker.check_model(model)
    onnx.save(model, out)


def ort_static(source: str, out: str, calibration: str) -> None:
    """ONNX Runtime's `quantize_static`, after its pre-processing, with its defaults."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.photos = iter(np.load(calibration))

        def get_next(self) -> dict[str, Any] | None:
            photo = next(self.photos, None)
            return None if photo is None else {"photos": photo[None]}

    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder, "prepared.onnx"))
        quant_pre_process(source, prepared)
        quantize_static(prepared, out, Reader())


def openvino(source: str, out: str, _calibration: str) -> None:
    """OpenVINO's `convert_model` and `save_model`, which stores weights in 16 bits."""
    _tell_nobody()
    import openvino as ov

    ov.save_model(ov.convert_model(source), out)


def nncf(source: str, out: str, calibration: str) -> None:
    """NNCF's `quantize` on that, with its defaults."""
    _tell_nobody()
    import nncf as tool
    import openvino as ov

    photos = tool.Dataset([photo[None] for photo in np.load(calibration)])
    ov.save_model(tool.quantize(ov.convert_model(source), photos), out)


def _tell_nobody() -> None:
    """Let both not find what they would report to their maker with."""
    os.environ["NNCF_CI"] = "1"
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def keras_model(weights: str) -> Any:  # noqa: ANN401 - Keras has no types
    """Keras' own MobileNetV1 0.25 as people build a classifier on it, from uint8 photos."""
    import keras

    whole = keras.applications.MobileNet(alpha=0.25, weights=weights)
    pooled = next(layer for layer in whole.layers if "global_average_pooling" in layer.name)
    trunk = keras.Model(whole.input, pooled.output)
    photos = keras.Input((224, 224, 3), dtype="uint8")
    features = trunk(keras.layers.Rescaling(1 / 127.5, -1.0)(photos))
    flat = keras.layers.Flatten()(features)
    return keras.Model(photos, keras.layers.Dense(_NUM_LABELS, activation="softmax")(flat))


def keras_litert(source: str, out: str, _calibration: str) -> None:
    """The usual `TFLiteConverter.from_keras_model`."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model(source))
    Path(out).write_bytes(converter.convert())


def keras_litert_int8(source: str, out: str, calibration: str) -> None:
    """The same in whole numbers, as its documentation shows."""
    import tensorflow as tf

    def photos() -> Iterator[list[np.ndarray]]:
        for photo in np.load(calibration)[:100]:
            yield [photo[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model(source))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = photos
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    Path(out).write_bytes(converter.convert())


KINDS = {
    "outside": outside,
    "ort_static": ort_static,
    "openvino": openvino,
    "nncf": nncf,
    "keras_litert": keras_litert,
    "keras_litert_int8": keras_litert_int8,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](*sys.argv[2:])
