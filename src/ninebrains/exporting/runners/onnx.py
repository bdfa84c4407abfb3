"""The runtime of this export: ONNX Runtime."""

import os

PACKAGES = ("onnxruntime",)
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would report to its maker


def open_model(folder, facts, threads=None):
    """A function from pixels uint8[N, H, W, 3] to the outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = os.fsencode(folder / "model.onnx").decode("utf-8", "surrogateescape")  # in any locale
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = facts["outputs"]
    return lambda pixels: dict(zip(names, session.run(names, {"photos": pixels}), strict=True))
