"""The runtime of this export: LiteRT, formerly TensorFlow Lite."""

import importlib.metadata
import importlib.util
import os

import numpy as np

HAS_LITERT = importlib.util.find_spec("ai_edge_litert") is not None
FOUND = [part.metadata["Name"] or "" for part in importlib.metadata.distributions()]
HERE = {name.lower().replace("_", "-") for name in FOUND}
NAMES = ("ai-edge-litert",) if HAS_LITERT else ("tensorflow", "tensorflow-cpu")
PACKAGES = tuple(name for name in NAMES if name in HERE)[:1]


def open_model(folder, facts, threads=None):
    """A function from pixels uint8[1, H, W, 3] to the outputs by name, as floats."""
    if HAS_LITERT:
        from ai_edge_litert.interpreter import Interpreter
    else:
        import tensorflow

        Interpreter = tensorflow.lite.Interpreter
    threads = threads or os.cpu_count() or 1
    path = os.fsencode(folder / "model.tflite").decode("utf-8", "surrogateescape")  # in any locale
    interpreter = Interpreter(path, num_threads=threads)
    run = interpreter.get_signature_runner("serving_default")
    kinds = {name: kind["quantization"] for name, kind in run.get_output_details().items()}

    def answer(pixels):
        given = run(photos=pixels)
        return {name: as_floats(given[name], *kinds[name]) for name in facts["outputs"]}

    return answer


def as_floats(values, scale, zero):
    """What whole numbers stand for; floats stay as they are."""
    is_whole = np.issubdtype(values.dtype, np.integer) and scale > 0
    return (values.astype(np.float32) - zero) * np.float32(scale) if is_whole else values
