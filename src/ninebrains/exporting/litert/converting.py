"""From a brain's graph to a LiteRT flatbuffer, in the precision asked for.

graph ── to_keras ──► Keras, channels last ── TensorFlow, weights as constants ──► LiteRT
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.bridging import to_keras
from ninebrains.bridging.backend import import_tensorflow, quietly
from ninebrains.errors import BrainError, OutputError
from ninebrains.exporting.freezing import frozen, photos_spec
from ninebrains.exporting.litert.entering import with_rows
from ninebrains.exporting.target import Precision
from ninebrains.images import Pixels

if TYPE_CHECKING:
    import onnx

_SCRATCH_BESIDE = 1 << 20  # bytes that are no weights


def convert(
    model: onnx.ModelProto, precision: Precision, calibration: Pixels | None = None
) -> bytes:
    """The flatbuffer of a network, for one photo at a time.

    Its signature `serving_default` has the input `photos` and the graph's outputs by name.

    Args:
        model: with the input `photos` and the outputs that are wanted; it is left as it is.
        precision: see `Precision`. `int8` is whole numbers from the photo to the answers.
        calibration: for `int8`, uint8[n, H, W, 3].

    Raises:
        BrainError: the network has operators that Keras or LiteRT do not know.
        ExtraError: TensorFlow is missing.
        OutputError: the temporary folder has no room for what the converter writes there.
    """
    check_scratch(model.ByteSize())
    tensorflow = import_tensorflow()
    names = [output.name for output in model.graph.output]
    model = with_rows(model)
    with quietly():
        network = to_keras(floats_in(model) if precision == "int8" else model)
        answer = _named(tensorflow, network, names)
        module = tensorflow.Module()
        module.answer = answer
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
            [answer.get_concrete_function()], module
        )
        _set_precision(tensorflow, converter, precision, calibration)
        try:
            return bytes(converter.convert())
        except Exception as error:
            raise BrainError(
                f"LiteRT's converter refuses the network: {_first_line(error)}. Try another "
                "precision, trunk or target."
            ) from error


def check_scratch(num_bytes: int) -> None:
    """Make sure that the network fits into the temporary folder, as the converter writes it there.

    Where it does not, the converter says nothing and leaves the signature out.

    Raises:
        OutputError: saying how much room there is.
    """
    folder, needed = tempfile.gettempdir(), num_bytes + _SCRATCH_BESIDE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"no space is left in the temporary folder {folder}: LiteRT's converter needs "
            f"{needed / 1e6:.1f} MB there, and {free / 1e6:.1f} MB are free. Free some, or set "
            "TMPDIR to another folder."
        )


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _named(tensorflow: Any, network: Any, names: list[str]) -> Any:  # noqa: ANN401
    """A function of one photo that gives the outputs by name."""
    constant = frozen(tensorflow, network, names, 1)

    def named(photos: Any) -> dict[str, Any]:  # noqa: ANN401
        return dict(zip(names, constant(photos), strict=True))

    spec = photos_spec(tensorflow, network, 1)
    return tensorflow.function(named, input_signature=[spec], autograph=False)


def _set_precision(
    tensorflow: Any,  # noqa: ANN401
    converter: Any,  # noqa: ANN401
    precision: Precision,
    calibration: Pixels | None,
) -> None:
    lite = tensorflow.lite
    converter.target_spec.supported_ops = [lite.OpsSet.TFLITE_BUILTINS]
    if precision == "fp32":
        return
    converter.optimizations = [lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tensorflow.float16]
    elif precision == "int8":
        if calibration is None or not len(calibration):
            raise BrainError("int8 needs photos to calibrate on; got none")
        converter.representative_dataset = lambda: _examples(calibration)
        converter.target_spec.supported_ops = [lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tensorflow.uint8
        converter.inference_output_type = tensorflow.uint8


def _examples(calibration: Pixels) -> Iterator[list[Any]]:
    """Photos one by one, as floats; two pixels of the first are the darkest and the brightest.

    So the input's range is 0 to 255 for certain, and its whole numbers are the pixels themselves.
    """
    for number, pixels in enumerate(calibration):
        photo = pixels.astype(np.float32)[None]
        if number == 0:
            photo[0, 0, 0], photo[0, -1, -1] = 0.0, 255.0
        yield [photo]


def floats_in(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with photos as floats of 0 to 255: quantising begins at the first float.

    Raises:
        BrainError: it does something else with its photos than to make floats of them.
    """
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph, floats = changed.graph, onnx.TensorProto.FLOAT
    source = graph.input[0]
    first = [node for node in graph.node if source.name in node.input]
    casts = {node.output[0] for node in first if _is_cast_to(node, floats)}
    if len(casts) < len(first):
        raise BrainError(
            f"the network begins with {first[0].op_type!r}; to be quantised it has to begin with a "
            "Cast of its photos to floats, as every trunk of Ninebrains does"
        )
    for node in graph.node:
        node.input[:] = [source.name if name in casts else name for name in node.input]
    kept = [node for node in graph.node if node.output[0] not in casts]
    del graph.node[:]
    graph.node.extend(kept)
    source.type.tensor_type.elem_type = floats
    return changed


def _is_cast_to(node: onnx.NodeProto, kind: int) -> bool:
    return node.op_type == "Cast" and any(item.i == kind for item in node.attribute)
