"""Writing a brain's network as a SavedModel: two signatures on one graph of constants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninebrains.bridging import to_keras
from ninebrains.bridging.backend import import_tensorflow, quietly
from ninebrains.exporting.freezing import frozen, photos_spec
from ninebrains.exporting.saved_model.photos import decoder
from ninebrains.exporting.target import Precision
from ninebrains.images import Contract

if TYPE_CHECKING:
    import onnx

ARRAYS, BYTES = "serving_default", "serving_bytes"
_LEAST_HALVED = 256


def write(model: onnx.ModelProto, contract: Contract, precision: Precision, folder: Path) -> None:
    """Write a SavedModel into a folder that is not there yet.

    `serving_default` takes `photos` uint8 [N, H, W, 3], `serving_bytes` takes `photo_bytes`, the
    bytes of N photo files; both give the graph's outputs by name.

    Raises:
        BrainError: the network has operators that Keras does not know.
        ExtraError: TensorFlow is missing.
    """
    tensorflow = import_tensorflow()
    names = [output.name for output in model.graph.output]
    with quietly():
        network = to_keras(model)
        function = frozen(tensorflow, network, names, None)
        if precision == "fp16":
            function = halved(tensorflow, function)
        module = tensorflow.Module()
        module.arrays = _of_arrays(tensorflow, function, names, network)
        module.bytes = _of_bytes(tensorflow, function, names, contract)
        signatures = {
            ARRAYS: module.arrays.get_concrete_function(),
            BYTES: module.bytes.get_concrete_function(),
        }
        options = tensorflow.saved_model.SaveOptions(save_debug_info=False)
        tensorflow.saved_model.save(module, str(folder), signatures, options)


def _of_arrays(tensorflow: Any, function: Any, names: list[str], network: Any) -> Any:  # noqa: ANN401
    def arrays(photos: Any) -> dict[str, Any]:  # noqa: ANN401
        return dict(zip(names, function(photos), strict=True))

    spec = photos_spec(tensorflow, network, None)
    return tensorflow.function(arrays, input_signature=[spec], autograph=False)


def _of_bytes(tensorflow: Any, function: Any, names: list[str], contract: Contract) -> Any:  # noqa: ANN401
    prepare = decoder(tensorflow, contract)

    def photo_files(photo_bytes: Any) -> dict[str, Any]:  # noqa: ANN401
        one = tensorflow.TensorSpec(contract.shape, tensorflow.uint8)
        photos = tensorflow.map_fn(prepare, photo_bytes, fn_output_signature=one)
        return dict(zip(names, function(photos), strict=True))

    spec = tensorflow.TensorSpec([None], tensorflow.string, name="photo_bytes")
    return tensorflow.function(photo_files, input_signature=[spec], autograph=False)


def halved(tensorflow: Any, function: Any) -> Any:  # noqa: ANN401
    """The same function with its large constants kept in 16 bits and widened as it is loaded."""
    graph = function.graph.as_graph_def()
    nodes = list(graph.node)
    del graph.node[:]
    half = tensorflow.float16
    for node in nodes:
        if not _is_large(tensorflow, node):
            graph.node.append(node)
            continue
        values = tensorflow.make_ndarray(node.attr["value"].tensor)
        small = graph.node.add(op="Const", name=f"{node.name}/half")
        small.attr["dtype"].type = half.as_datatype_enum
        largest = np.finfo(np.float16).max
        kept = np.clip(values, -largest, largest).astype(np.float16)
        small.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(kept))
        wide = graph.node.add(op="Cast", name=node.name, input=[small.name])
        wide.attr["SrcT"].type = half.as_datatype_enum
        wide.attr["DstT"].type = tensorflow.float32.as_datatype_enum
    given = [tensor.name for tensor in function.outputs]
    source = function.inputs[0].op.name

    def run(photos: Any) -> list[Any]:  # noqa: ANN401
        return list(
            tensorflow.graph_util.import_graph_def(
                graph, input_map={source: photos}, return_elements=given, name=""
            )
        )

    spec = tensorflow.TensorSpec(function.inputs[0].shape, function.inputs[0].dtype)
    wide = tensorflow.function(run, input_signature=[spec], autograph=False)
    return wide.get_concrete_function()  # or each signature would get one with its own constants


def _is_large(tensorflow: Any, node: Any) -> bool:  # noqa: ANN401
    if node.op != "Const" or node.attr["dtype"].type != tensorflow.float32.as_datatype_enum:
        return False
    sizes = [size.size for size in node.attr["value"].tensor.tensor_shape.dim]
    return bool(np.prod(sizes) >= _LEAST_HALVED)
