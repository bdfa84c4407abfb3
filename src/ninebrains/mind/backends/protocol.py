"""What a backend is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy.typing as npt

from ninebrains.brains.graph import Graph

Precision = Literal["fp32", "bf16", "int8"]
Array = npt.NDArray[Any]


class Runner(Protocol):
    """A compiled graph. May be called from several threads at once."""

    def __call__(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Compute outputs, in the order asked for.

        Args:
            feeds: every input of the graph, by name; the first axis is the photo.
            outputs: names of the graph's outputs; the others may be computed too, or not.

        Returns:
            Arrays that belong to the caller: no later call changes them.

        Raises:
            BrainError: the graph cannot be computed on these feeds.
        """
        ...


class Backend(Protocol):
    """A way to compile and run graphs. Cheap to make; safe to share between threads."""

    name: str

    def precisions(self) -> tuple[Precision, ...]:
        """What it gains from on this processor.

        `fp32` and `bf16` say how a graph of float32 is computed: with `bf16`, products are taken
        of numbers rounded to 8 bits of mantissa. `int8` is for a graph that was quantised
        before: what its QuantizeLinear nodes say is then computed in integers.
        """
        ...

    def compile(
        self, graph: Graph, *, threads: int | None = None, precision: Precision = "fp32"
    ) -> Runner:
        """Compile a graph for this machine's processor. The graph itself is not kept.

        Args:
            graph: what to compute; its inputs have a free first axis.
            threads: for one run; by default as many as the process may use.
            precision: one of `precisions()`.

        Raises:
            BrainError: the backend refuses the graph or has no such precision.
        """
        ...
