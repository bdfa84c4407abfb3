"""A network as data: an ONNX graph whose weights lie outside it, each named by its SHA-256.

    ModelProto ── pack ──► Graph(data, weights) ── session ──► onnxruntime.InferenceSession
                ◄─ unpack ─

Graphs that come from outside go through `checking.check` before ONNX Runtime sees a byte of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ninebrains.brains.late import Buffer, held
from ninebrains.errors import BrainError
from ninebrains.workers import usable_cores

if TYPE_CHECKING:
    import onnx

SMALLEST_EXTERNAL_BYTES = 256
_LOCATION = re.compile(r"weights/([0-9a-f]{64})")


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

    def held(self) -> Graph:
        """The same with all of its weights in memory.

        Raises:
            BrainError: one that was to come late cannot be read, or is damaged.
        """
        return Graph(self.data, {name: held(data) for name, data in self.weights.items()})

    def session(
        self, threads: int | None = None, *, configure: Callable[[Any], None] | None = None
    ) -> Any:  # noqa: ANN401 - onnxruntime has no types
        """Compile for this machine's processor with ONNX Runtime.

        Args:
            threads: for one run; by default as many as the process may use.
            configure: sets further options; is given the `onnxruntime.SessionOptions`.

        Raises:
            BrainError: ONNX Runtime refuses the graph.
        """
        import onnxruntime

        options = session_options(threads)
        # ONNX Runtime reads these while it compiles and copies what it keeps: until then they have
        # to stay where they are.
        weights = self.held().weights
        options.add_external_initializers_from_files_in_memory(
            [f"weights/{name}" for name in weights],
            list(weights.values()),
            [len(data) for data in weights.values()],
        )
        if configure is not None:
            configure(options)
        try:
            return onnxruntime.InferenceSession(
                self.data,
                options,
                providers=["CPUExecutionProvider"],
                # Or it would print to standard output, which is for results, and try again.
                enable_fallback=0,
            )
        except Exception as error:
            raise BrainError(f"ONNX Runtime refuses the graph: {error}") from error


def session_options(threads: int | None = None) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """How sessions are made.

    Args:
        threads: for one run; by default as many as the process may use.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, so they need no second line
    # A spinning thread burns a core while it waits: bad company for decoding and other brains.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def pack(model: onnx.ModelProto) -> Graph:
    """Move every tensor of at least 256 bytes out of the model. The result is deterministic.

    Names of producers, documentation and metadata are dropped: they differ between equal networks.

    Raises:
        BrainError: a tensor holds text, which has no bytes of its own.
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
        if tensor.data_type == onnx.TensorProto.STRING:
            raise BrainError(f"weight {tensor.name!r} holds text; expected numbers")
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
    # A key given twice could mean one file here and another one to ONNX Runtime.
    is_plain = len(entries) == len(tensor.external_data) and set(entries) <= {"location", "length"}
    if match is None or not is_plain or tensor.HasField("raw_data"):
        raise BrainError(
            f"weight {tensor.name!r} points to {entries.get('location')!r}; expected a whole file "
            "weights/<sha256>. The graph was not written by Ninebrains or was tampered with."
        )
    return match.group(1)
