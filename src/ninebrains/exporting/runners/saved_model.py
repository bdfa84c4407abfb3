"""The runtime of this export: TensorFlow."""

import importlib.metadata
import os

NAMES = ("tensorflow", "tensorflow-cpu")
FOUND = [part.metadata["Name"] or "" for part in importlib.metadata.distributions()]
HERE = {name.lower().replace("_", "-") for name in FOUND}
PACKAGES = tuple(name for name in NAMES if name in HERE)[:1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def open_model(folder, facts, threads=None):
    """A function from pixels uint8[N, H, W, 3] to the outputs by name."""
    import tensorflow

    if threads:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    path = os.fsencode(folder / "1").decode("utf-8", "surrogateescape")  # in any locale
    model = tensorflow.saved_model.load(path)
    run = model.signatures["serving_default"]

    def answer(pixels):
        given = run(photos=tensorflow.constant(pixels))
        return {name: given[name].numpy() for name in facts["outputs"]}

    answer.model = model  # or its functions would go with it
    return answer
