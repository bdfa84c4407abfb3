"""A brain's graph as an ML program, operator by operator.

Core ML passes images, so the program's input is one: RGB, 0 to 255, of the contract's size, with
its channels first. The way in that brains have, from uint8 and channels last, is left out for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError
from ninebrains.trunks.wiring import Wiring, attribute, int_list

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[np.generic]
_TO_NCHW = [0, 3, 1, 2]
_PAIR = 2


def write_program(model: onnx.ModelProto, ct: Any) -> tuple[Any, dict[str, str]]:  # noqa: ANN401
    """The program, and the names that the graph's values have in it.

    Args:
        model: a brain's graph.
        ct: the package `coremltools`.

    Raises:
        BrainError: the graph holds an operator that is not known here.
    """
    from coremltools.converters.mil import Builder

    wiring = Wiring(model)
    outputs = [output.name for output in model.graph.output]
    high, wide = (size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:3])
    names: dict[str, str] = {}
    spec = Builder.TensorSpec(shape=(1, 3, high, wide))

    @Builder.program(input_specs=[spec], opset_version=ct.target.iOS16)  # type: ignore[untyped-decorator, unused-ignore]
    def program(photos: Any) -> Any:  # noqa: ANN401
        pen = _Pen(Builder, wiring, names)
        pen.values["photos"] = photos
        for node in model.graph.node:
            pen.write(node)
        return tuple(pen.values[name] for name in outputs)

    return program, names


class _Pen:
    """Writes nodes; `values` holds what each value of the graph is in the program."""

    def __init__(self, builder: Any, wiring: Wiring, names: dict[str, str]) -> None:  # noqa: ANN401
        self.builder = builder
        self.wiring = wiring
        self.names = names
        self.values: dict[str, Any] = {}
        self._bytes = {"photos"}  # the photos on their way to channels first

    def write(self, node: onnx.NodeProto) -> None:
        if self._bytes.intersection(node.input):
            self._enter(node)
            return
        if node.op_type not in OPERATORS:
            raise BrainError(
                f"the graph holds the operator {node.op_type!r} (it gives {node.output[0]!r}), "
                f"which cannot be told to Core ML; expected {', '.join(sorted(OPERATORS))}. "
                "Export this brain to onnx or openvino."
            )
        name = self._name(str(node.output[0]))
        inputs = [self.value(entry) for entry in node.input if entry]
        self.values[node.output[0]] = OPERATORS[node.op_type](self.builder, node, inputs, name)

    def value(self, name: str) -> Any:  # noqa: ANN401
        constant = self.wiring.constant(name)
        return self.values[name] if constant is None else constant

    def _enter(self, node: onnx.NodeProto) -> None:
        """Leave out what turns bytes with channels last into floats with channels first."""
        output = str(node.output[0])
        if node.op_type == "Cast":
            self._bytes.add(output)
        elif node.op_type == "Transpose" and int_list(node, "perm") == _TO_NCHW:
            self.values[output] = self.values["photos"]
        else:
            raise BrainError(
                f"the graph begins with the operator {node.op_type!r}; an export to Core ML "
                "expects Cast and Transpose (0, 3, 1, 2), as brains have them"
            )

    def _name(self, name: str) -> str:
        """What the value is called in the program, where names are words."""
        word = re.sub(r"\W", "_", name)
        while word in self.names.values():
            word += "_"
        self.names[name] = word
        return word


_Write = Callable[[Any, "onnx.NodeProto", Sequence[Any], str], Any]


def _conv(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    sides = len(inputs[1].shape) - 2
    bias = {"bias": inputs[2].reshape(-1)} if len(inputs) > 2 else {}
    return mb.conv(
        x=inputs[0],
        weight=inputs[1],
        strides=int_list(node, "strides") or [1] * sides,
        dilations=int_list(node, "dilations") or [1] * sides,
        groups=attribute(node, "group", 1),
        name=name,
        **bias,
        **_pad(node),
    )


def _pad(node: onnx.NodeProto) -> dict[str, Any]:
    """Begin and end of each side lie together in Core ML."""
    if attribute(node, "auto_pad", b"NOTSET") != b"NOTSET":
        raise BrainError(
            f"{node.op_type} with auto_pad (it gives {node.output[0]!r}) cannot be told to Core "
            "ML; expected pads in numbers"
        )
    pads = int_list(node, "pads") or [0] * 4
    half = len(pads) // 2
    together = [pads[place + half * end] for place in range(half) for end in (0, 1)]
    return {"pad_type": "custom", "pad": together}


def _pool(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    sizes = int_list(node, "kernel_shape") or []
    if int_list(node, "dilations") not in (None, [1] * len(sizes)):
        raise BrainError(f"{node.op_type} with dilations cannot be told to Core ML")
    options = {
        "x": inputs[0],
        "kernel_sizes": sizes,
        "strides": int_list(node, "strides") or [1] * len(sizes),
        "ceil_mode": bool(attribute(node, "ceil_mode", 0)),
        "name": name,
        **_pad(node),
    }
    if node.op_type == "MaxPool":
        return mb.max_pool(**options)
    return mb.avg_pool(
        exclude_padding_from_average=not attribute(node, "count_include_pad", 0), **options
    )


def _gemm(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    plain = all(attribute(node, key, 1.0) == 1.0 for key in ("alpha", "beta"))
    if not plain or attribute(node, "transA", 0) or not isinstance(inputs[1], np.ndarray):
        raise BrainError(
            f"Gemm with factors, a turned input or computed weights (it gives {node.output[0]!r}) "
            "cannot be told to Core ML"
        )
    weights = inputs[1] if attribute(node, "transB", 0) else inputs[1].T
    bias = np.broadcast_to(inputs[2].reshape(-1), len(weights)) if len(inputs) > 2 else None
    if bias is None:
        return mb.linear(x=inputs[0], weight=weights, name=name)
    return mb.linear(x=inputs[0], weight=weights, bias=bias, name=name)


def _clip(mb: Any, _node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    low, high = (float(np.asarray(bound).reshape(-1)[0]) for bound in inputs[1:3])
    if (low, high) == (0.0, 6.0):
        return mb.relu6(x=inputs[0], name=name)
    return mb.clip(x=inputs[0], alpha=low, beta=high, name=name)


def _reduce(operator: str) -> _Write:
    def write(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
        axes = int_list(node, "axes") if len(inputs) < _PAIR else inputs[1].tolist()
        keep = bool(attribute(node, "keepdims", 1))
        return getattr(mb, operator)(x=inputs[0], axes=axes, keep_dims=keep, name=name)

    return write


def _two(operator: str) -> _Write:
    def write(mb: Any, _node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
        result = inputs[0]
        for place, other in enumerate(inputs[1:], start=2):
            label = name if place == len(inputs) else f"{name}_{place}"
            result = getattr(mb, operator)(x=result, y=other, name=label)
        return result

    return write


def _one(operator: str) -> _Write:
    return lambda mb, _node, inputs, name: getattr(mb, operator)(x=inputs[0], name=name)


def _softmax(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    return mb.softmax(x=inputs[0], axis=attribute(node, "axis", -1), name=name)


def _reshape(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    shape = [1, -1] if node.op_type == "Flatten" else inputs[1].astype(np.int32).tolist()
    return mb.reshape(x=inputs[0], shape=shape, name=name)


def _average(mb: Any, _node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    return mb.reduce_mean(x=inputs[0], axes=[2, 3], keep_dims=True, name=name)


def _concat(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    return mb.concat(values=list(inputs), axis=attribute(node, "axis", 0), name=name)


def _transpose(mb: Any, node: onnx.NodeProto, inputs: Sequence[Any], name: str) -> Any:  # noqa: ANN401
    return mb.transpose(x=inputs[0], perm=int_list(node, "perm"), name=name)


OPERATORS: Mapping[str, _Write] = {
    "Add": _two("add"),
    "AveragePool": _pool,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _two("real_div"),
    "Flatten": _reshape,
    "Gemm": _gemm,
    "GlobalAveragePool": _average,
    "Identity": _one("identity"),
    "MatMul": _two("matmul"),
    "Max": _two("maximum"),
    "MaxPool": _pool,
    "Min": _two("minimum"),
    "Mul": _two("mul"),
    "ReduceL2": _reduce("reduce_l2_norm"),
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceSum": _reduce("reduce_sum"),
    "Relu": _one("relu"),
    "Reshape": _reshape,
    "Sigmoid": _one("sigmoid"),
    "Softmax": _softmax,
    "Sqrt": _one("sqrt"),
    "Sub": _two("sub"),
    "Tanh": _one("tanh"),
    "Transpose": _transpose,
}
