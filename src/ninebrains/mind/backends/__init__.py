"""What compiles a segment into something that runs. ONNX Runtime is always there.

A backend is small. This is a whole one; after it, `tune` measures it beside the others and a mind
uses it wherever it was the fastest:

    class Reference:
        name = "reference"

        def precisions(self):
            return ("fp32",)

        def compile(self, graph, *, threads=None, precision="fp32"):
            from onnx.reference import ReferenceEvaluator
            evaluator = ReferenceEvaluator(unpack(graph))
            return lambda feeds, outputs: evaluator.run(list(outputs), dict(feeds))

    BACKENDS["reference"] = Reference
"""

from ninebrains.mind.backends.memory import give_back_large_blocks, release_memory
from ninebrains.mind.backends.protocol import Array, Backend, Precision, Runner
from ninebrains.mind.backends.registry import BACKENDS, REFERENCE, available, backend, versions

__all__ = [
    "Array",
    "BACKENDS",
    "Backend",
    "Precision",
    "REFERENCE",
    "Runner",
    "available",
    "backend",
    "give_back_large_blocks",
    "release_memory",
    "versions",
]
