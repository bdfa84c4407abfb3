"""One artefact for ONNX Runtime, LiteRT or OpenVINO, timed whenever it is its turn.

    python artefacts.py KIND FILE PIXELS.npy THREADS

Prints the scores of the first photo and the runtime's version, then for each line of standard
input, a number of photos, the milliseconds of each of so many, all as JSON.

Ours and those of common converters run through the same few lines, so that only the artefacts
differ: the photo goes in as uint8 [1, H, W, 3] and all outputs come out. The kinds `onnx outside`
and `litert outside` take floats less a mean, which numpy makes here: so are networks run that were
exported as they were trained. Their mean lies beside them.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Answer = Callable[[np.ndarray], list[Any]]

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


def open_litert(path: str, threads: int, mean: np.ndarray | None = None) -> Answer:
    """LiteRT, by its plain interface; whole numbers come out as such."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    outputs = interpreter.get_output_details()

    def answer(pixels: np.ndarray) -> list[Any]:
        values = pixels if mean is None else pixels.astype(np.float32) - mean
        interpreter.set_tensor(given["index"], values)
        interpreter.invoke()
        return scores_first([interpreter.get_tensor(one["index"]) for one in outputs])

    return answer


def open_litert_outside(path: str, threads: int) -> Answer:
    """LiteRT, with numpy before it."""
    mean = np.load(Path(path).with_suffix(".npy"))
    return open_litert(path, threads, mean.reshape(1, 1, 1, -1))


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
    "litert outside": (open_litert_outside, "ai-edge-litert"),
    "openvino": (open_openvino, "openvino"),
}


def main(kind: str, file: str, pixels: str, threads: str) -> None:
    """Open it, then wait for turns."""
    opener, package = KINDS[kind]
    answer, photos = opener(file, int(threads)), np.load(pixels)
    scores = np.asarray(answer(photos[:1])[0], np.float64)
    say({"scores": scores[0].tolist(), "version": metadata.version(package)})
    rows = itertools.cycle(range(len(photos)))
    for line in sys.stdin:
        took = []
        for row in itertools.islice(rows, int(line)):
            before = time.perf_counter()
            answer(photos[row : row + 1])
            took.append(1000 * (time.perf_counter() - before))
        say(took)


def say(what: object) -> None:
    """One line, at once."""
    print(json.dumps(what), file=OUT, flush=True)


if __name__ == "__main__":
    OUT = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # some runtimes print what they like
    main(*sys.argv[1:])
