"""A Keras network, layer by layer, onto a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ninebrains.bridging.from_keras import activating, convolving, merging, scaling, shaping
from ninebrains.bridging.from_keras.layers import (
    LAYERS,
    MODELS,
    OPERATIONS,
    PASSING,
    listed,
)
from ninebrains.bridging.from_keras.sheet import Sheet, Value
from ninebrains.errors import TrunkError

# A Keras layer, and what is written for it: none of Keras's types can be named without Keras.
Writer = Callable[[Sheet, Any, Value, str], Value]
MergeWriter = Callable[[Sheet, Any, list[Value], str], Value]

_WRITERS: dict[str, Writer] = {
    "Activation": activating.activation,
    "AveragePooling2D": convolving.pool,
    "BatchNormalization": scaling.batch_normalization,
    "Conv2D": convolving.conv2d,
    "Cropping2D": shaping.cropping,
    "Dense": convolving.dense,
    "DepthwiseConv2D": convolving.depthwise,
    "ELU": activating.elu,
    "Flatten": shaping.flatten,
    "GlobalAveragePooling2D": convolving.pool_all,
    "GlobalMaxPooling2D": convolving.pool_all,
    "LayerNormalization": scaling.layer_normalization,
    "LayerScale": scaling.layer_scale,
    "LeakyReLU": activating.leaky_relu,
    "MaxPooling2D": convolving.pool,
    "Normalization": scaling.normalization,
    "PReLU": activating.prelu,
    "ReLU": activating.relu,
    "Rescaling": scaling.rescaling,
    "Reshape": shaping.reshape,
    "SeparableConv2D": convolving.separable,
    "Softmax": activating.softmax,
    "ZeroPadding2D": shaping.zero_padding,
}
_MERGE_WRITERS: dict[str, MergeWriter] = {
    "Add": merging.merge,
    "Average": merging.merge,
    "Concatenate": merging.concatenate,
    "CustomScaleLayer": merging.custom_scale,
    "Maximum": merging.merge,
    "Minimum": merging.merge,
    "Multiply": merging.merge,
    "Subtract": merging.merge,
}
assert _WRITERS.keys() | _MERGE_WRITERS.keys() == LAYERS


@dataclass(frozen=True)
class Level:
    """One network of those that lie in each other.

    Attributes:
        prefix: of its layers' names on the sheet, "" for the outermost.
        names: of its layers.
    """

    prefix: str
    names: frozenset[str]


class Walk:
    """Writes a network on a sheet.

    Attributes:
        sheet: what has been written.
        levels: the network and those inside, as they were met.
    """

    def __init__(self, opset: int) -> None:
        self.sheet = Sheet(opset)
        self.levels: list[Level] = []

    def through(self, model: Any, values: list[Value], prefix: str = "") -> list[Value]:  # noqa: ANN401
        """Write a network that reads the values; give those of its outputs.

        Raises:
            TrunkError: it holds what is not of the list.
        """
        graph = graph_of(model)
        names = frozenset(str(layer.name) for layer in model.layers)
        self.levels.append(Level(prefix, names))
        if len(graph.inputs) != len(values):
            raise TrunkError(
                f"the network {model.name!r} has {len(graph.inputs)} inputs; expected one, a batch "
                "of photos."
            )
        known = {id(tensor): value for tensor, value in zip(graph.inputs, values, strict=True)}
        for node in _nodes(graph):
            if node.is_input or any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            args, kwargs = node.arguments.fill_in(known)
            made = self._write(node.operation, args, kwargs, prefix)
            known |= {id(t): v for t, v in zip(node.outputs, made, strict=True)}
        return [known[id(tensor)] for tensor in graph.outputs]

    def _write(
        self,
        operation: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        prefix: str,
    ) -> list[Value]:
        kind, module = type(operation).__name__, type(operation).__module__
        name = f"{prefix}{operation.name}"
        if module == OPERATIONS.get(kind) and kind == "Cast":
            return [merging.cast(operation, args, name)]
        if module == OPERATIONS.get(kind):
            return [merging.operate(self.sheet, operation, args, kwargs, name)]
        if not module.startswith("keras.src.") or kind not in LAYERS | PASSING | MODELS:
            raise TrunkError(
                f"the layer {name!r} is a {kind} of {module}, which is not of those that are "
                f"known: {listed()}. Replace it, or leave it out of the network."
            )
        values = _values(args, name)
        if kind in MODELS:
            return self.through(operation, values, f"{name}/")
        if kind in _MERGE_WRITERS and values:
            return [_MERGE_WRITERS[kind](self.sheet, operation, values, name)]
        if len(values) != 1:
            raise TrunkError(f"the layer {name!r} ({kind}) reads {len(values)} values; expected 1.")
        if kind in PASSING:
            return values
        return [_WRITERS[kind](self.sheet, operation, values[0], name)]


def graph_of(model: Any) -> Any:  # noqa: ANN401
    """The graph of a functional or sequential network.

    Raises:
        TrunkError: it has none.
    """
    kind = type(model).__name__
    if type(model).__module__.startswith("keras.src.") and kind in MODELS:
        graph = getattr(model, "_functional", None) if kind == "Sequential" else model
        if graph is not None and hasattr(graph, "_nodes_by_depth"):
            return graph
        if kind == "Sequential":
            raise TrunkError(
                f"the network {model.name!r} does not know its input's shape yet; expected a built "
                "one. Begin it with keras.Input, or call it once on photos, and save it again."
            )
    raise TrunkError(
        f"the network is a {kind} of {type(model).__module__}; expected a functional or sequential "
        "Keras model, whose layers can be told one by one."
    )


def _nodes(graph: Any) -> Iterator[Any]:  # noqa: ANN401
    """The graph's nodes, every one after those that it reads."""
    by_depth = graph._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def _values(args: tuple[Any, ...], name: str) -> list[Value]:
    """What a layer reads: a value, or a list of them.

    Raises:
        TrunkError: something else, such as a plain number.
    """
    first = args[0] if args else []
    found = list(first) if isinstance(first, (list, tuple)) else [first]
    if len(args) != 1 or not all(isinstance(value, Value) for value in found):
        raise TrunkError(
            f"the layer {name!r} reads {len(args)} things that are not all values of the network; "
            "expected one value or a list of them."
        )
    return found
