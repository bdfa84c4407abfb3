"""An ONNX file to a model in memory, with everything refused that could do harm or not be repeated.

External data is read by us, not by onnx: a tensor may name any path, and only files inside the
model's folder are opened.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains.checking import LARGEST_TENSOR_ELEMENTS, check_operators
from ninebrains.bridging.files import read_file
from ninebrains.errors import BrainError, TrunkError
from ninebrains.trunks.wiring import attribute

if TYPE_CHECKING:
    import onnx

_LEAST_OPSET, _USUAL_OPSET = 13, 17
_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
# Of these, every answer depends on the other photos in the batch.
MIXING = {
    "DynamicQuantizeLinear": "scales by the whole batch, so the answer for one photo would depend "
    "on the others. Use the float32 model, or static quantisation",
}
_UNREPEATABLE = dict.fromkeys(
    (*_RANDOM, "Multinomial", "Bernoulli"),
    "draws random numbers, so answers could not be repeated. Export the model for inference",
)


def read_model(path: Path, *, may_mix: bool = False) -> tuple[onnx.ModelProto, str]:
    """Read a network whole; return it and the SHA-256 (hex) of everything that was read.

    Constants are initialisers afterwards, and the only inputs are those that a caller must give.

    Args:
        path: the ONNX file; weights in other files lie in its folder.
        may_mix: whether operators are allowed whose answers depend on the whole batch.

    Raises:
        TrunkError: no ONNX model, too large, unsafe, or not repeatable.
    """
    return take_model(read_file(path, "an ONNX file (.onnx)"), path, may_mix=may_mix)


def take_model(data: bytes, path: Path, *, may_mix: bool = False) -> tuple[onnx.ModelProto, str]:
    """As `read_model`, from the bytes of the file, which lies or would lie at `path`.

    Raises:
        TrunkError: as there.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(data)
        is_model = bool(model.graph.node) and bool(model.graph.input)
    except Exception as error:
        raise TrunkError(f"{path.name} is not an ONNX model: {sentence(error)}") from error
    if not is_model:
        raise TrunkError(f"{path.name} is not an ONNX model: it has no network inside.")
    digest = hashlib.sha256(data)
    try:
        check_operators(model)
    except BrainError as error:
        raise TrunkError(f"{path.name}: {sentence(error)}") from error
    refused = _UNREPEATABLE if may_mix else _UNREPEATABLE | MIXING
    for node in model.graph.node:
        if node.op_type in refused:
            raise TrunkError(f"{path.name}: the operator {node.op_type!r} {refused[node.op_type]}.")
    for tensor in model.graph.initializer:
        digest.update(_bring_inside(tensor, path))
    _check_form(model, path)
    _lift_constants(model)
    _drop_given_inputs(model)
    return _modernised(model, path), digest.hexdigest()


def sentence(error: Exception) -> str:
    """What an error says, with a full stop: others write on after it."""
    return f"{str(error).rstrip().removesuffix('.')}."


def _bring_inside(tensor: onnx.TensorProto, model_path: Path) -> bytes:
    """Check a constant's size, and read it if it lies in a file. Return what was read."""
    import onnx

    elements = math.prod(tensor.dims)
    if any(size < 0 for size in tensor.dims) or elements > LARGEST_TENSOR_ELEMENTS:
        raise TrunkError(
            f"{model_path.name}: the weight {tensor.name!r} claims the shape {list(tensor.dims)}; "
            f"the limit is {LARGEST_TENSOR_ELEMENTS:,} values."
        )
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return b""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = model_path.resolve().parent
    path = (folder / location).resolve()
    if not location or not path.is_relative_to(folder):
        raise TrunkError(
            f"{model_path.name}: the weight {tensor.name!r} lies in {location!r}, outside the "
            "model's folder; this is not allowed. Keep the model's files together in one folder."
        )
    try:
        length = elements * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
        with path.open("rb") as file:
            file.seek(int(entries.get("offset", "0")))
            raw: bytes = file.read(length)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TrunkError(
            f"{model_path.name}: cannot read the weight {tensor.name!r} from {location!r}: "
            f"{reason}. The file belongs beside the model."
        ) from error
    if len(raw) != length or entries.get("length", str(length)) != str(length):
        raise TrunkError(
            f"{model_path.name}: the weight {tensor.name!r} should have {length:,} bytes in "
            f"{location!r}; found {len(raw):,}. Copy the file again."
        )
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
    tensor.raw_data = raw
    return raw


def _check_form(model: onnx.ModelProto, path: Path) -> None:
    """Refuse damaged models before anything is read from their operators."""
    import onnx

    for output in model.graph.output:
        # The checker demands a shape here, which many exports leave out and nothing here needs.
        output.type.tensor_type.shape.SetInParent()
    texts = [text for node in model.graph.node for text in (node.name, *node.input, *node.output)]
    texts += [tensor.name for tensor in model.graph.initializer]
    if not all(isinstance(text, str) for text in texts):
        raise TrunkError(f"{path.name} is not a sound ONNX model: it holds names that are no text.")
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise TrunkError(f"{path.name} is not a sound ONNX model: {sentence(error)}") from error
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")


def _lift_constants(model: onnx.ModelProto) -> None:
    """Turn Constant nodes into initialisers, so that there is one kind of constant."""
    import numpy as np
    from onnx import numpy_helper

    kinds = {"value_float": "<f4", "value_floats": "<f4", "value_int": "<i8", "value_ints": "<i8"}
    kept = []
    for node in model.graph.node:
        tensor = attribute(node, "value") if node.op_type == "Constant" else None
        if node.op_type == "Constant" and tensor is None:
            for name, kind in kinds.items():
                value = attribute(node, name)
                if value is not None:
                    tensor = numpy_helper.from_array(np.array(value, kind))
        if tensor is None:
            kept.append(node)
            continue
        model.graph.initializer.add().CopyFrom(tensor)
        model.graph.initializer[-1].name = node.output[0]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _drop_given_inputs(model: onnx.ModelProto) -> None:
    """Before ONNX's IR version 4 every initialiser was listed as an input too."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 8)


def _modernised(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The model with operator set 13 or later, and no mention of other operator sets."""
    import onnx

    version = max((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=1)
    del model.opset_import[:]
    model.opset_import.add(domain="", version=version)
    if version >= _LEAST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _USUAL_OPSET)
    except Exception as error:
        raise TrunkError(
            f"{path.name} is written in the operator set {version} and could not be brought to "
            f"{_USUAL_OPSET}: {error}. Export it with operator set {_LEAST_OPSET} or later."
        ) from error
