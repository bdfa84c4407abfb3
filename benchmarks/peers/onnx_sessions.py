"""The peer: one ONNX Runtime session a brain, all in one process. See `timing` for the argument.

`setting` is not used. Threads do not spin: N spinning sessions would slow each other down.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from timing import Answer, measure, told

OUTPUTS = ["scores", "features", "unfamiliar"]


def open_model(path: str, threads: int) -> Answer:
    """A session for one model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(pixels: np.ndarray) -> list[np.ndarray]:
        found = session.run(OUTPUTS, {"photos": pixels})
        return [found[0][0], *found[1:]]

    return answer


if __name__ == "__main__":
    asked = told()
    models = [open_model(path, asked.threads) for path in asked.models]
    measure(models, asked, onnxruntime.__version__)
