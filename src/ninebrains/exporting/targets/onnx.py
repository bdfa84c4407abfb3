"""ONNX: one file, for ONNX Runtime and everything else that reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.quantising import EFFORTS, quantise_with
from ninebrains.exporting.running import ask_runner
from ninebrains.exporting.target import Built, Job, Precision, Target
from ninebrains.places import write_bytes

if TYPE_CHECKING:
    import onnx

LEAST_OPSET = 14  # below it the converter has no way for Sub, with which every trunk begins
_FILE = "model.onnx"
_LARGEST_FILE = 2**31 - 1  # what protobuf can hold


@dataclass(frozen=True)
class OnnxTarget:
    """See `Target`."""

    name: str = "onnx"
    title: str = "ONNX"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8-weights", "int8")
    efforts: tuple[str, ...] = EFFORTS
    runtime: str | None = "onnx"
    batch: int | None = None
    takes_several: bool = False

    @property
    def opsets(self) -> range:
        """Up to the newest that ONNX Runtime runs, which the package `onnx` may be ahead of."""
        return range(LEAST_OPSET, _newest_opset() + 1)

    def require(self, precision: Precision) -> None:
        """Everything is in the base install."""

    def build(self, job: Job, folder: Path) -> Built:
        """One ONNX file with everything inside."""
        from ninebrains.exporting.storing import store_fp16, store_int8_weights

        brain = job.brain
        model = in_opset(unpack(brain.graph), job.opset)
        notes: tuple[str, ...] = ()
        if job.precision == "fp16":
            model = store_fp16(model)
        elif job.precision == "int8-weights":
            model = store_int8_weights(model)
        elif job.precision == "int8":
            quantised = quantise_with(model, job.calibration, job.effort)
            model, notes = quantised.model, quantised.notes
        if model.ByteSize() > _LARGEST_FILE:
            raise BrainError(
                f"{brain.name} takes {model.ByteSize():,} bytes; one ONNX file holds "
                f"{_LARGEST_FILE:,} at most. Use --precision fp16 or int8-weights."
            )
        data = without_unread(model).SerializeToString(deterministic=True)
        write_bytes(folder / _FILE, data)
        opset = next(entry.version for entry in model.opset_import if entry.domain == "")
        return Built(
            outputs=tuple(output.name for output in model.graph.output),
            notes=(f"ONNX operator set {opset}, default domain only.", *notes),
        )

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:  # noqa: ARG002
        """See `Target.ask`."""
        return ask_runner(folder, "onnx", photos)

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:  # noqa: ARG002
        """See `Target.usage`."""
        answer = outputs[0]
        return f"""```python
import json
from pathlib import Path

import onnxruntime
from contract import prepare  # beside this file; needs Pillow

session = onnxruntime.InferenceSession("{_FILE}")
contract = json.loads(Path("export.json").read_text())["contract"]
pixels = prepare("photo.jpg", contract)[None]  # uint8 [1, H, W, 3]
({answer},) = session.run(["{answer}"], {{"photos": pixels}})
```
"""


@cache
def _newest_opset() -> int:
    """The newest operator set that both packages here know; found by loading a network of one node.

    ONNX Runtime has no way to ask it.
    """
    from onnx import TensorProto, defs, helper
    from onnxruntime import InferenceSession

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "", ends[:1], ends[1:])
    for version in range(defs.onnx_opset_version(), LEAST_OPSET, -1):
        opset = helper.make_opsetid("", version)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        with suppress(Exception):  # "is under development"
            InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            return version
    return LEAST_OPSET


def in_opset(model: onnx.ModelProto, opset: int | None) -> onnx.ModelProto:
    """The same network in another version of the operator set.

    Raises:
        BrainError: the network cannot be said in it.
    """
    from onnx import version_converter

    present = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset is None or opset == present:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:
        raise BrainError(
            f"the network, in operator set {present}, cannot be said in set {opset} "
            f"({_reason(error)}). Leave --opset out, or try one nearer to {present}."
        ) from error


def _reason(error: Exception) -> str:
    """What the converter says of an operator that it cannot turn; it tells where it stands too."""
    found = re.search(r"No Adapter (?:From|To) Version \$?\d+ for (\w+)", str(error))
    return f"there is no way for {found[1]}" if found else "its converter fails"


def without_unread(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without constants that no operator reads; runtimes warn of them."""
    read = {name for node in model.graph.node for name in node.input}
    read |= {output.name for output in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    if len(kept) < len(model.graph.initializer):
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
    return model


TARGET: Target = OnnxTarget()
