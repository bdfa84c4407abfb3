"""The runtime of this export: OpenVINO."""

import os
import sys

PACKAGES = ("openvino",)
sys.modules.setdefault("openvino_telemetry", None)  # it would report to its maker


def open_model(folder, facts, threads=None):
    """A function from pixels uint8[N, H, W, 3] to the outputs by name."""
    import openvino

    options = {
        # It would compute in bfloat16 where the processor can, which changes answers.
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads or os.cpu_count() or 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(folder / "model.xml"), "CPU", options)
    request, names = compiled.create_infer_request(), facts["outputs"]

    def run(pixels):
        request.infer({"photos": pixels})
        return {name: request.get_tensor(name).data.copy() for name in names}

    return run
