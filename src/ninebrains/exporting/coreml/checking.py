"""A saved ML program read back and computed with ONNX Runtime, as Core ML runs on Apple's only.

What the file says is computed: its operators, in its order, with its weights after they were made
smaller. What Core ML itself makes of it, in 16 bits on its processors, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError
from ninebrains.exporting.quantising.calibrating import session

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]
_OPSET = 17


def read_back(package: Path) -> onnx.ModelProto:
    """The program of an `.mlpackage` as ONNX, from float32 `photos` [1, 3, H, W] to its outputs.

    Raises:
        BrainError: it holds what is not written here.
    """
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.models.utils import load_spec
    from onnx import TensorProto, helper

    spec = load_spec(str(package))
    weights = str(package / "Data" / "com.apple.CoreML" / "weights")
    program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=weights)
    (function,) = program.functions.values()
    reader = _Reader()
    for operation in function.operations:
        reader.read(operation)
    ((entry, value),) = function.inputs.items()
    graph = helper.make_graph(
        reader.nodes,
        "program",
        [helper.make_tensor_value_info(entry, TensorProto.FLOAT, list(value.shape))],
        [
            helper.make_tensor_value_info(item.name, TensorProto.FLOAT, None)
            for item in function.outputs
        ],
        reader.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def compute(program: onnx.ModelProto, pixels: npt.NDArray[np.uint8]) -> dict[str, Floats]:
    """The outputs of a program that was read back, for pixels uint8[n, H, W, 3], one by one."""
    names = [output.name for output in program.graph.output]
    entry = program.graph.input[0].name
    ready = session(program, names)
    images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)
    rows = [ready.run(None, {entry: image[None]}) for image in images]
    return {
        name: np.concatenate(row) for name, row in zip(names, zip(*rows, strict=True), strict=True)
    }


class _Reader:
    """Turns operations into nodes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: set[str] = set()

    def read(self, operation: Any) -> None:  # noqa: ANN401 - coremltools has no types
        kind = operation.op_type
        if kind == "const":
            return
        (output,) = operation.outputs
        if kind.startswith("constexpr"):
            self._keep(output.name, operation.materialized_val_inference())
            return
        if kind not in _READERS:
            raise BrainError(f"the saved program holds {kind!r}, which nothing here writes")
        operator, order, attributes = _READERS[kind]
        keys = [key for key in order if operation.inputs.get(key) is not None]
        inputs = [self._entry(operation.inputs[key], f"{output.name}/{key}") for key in keys]
        if kind == "relu6":
            inputs += [self._keep(f"{output.name}/{end}", np.float32(end)) for end in (0, 6)]
        self._add(operator, inputs, output.name, attributes(operation.inputs))

    def _entry(self, value: Any, name: str) -> str:  # noqa: ANN401
        known = value.val
        if known is None or value.name in self._known:
            return str(value.name)
        if np.asarray(known).dtype.kind == "f":
            return self._keep(name, known)
        return self._keep(name, np.asarray(known, np.int64))

    def _keep(self, name: str, values: Any) -> str:  # noqa: ANN401
        from onnx import numpy_helper

        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.constants.append(
            numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        self._known.add(name)
        return name

    def _add(
        self, operator: str, inputs: list[str], output: str, attributes: Mapping[str, Any]
    ) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))


_Inputs = Mapping[str, Any]
_Attributes = Callable[[_Inputs], dict[str, Any]]


def _nothing(_inputs: _Inputs) -> dict[str, Any]:
    return {}


def _layer(inputs: _Inputs) -> dict[str, Any]:
    if inputs["pad_type"].val != "custom":
        raise BrainError(f"the saved program pads {inputs['pad_type'].val!r}; expected 'custom'")
    pads = [int(side) for side in inputs["pad"].val]
    return {"pads": [*pads[0::2], *pads[1::2]], "strides": _numbers(inputs["strides"])}


def _conv(inputs: _Inputs) -> dict[str, Any]:
    dilations = _numbers(inputs["dilations"])
    return {**_layer(inputs), "dilations": dilations, "group": int(inputs["groups"].val)}


def _max_pool(inputs: _Inputs) -> dict[str, Any]:
    sizes = {"kernel_shape": _numbers(inputs["kernel_sizes"])}
    return {**_layer(inputs), **sizes, "ceil_mode": int(inputs["ceil_mode"].val)}


def _average_pool(inputs: _Inputs) -> dict[str, Any]:
    counts = not inputs["exclude_padding_from_average"].val
    return {**_max_pool(inputs), "count_include_pad": int(counts)}


def _reduce(inputs: _Inputs) -> dict[str, Any]:
    return {"axes": _numbers(inputs["axes"]), "keepdims": int(inputs["keep_dims"].val)}


def _axis(inputs: _Inputs) -> dict[str, Any]:
    return {"axis": int(inputs["axis"].val)}


def _numbers(value: Any) -> list[int]:  # noqa: ANN401
    return [int(number) for number in value.val]


_XY = ("x", "y")
_READERS: Mapping[str, tuple[str, tuple[str, ...], _Attributes]] = {
    "add": ("Add", _XY, _nothing),
    "avg_pool": ("AveragePool", ("x",), _average_pool),
    "cast": ("Identity", ("x",), _nothing),
    "clip": ("Clip", ("x", "alpha", "beta"), _nothing),
    "conv": ("Conv", ("x", "weight", "bias"), _conv),
    "identity": ("Identity", ("x",), _nothing),
    "linear": ("Gemm", ("x", "weight", "bias"), lambda _inputs: {"transB": 1}),
    "matmul": ("MatMul", _XY, _nothing),
    "max_pool": ("MaxPool", ("x",), _max_pool),
    "maximum": ("Max", _XY, _nothing),
    "minimum": ("Min", _XY, _nothing),
    "mul": ("Mul", _XY, _nothing),
    "real_div": ("Div", _XY, _nothing),
    "reduce_l2_norm": ("ReduceL2", ("x",), _reduce),
    "reduce_max": ("ReduceMax", ("x",), _reduce),
    "reduce_mean": ("ReduceMean", ("x",), _reduce),
    "reduce_min": ("ReduceMin", ("x",), _reduce),
    "relu6": ("Clip", ("x",), _nothing),
    "relu": ("Relu", ("x",), _nothing),
    "reshape": ("Reshape", ("x", "shape"), _nothing),
    "sigmoid": ("Sigmoid", ("x",), _nothing),
    "softmax": ("Softmax", ("x",), _axis),
    "sqrt": ("Sqrt", ("x",), _nothing),
    "sub": ("Sub", _XY, _nothing),
    "tanh": ("Tanh", ("x",), _nothing),
    "transpose": ("Transpose", ("x",), lambda inputs: {"perm": _numbers(inputs["perm"])}),
}
