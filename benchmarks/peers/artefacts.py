"""One artefact for ONNX Runtime, LiteRT or OpenVINO, timed. See `timing` for the argument.

`setting` is the kind of artefact. Ours and those of common converters run through the same few
lines, so that only the artefacts differ: the photo goes in as uint8 [1, H, W, 3] and all outputs
come out. `onnx outside` takes floats, channels first and less a mean, which numpy makes here: so
are networks run that were exported as they were trained. Its mean lies beside it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from timing import Answer, measure, told

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def open_onnx(path: str, threads: int) -> Answer:
    """ONNX Runtime; threads do not spin, which on a shared machine measures others' work."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda pixels: scores_first(session.run(None, {given.name: pixels}))


def open_outside(path: str, threads: int) -> Answer:
    """ONNX Runtime, with numpy before it."""
    answer, mean = open_onnx(path, threads), np.load(Path(path).with_suffix(".npy"))

    def prepared(pixels: np.ndarray) -> list[Any]:
        return answer(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) - mean)

    return prepared


def open_litert(path: str, threads: int) -> Answer:
    """LiteRT, by its plain interface; whole numbers come out as such."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    outputs = interpreter.get_output_details()

    def answer(pixels: np.ndarray) -> list[Any]:
        interpreter.set_tensor(given["index"], pixels)
        interpreter.invoke()
        return scores_first([interpreter.get_tensor(one["index"]) for one in outputs])

    return answer


def open_openvino(path: str, threads: int) -> Answer:
    """OpenVINO, as it computes by itself on this processor."""
    import openvino

    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    return lambda pixels: scores_first([*request.infer([pixels]).values()])


def scores_first(values: Sequence[Any]) -> list[Any]:
    """The outputs with the scores in front: two axes, and fewer columns than the features have."""
    tables = [value for value in values if value.ndim == 2]
    scores = min(tables, key=lambda value: value.shape[1])
    return [scores, *(value for value in values if value is not scores)]


KINDS = {
    "onnx": (open_onnx, "onnxruntime"),
    "onnx outside": (open_outside, "onnxruntime"),
    "litert": (open_litert, "ai-edge-litert"),
    "openvino": (open_openvino, "openvino"),
}

if __name__ == "__main__":
    asked = told()
    opener, package = KINDS[asked.setting]
    measure([opener(asked.models[0], asked.threads)], asked, metadata.version(package))
