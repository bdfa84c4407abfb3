"""What is left to do on a converted flatbuffer: names, their order, metadata, a last look."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from ninebrains.errors import BrainError, OutputError
from ninebrains.exporting.litert.metadata import LABELS, Model, write_metadata

METADATA = "TFLITE_METADATA"
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of weights, as LiteRT's schema asks for
_FLOATS = ("FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16")


def finish(data: bytes, model: Model, labels: Sequence[str]) -> bytes:
    """The file as it is given away.

    Tensors at the ends get the signature's names, outputs the order of `model.outputs`. The
    metadata go into a buffer, the labels into a zip archive behind the flatbuffer, which is where
    readers of LiteRT's metadata look for them.

    Args:
        data: what the converter gave.
        model: what the metadata say.
        labels: names by index.

    Raises:
        OutputError: there is no signature; the converter needed more room than there was.
    """
    network = read(data)
    if not network.signatureDefs:
        raise OutputError(
            f"LiteRT's converter left the signature out, as it does when the temporary folder "
            f"{tempfile.gettempdir()} is full. Free some space there, or set TMPDIR to another "
            "folder."
        )
    graph, signature = network.subgraphs[0], network.signatureDefs[0]
    for ends in (signature.inputs, signature.outputs):
        for end in ends:
            graph.tensors[end.tensorIndex].name = end.name
    places = {_text(end.name): end.tensorIndex for end in signature.outputs}
    graph.outputs = np.array([places[output.name] for output in model.outputs], np.int32)
    network.description = model.description.encode()
    _add_metadata(network, write_metadata(model))
    return _write(network) + _archive({LABELS: "".join(f"{name}\n" for name in labels)})


def read(data: bytes) -> Any:  # noqa: ANN401 - generated code
    """A flatbuffer as objects (LiteRT's own generated classes)."""
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(bytearray(data), 0)


def operators(network: Any) -> list[str]:  # noqa: ANN401 - generated code
    """The operators' names, in the order in which they run."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    codes = [
        names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
        for code in network.operatorCodes
    ]
    return [codes[operator.opcodeIndex] for operator in network.subgraphs[0].operators]


def check_integers(network: Any) -> None:  # noqa: ANN401 - generated code
    """Make sure that a network is of whole numbers throughout, and takes pixels as they are.

    Raises:
        BrainError: with the operators that are not.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    types = {number: name for name, number in vars(schema.TensorType).items()}
    graph = network.subgraphs[0]
    strange = set()
    for operator, name in zip(graph.operators, operators(network), strict=True):
        read_or_written = [*operator.inputs, *operator.outputs]
        if any(types[graph.tensors[i].type] in _FLOATS for i in read_or_written if i >= 0):
            strange.add(name)
    if strange:
        raise BrainError(
            f"{', '.join(sorted(strange))} would still compute in floats, so this network cannot "
            "be of whole numbers alone. Use --precision int8-weights or fp16, or another trunk."
        )
    source = graph.tensors[graph.inputs[0]]
    scale, zero = source.quantization.scale[0], source.quantization.zeroPoint[0]
    if types[source.type] != "UINT8" or abs(scale - 1.0) > 1e-6 or zero != 0:
        raise BrainError(
            f"the network takes pixels as {types[source.type]} of the scale {scale} and zero "
            f"{zero}; expected UINT8 of scale 1 and zero 0"
        )


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _add_metadata(network: Any, data: bytes) -> None:  # noqa: ANN401 - generated code
    from tensorflow.lite.python import schema_py_generated as schema

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, np.uint8)
    entry.name, entry.buffer = METADATA.encode(), len(network.buffers)
    network.buffers.append(buffer)
    network.metadata = [*(network.metadata or ()), entry]


def _write(network: Any) -> bytes:  # noqa: ANN401 - generated code
    import flatbuffers

    class Aligned(flatbuffers.Builder):  # type: ignore[misc]
        """The generated classes do not know of the alignment that weights have in the schema."""

        def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: ANN401, N802
            # Bytes are weights: all other lists are of wider numbers.
            return super().StartVector(size, count, _ALIGNMENT if size == 1 else alignment)

    builder = Aligned(1 << 20)
    builder.Finish(network.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _archive(files: dict[str, str]) -> bytes:
    """A zip archive that is the same for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode())
    return out.getvalue()
