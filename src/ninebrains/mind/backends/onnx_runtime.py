"""ONNX Runtime: the reference, always installed."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from ninebrains.brains.graph import Graph
from ninebrains.errors import BrainError
from ninebrains.mind.backends.memory import release_memory, share_arena
from ninebrains.mind.backends.protocol import Array, Precision, Runner
from ninebrains.mind.backends.sharing import shared_session
from ninebrains.mind.tuning.processor import features


class OnnxRuntime:
    """Compiles with ONNX Runtime for the processor."""

    name = "onnxruntime"

    def precisions(self) -> tuple[Precision, ...]:
        """Of bf16 it has kernels for ARM alone."""
        is_arm = platform.machine().lower() in ("aarch64", "arm64")
        if is_arm and "bf16" in features():
            return ("fp32", "bf16", "int8")
        return ("fp32", "int8")

    def compile(
        self, graph: Graph, *, threads: int | None = None, precision: Precision = "fp32"
    ) -> Runner:
        """See `Backend.compile`."""
        if precision not in self.precisions():
            raise BrainError(
                f"ONNX Runtime has no {precision} on this processor; expected one of: "
                f"{', '.join(self.precisions())}"
            )

        def configure(options: Any) -> None:  # noqa: ANN401 - onnxruntime has no types
            share_arena(options)
            if precision == "bf16":
                entry = "mlas.enable_gemm_fastmath_arm64_bfloat16"
                options.add_session_config_entry(entry, "1")

        session = shared_session(graph, threads, configure, precision)
        if session is None:
            session = graph.session(threads, configure=configure)
        # Compiling copies weights several times over. By now all copies but one are freed.
        release_memory()

        def run(feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
            try:
                results: list[Array] = session.run(list(outputs), dict(feeds))
            except Exception as error:
                raise BrainError(f"ONNX Runtime could not run a segment: {error}") from error
            return results

        return run
