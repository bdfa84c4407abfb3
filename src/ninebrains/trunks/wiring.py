"""Who makes and who reads each value of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[np.generic]
Layout = Literal["nchw", "nhwc"]  # of photos and feature maps


class Wiring:
    """A view of a model's graph by value name. Make a new one after changing the graph.

    Constants are the initialisers: `reading.read_model` has turned Constant nodes into those.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.makers: dict[str, onnx.NodeProto] = {
            output: node for node in model.graph.node for output in node.output if output
        }
        self.tensors: dict[str, onnx.TensorProto] = {
            tensor.name: tensor for tensor in model.graph.initializer
        }

    @cached_property
    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """The nodes that read each value; a node that reads it twice is there twice."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def constant(self, name: str) -> Array | None:
        """The values of a constant, or None for what depends on the photos."""
        from onnx import numpy_helper

        tensor = self.tensors.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The node that reads a value, if there is exactly one."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 else None

    def needed_for(self, names: Iterable[str]) -> set[str]:
        """Every value that `names` are computed from, themselves included."""
        return self._upwards(names, stop="", through=lambda _: True)

    def bypasses(self, name: str, start: str, end: str) -> bool:
        """Whether what `start` holds reaches `end` by another way than through the value `name`.

        Sizes do not count: many exports ask a map for the number of photos.
        """
        return start in self._upwards([end], name, lambda node: node.op_type != "Shape")

    def _upwards(
        self, names: Iterable[str], stop: str, through: Callable[[onnx.NodeProto], bool]
    ) -> set[str]:
        found: set[str] = set()
        waiting = [name for name in names if name]
        while waiting:
            name = waiting.pop()
            if name in found or name == stop:
                continue
            found.add(name)
            if name in self.makers and through(self.makers[name]):
                waiting.extend(entry for entry in self.makers[name].input if entry)
        return found

    def computed_from(self, name: str) -> set[str]:
        """Every value that depends on the value `name`, itself included."""
        found = {name}
        for node in self.graph.node:  # in an order where makers come before readers
            if found.intersection(node.input):
                found.update(node.output)
        return found


def attribute(node: onnx.NodeProto, name: str, default: object = None) -> object:
    """The value of a node's attribute: an int, float, bytes, tensor or list."""
    from onnx import helper

    for entry in node.attribute:
        if entry.name == name:
            value: object = helper.get_attribute_value(entry)
            return value
    return default


def int_list(node: onnx.NodeProto, name: str) -> list[int] | None:
    """The value of a node's attribute that is a list of whole numbers."""
    value = attribute(node, name)
    return None if value is None else [int(entry) for entry in value]  # type: ignore[attr-defined]


def keep_only(model: onnx.ModelProto, outputs: Iterable[str]) -> None:
    """Drop every node and constant that the values in `outputs` do not need."""
    needed = Wiring(model).needed_for(outputs)
    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
