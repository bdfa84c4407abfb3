"""A network as data: an ONNX graph whose weights lie outside it, each named by its SHA-256.

    ModelProto ── pack ──► Graph(data, weights) ── session ──► onnxruntime.InferenceSession
                ◄─ unpack ─

`check` is the gate for graphs that come from outside. It refuses whatever could run code, reach
other files or take absurd amounts of memory, before ONNX Runtime sees a byte.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ninebrains.errors import BrainError
from ninebrains.workers import usable_cores

if TYPE_CHECKING:
    import onnx

Buffer = bytes | memoryview

LARGEST_GRAPH_BYTES = 64 * 1024 * 1024
LARGEST_TENSOR_ELEMENTS = 1 << 28
SMALLEST_EXTERNAL_BYTES = 256
_LOCATION = re.compile(r"weights/([0-9a-f]{64})")
# Operators whose output can be far larger than their inputs: their size must be known beforehand.
_INFLATING = frozenset(
    {
        "ConstantOfShape",
        "Expand",
        "Tile",
        "Range",
        "Resize",
        "Upsample",
        "Pad",
        "OneHot",
        "EyeLike",
        "RandomNormal",
        "RandomUniform",
        "Multinomial",
        "CenterCropPad",
        "Col2Im",
    }
)


@dataclass(frozen=True)
class Graph:
    """An ONNX graph and its weights.

    Attributes:
        data: the serialised model; its large tensors point to `weights/<sha256>`.
        weights: the tensors' raw little-endian bytes, by SHA-256 (hex).
    """

    data: bytes
    weights: Mapping[str, Buffer]

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of `data`. It names every weight by its hash, so it stands for them too."""
        return hashlib.sha256(self.data).hexdigest()

    def session(self, threads: int | None = None) -> Any:
        """Compile for this machine's processor with ONNX Runtime.

        Args:
            threads: for one run; by default as many as the process may use.

        Raises:
            BrainError: ONNX Runtime refuses the graph.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning thread burns a core while it waits: bad company for decoding and other brains.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        names = list(self.weights)
        options.add_external_initializers_from_files_in_memory(
            [f"weights/{name}" for name in names],
            [bytes(self.weights[name]) for name in names],
            [len(self.weights[name]) for name in names],
        )
        try:
            return onnxruntime.InferenceSession(
                self.data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise BrainError(f"ONNX Runtime refuses the graph: {error}") from error


def pack(model: onnx.ModelProto) -> Graph:
    """Move every tensor of at least 256 bytes out of the model. The result is deterministic.

    Names of producers, documentation and metadata are dropped: they differ between equal networks.
    """
    import onnx
    from onnx import numpy_helper

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for text in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        copy.ClearField(text)
    del copy.metadata_props[:]
    weights: dict[str, Buffer] = {}
    for tensor in copy.graph.initializer:
        raw = numpy_helper.to_array(tensor).tobytes()
        for text in (
            "raw_data",
            "float_data",
            "int32_data",
            "int64_data",
            "double_data",
            "uint64_data",
            "external_data",
            "data_location",
            "doc_string",
        ):
            tensor.ClearField(text)
        if len(raw) < SMALLEST_EXTERNAL_BYTES:
            tensor.raw_data = raw
            continue
        name = hashlib.sha256(raw).hexdigest()
        weights[name] = raw
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", f"weights/{name}"), ("length", str(len(raw)))):
            tensor.external_data.add(key=key, value=value)
    return Graph(copy.SerializeToString(deterministic=True), weights)


def unpack(graph: Graph) -> onnx.ModelProto:
    """The model with its weights inside, for changing it or for exporting."""
    import onnx

    model = onnx.load_model_from_string(graph.data)
    for tensor in model.graph.initializer:
        name = external_weight(tensor)
        if name is not None:
            tensor.raw_data = bytes(graph.weights[name])
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model


def external_weight(tensor: onnx.TensorProto) -> str | None:
    """The SHA-256 that an outside tensor is named by, or None for one that lies inside the graph.

    Raises:
        BrainError: it points anywhere but to `weights/<sha256>`.
    """
    if tensor.data_location != tensor.EXTERNAL and not tensor.external_data:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    match = _LOCATION.fullmatch(entries.get("location", ""))
    if match is None or entries.get("offset", "0") != "0" or tensor.HasField("raw_data"):
        raise BrainError(
            f"weight {tensor.name!r} points to {entries.get('location')!r}; expected a whole file "
            "weights/<sha256>. The graph was not written by Ninebrains or was tampered with."
        )
    return match.group(1)


def check(data: bytes, weight_bytes: Mapping[str, int]) -> onnx.ModelProto:
    """Refuse a graph that could do harm; return it parsed, still without its weights.

    Args:
        data: the serialised graph.
        weight_bytes: size of each weight file that is there, by SHA-256.

    Raises:
        BrainError: with the name of the operator, tensor or path at fault.
    """
    import onnx

    if len(data) > LARGEST_GRAPH_BYTES:
        raise BrainError(
            f"graph.onnx has {len(data):,} bytes; the limit is {LARGEST_GRAPH_BYTES:,}"
        )
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise BrainError(f"graph.onnx is not an ONNX model: {error}") from error
    check_operators(model)
    for tensor in model.graph.initializer:
        _check_tensor(tensor, weight_bytes)
    _check_sizes(model)
    return model


def check_operators(model: onnx.ModelProto) -> None:
    """Allow only operators of the default ONNX domain, without functions or nested graphs.

    Raises:
        BrainError: with the operator's name.
    """
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise BrainError(
                f"operator {node.op_type!r} is of the domain {node.domain!r}; only the default "
                "ONNX domain is allowed. Export the model again without custom operators."
            )
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise BrainError(
                    f"operator {node.op_type!r} holds a nested graph; control flow is not allowed. "
                    "Export the model with its control flow unrolled."
                )
            for tensor in (attribute.t, *attribute.tensors):
                if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
                    raise BrainError(f"operator {node.op_type!r} reads a file; this is not allowed")
    if model.functions:
        raise BrainError(
            f"the graph defines the function {model.functions[0].name!r}; only plain operators are "
            "allowed. Export the model again with functions inlined."
        )
    if model.training_info or model.graph.sparse_initializer:
        raise BrainError(
            "the graph holds training parts or sparse tensors; expected a plain network"
        )


def _check_tensor(tensor: onnx.TensorProto, weight_bytes: Mapping[str, int]) -> None:
    import onnx

    if any(size < 0 for size in tensor.dims):
        raise BrainError(f"weight {tensor.name!r} has the shape {list(tensor.dims)}")
    elements = math.prod(tensor.dims)
    if elements > LARGEST_TENSOR_ELEMENTS:
        raise BrainError(
            f"weight {tensor.name!r} claims the shape {list(tensor.dims)}, {elements:,} values; "
            f"the limit is {LARGEST_TENSOR_ELEMENTS:,}"
        )
    try:
        item_bytes = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        raise BrainError(
            f"weight {tensor.name!r} has the unknown type {tensor.data_type}"
        ) from None
    name = external_weight(tensor)
    if name is None:
        if tensor.HasField("raw_data") and len(tensor.raw_data) != elements * item_bytes:
            raise BrainError(
                f"weight {tensor.name!r} has {len(tensor.raw_data):,} bytes; its shape "
                f"{list(tensor.dims)} needs {elements * item_bytes:,}"
            )
        return
    if name not in weight_bytes:
        raise BrainError(f"weight {tensor.name!r} is missing: there is no file weights/{name}")
    if weight_bytes[name] != elements * item_bytes:
        raise BrainError(
            f"weight {tensor.name!r} has {weight_bytes[name]:,} bytes; its shape "
            f"{list(tensor.dims)} needs {elements * item_bytes:,}"
        )


def _check_sizes(model: onnx.ModelProto) -> None:
    """Infer every shape for one photo and refuse values of more than 1 GiB of floats."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        raise BrainError(f"the graph's shapes do not fit together: {error}") from error
    known = dict(_element_counts(inferred))
    for name, elements in known.items():
        if elements is not None and elements > LARGEST_TENSOR_ELEMENTS:
            raise BrainError(
                f"{name!r} would hold {elements:,} values for one photo; "
                f"the limit is {LARGEST_TENSOR_ELEMENTS:,}"
            )
    for node in model.graph.node:
        if node.op_type in _INFLATING and any(known.get(name) is None for name in node.output):
            raise BrainError(
                f"operator {node.op_type!r} makes a tensor whose size cannot be told "
                "beforehand; this is not allowed"
            )


def _element_counts(model: onnx.ModelProto) -> Iterator[tuple[str, int | None]]:
    """Each value's number of elements for one photo; None where it cannot be told."""
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            yield value.name, None
            continue
        sizes = [
            dim.dim_value if dim.HasField("dim_value") else 1 if place == 0 else None
            for place, dim in enumerate(tensor.shape.dim)
        ]
        yield value.name, None if None in sizes else math.prod(size or 0 for size in sizes)
