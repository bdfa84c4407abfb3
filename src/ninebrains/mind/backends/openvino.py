"""OpenVINO: an extra. Computes in bf16 where the processor has it, and fuses more in int8."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ninebrains.brains.graph import Graph, external_weight
from ninebrains.brains.late import held
from ninebrains.errors import BrainError
from ninebrains.mind.backends.memory import release_memory
from ninebrains.mind.backends.protocol import Array, Precision, Runner
from ninebrains.workers import usable_cores

_HINTS: Mapping[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVino:
    """Compiles with OpenVINO for the processor. Needs the extra `openvino`."""

    name = "openvino"

    def precisions(self) -> tuple[Precision, ...]:
        """As OpenVINO says of this processor."""
        can = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        found: dict[Precision, str] = {"fp32": "FP32", "bf16": "BF16", "int8": "INT8"}
        return tuple(precision for precision, word in found.items() if word in can)

    def compile(
        self, graph: Graph, *, threads: int | None = None, precision: Precision = "fp32"
    ) -> Runner:
        """See `Backend.compile`."""
        if precision not in self.precisions():
            raise BrainError(
                f"OpenVINO has no {precision} on this processor; expected one of: "
                f"{', '.join(self.precisions())}"
            )
        graph = graph.held()  # until its weights have been copied into the compiled model
        try:
            compiled = _core().compile_model(
                _core().read_model(model=_addressed(graph)),
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": threads or usable_cores(),
                    "INFERENCE_PRECISION_HINT": _HINTS[precision],
                    # All threads work on one batch: batches are how a mind gets its throughput.
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": 1,
                    # Threads that are bound to cores are bad company for decoding.
                    "ENABLE_CPU_PINNING": False,
                },
            )
        except Exception as error:
            raise BrainError(f"OpenVINO refuses the graph: {error}") from error
        release_memory()
        return _Requests(compiled)


class _Requests:
    """Runs a compiled model. One request serves one thread at a time, so there are several."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 - openvino's types need openvino
        self._compiled = compiled
        self._inputs = {
            name: (port.get_element_type().to_dtype(), port.get_partial_shape())
            for port in compiled.inputs
            for name in port.get_names()
        }
        self._idle: list[Any] = []

    def __call__(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """See `Runner`. OpenVINO computes all outputs."""
        self._check(feeds)
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            request.infer(dict(feeds))
            # A request writes its next results where these are.
            results = [request.get_tensor(name).data.copy() for name in outputs]
        except Exception as error:
            raise BrainError(f"OpenVINO could not run a segment: {error}") from error
        self._idle.append(request)
        return results

    def _check(self, feeds: Mapping[str, Array]) -> None:
        """Refuse feeds that do not fit the graph.

        OpenVINO takes a missing one from the call before, and reads past the end of a small one.

        Raises:
            BrainError: one is missing, or has another type or shape.
        """
        given = {name: f"{value.dtype}{list(value.shape)}" for name, value in feeds.items()}
        fits = given.keys() == self._inputs.keys() and all(
            feeds[name].dtype == dtype and _matches(shape, feeds[name].shape)
            for name, (dtype, shape) in self._inputs.items()
        )
        if not fits:
            expected = {name: f"{dtype}{shape}" for name, (dtype, shape) in self._inputs.items()}
            raise BrainError(
                f"OpenVINO could not run a segment: got {given}; expected {expected}, where ? is "
                "any number"
            )


def _addressed(graph: Graph) -> bytes:
    """The serialised model with the memory addresses of its weights.

    OpenVINO reads them where they lie. (ONNX Runtime gives it models in this way, too.) With the
    weights inside the model there would be four copies of them for a while.
    """
    import onnx

    model = onnx.load_model_from_string(graph.data)
    for tensor in model.graph.initializer:
        name = external_weight(tensor)
        if name is None:
            continue
        data = np.frombuffer(held(graph.weights[name]), np.uint8)
        where = {
            "location": "*/_ORT_MEM_ADDR_/*",
            "offset": str(data.ctypes.data),
            "length": str(data.nbytes),
        }
        del tensor.external_data[:]
        for key, value in where.items():
            tensor.external_data.add(key=key, value=value)
    serialised: bytes = model.SerializeToString()
    return serialised


def _matches(expected: Any, given: tuple[int, ...]) -> bool:  # noqa: ANN401 - an openvino.PartialShape
    return len(expected) == len(given) and all(
        side.is_dynamic or side.get_length() == length
        for side, length in zip(expected, given, strict=True)
    )


def import_openvino() -> Any:  # noqa: ANN401 - openvino's types need openvino
    """The package `openvino`, kept from reporting its use.

    Being imported, it would tell its maker, unless a file in the user's home says not to. Without
    `openvino_telemetry`, which it and its quantiser NNCF do not insist on, there is nothing that
    could send.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)  # Python's own sign that it cannot be imported
    import openvino

    return openvino


@cache
def _core() -> Any:  # noqa: ANN401 - openvino's types need openvino
    return import_openvino().Core()
