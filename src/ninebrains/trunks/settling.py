"""A network for any number of photos, that asks for no size but their number.

An export for a fixed batch has the number of photos in its constants; one with free axes computes
it again and again. Both become the same: shapes that take the batch from what they shape, and class
tokens and the like repeated for as many photos as there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.sizing import Shapes, Values, computed_from_pixels, work_out_sizes
from ninebrains.trunks.wiring import Array, Wiring, attribute, int_list, keep_only

if TYPE_CHECKING:
    import onnx

# For these a row for one photo stands for all: the other side has as many as there are photos.
_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "And", "Or"})
_LONGEST_SHAPE = 16


def settle(model: onnx.ModelProto, form: InputForm, file_name: str) -> onnx.ModelProto:
    """The network with its batch axis free and its sizes worked out; values keep their names.

    What depends on the number of photos in ways that are not known here stays as it is. Whether the
    result is right for one photo and for several is for the importer to check.

    Args:
        model: with the photos' size in its input's shape; it is left as it is.
        form: its input.
        file_name: for messages.

    Raises:
        TrunkError: ONNX Runtime refuses what it does with sizes.
    """
    import onnx

    settled = onnx.ModelProto()
    settled.CopyFrom(model)
    if len(computed_from_pixels(model)) - 1 < sum(len(node.output) for node in model.graph.node):
        counts = (form.batch,) if form.batch is not None else (2, 3)
        _Settling(settled, [work_out_sizes(model, count, file_name) for count in counts]).run()
    if form.batch is not None:
        _free_batch(settled, form.batch, work_out_sizes(settled, form.batch, file_name)[1])
    settled.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    del settled.graph.value_info[:]
    keep_only(settled, [output.name for output in settled.graph.output])
    return settled


class _Settling:
    """Puts what was worked out for one or two numbers of photos in place of its computation."""

    def __init__(self, model: onnx.ModelProto, found: list[tuple[Values, Shapes]]) -> None:
        self.model = model
        self.pixels = computed_from_pixels(model)
        self.values = [values for values, _ in found]
        self.shapes = [shapes for _, shapes in found]
        self.pen = _Pen(model)

    def run(self) -> None:
        for node in list(self.model.graph.node):
            if not self.pixels.intersection(node.input) or node.op_type in ("Shape", "Size"):
                self.pen.nodes.append(node)
                continue
            for place, name in enumerate(node.input):
                if all(name in values for values in self.values):
                    self._replace(node, place, [values[name] for values in self.values])
            self.pen.nodes.append(node)
        self.pen.write()

    def _replace(self, node: onnx.NodeProto, place: int, found: list[Array]) -> None:
        """Give a node a constant, or the least that follows the number of photos."""
        first, last, name = found[0], found[-1], node.input[place]
        if all(_same(first, other) for other in found):
            node.input[place] = self.pen.constant(name, first)
            return
        if node.op_type == "Reshape" and place == 1:
            shape = self._free_shape(node.output[0])
            if shape is not None:
                node.input[place] = self.pen.constant(f"{node.output[0]}/shape", np.array(shape))
            return
        counted = self._counted(node)
        if counted is None:
            return
        if (first.shape, last.shape) == ((2, *first.shape[1:]), (3, *first.shape[1:])):
            if all(_same(row, first[0]) for row in (*first, *last)):
                same_rank = len(self.shapes[0][counted]) == first.ndim
                by_itself = node.op_type in _BROADCASTING and same_rank
                row = self.pen.constant(f"{name}/row", first[:1])
                node.input[place] = row if by_itself else self.pen.rows(row, first.ndim, counted)
        elif first.dtype == np.int64 and first.ndim == 1 and first.shape == last.shape:
            each = last.astype(np.int64) - first.astype(np.int64)
            if first.size <= _LONGEST_SHAPE and bool(np.all((each == 0) | (first == 2 * each))):
                node.input[place] = self.pen.sizes(name, first, each, counted)

    def _free_shape(self, name: str) -> list[int] | None:
        """A shape with -1 where the number of photos counts, if that is in one place."""
        one, other = (shapes.get(name, []) for shapes in self.shapes)
        if len(one) != len(other) or sum(a != b for a, b in zip(one, other, strict=True)) != 1:
            return None
        return [a if a == b else -1 for a, b in zip(one, other, strict=True)]

    def _counted(self, node: onnx.NodeProto) -> str | None:
        """An input of the node that has one row a photo."""
        for name in node.input:
            sizes = [shapes.get(name, [])[:1] for shapes in self.shapes]
            if name in self.pixels and sizes == [[2], [3]]:
                return str(name)
        return None


class _Pen:
    """Writes a model's nodes anew, and new ones before those that read them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.nodes: list[onnx.NodeProto] = []
        self.made: set[str] = set()

    def constant(self, name: str, value: Array) -> str:
        """A new constant, called after what it is made for; made once."""
        from onnx import numpy_helper

        name = f"settled/{name}"
        if name not in self.made:
            self.made.add(name)
            array = np.ascontiguousarray(value).reshape(value.shape)  # the first makes 0-D to 1-D
            self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: list[str], name: str, axis: int | None = None) -> str:
        """A new node, called after what it is made for; made once."""
        from onnx import helper

        name = f"settled/{name}"
        if name not in self.made:
            self.made.add(name)
            self.nodes.append(helper.make_node(operator, inputs, [name]))
            if axis is not None:
                self.nodes[-1].attribute.append(helper.make_attribute("axis", axis))
        return name

    def batch(self, counted: str) -> str:
        """int64[1], the number of photos."""
        sizes = self.node("Shape", [counted], f"{counted}/sizes")
        place = self.constant("first", np.array([0]))
        return self.node("Gather", [sizes, place], f"{counted}/batch", axis=0)

    def sizes(self, name: str, one: Array, each: Array, counted: str) -> str:
        """A list of sizes, of which those with `each` > 0 count that many for every photo."""
        parts = []
        for place, (size, step) in enumerate(zip(one, each, strict=True)):
            prefix = f"{name}/{counted}/{place}"
            value = self.constant(prefix, np.array([step or size], np.int64))
            if step:
                value = self.node("Mul", [self.batch(counted), value], f"{prefix}/all")
            parts.append(value)
        return self.node("Concat", parts, f"{name}/{counted}/sizes", axis=0)

    def rows(self, row: str, rank: int, counted: str) -> str:
        """The value `row` [1, ...] once for every photo."""
        sizes = [self.batch(counted)]
        if rank > 1:
            sizes.append(self.constant(f"ones_{rank - 1}", np.ones(rank - 1, np.int64)))
        shape = self.node("Concat", sizes, f"{counted}/rows_{rank}", axis=0)
        return self.node("Expand", [row, shape], f"{row}/{counted}/rows")

    def write(self) -> None:
        """Put the nodes into the model."""
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)


def _free_batch(model: onnx.ModelProto, batch: int, shapes: Shapes) -> None:
    """In a network made for a fixed batch, let everything take as many photos as there are.

    The batch is taken to lie outermost. Reshape copies the number of photos (size 0), or works it
    out (-1) where other sizes are multiplied with it; what is joined to the values of every photo
    is repeated for each.
    """
    wiring, pixels, pen = Wiring(model), computed_from_pixels(model), _Pen(model)
    for node in list(model.graph.node):
        if node.op_type == "Reshape" and node.input[0] in pixels:
            shape = wiring.constant(node.input[1])
            if shape is not None and _is_moved_inwards(wiring, node.input[0]) and -1 in shape[1:]:
                pen.nodes.append(node)  # as in ShuffleNetV2: the size left open is the photos'
                continue
            freed = _freed(shape, batch, shapes.get(node.input[0]), shapes.get(node.output[0]))
            if freed is not None:
                node.input[1] = pen.constant(f"{node.output[0]}/shape", np.array(freed, np.int64))
                del node.attribute[:]  # allowzero would read size 0 as no photos at all
        elif node.op_type == "Concat" and attribute(node, "axis") != 0:
            counted = next((name for name in node.input if name in pixels), None)
            for place, name in enumerate(node.input):
                rows = wiring.constant(name)
                if counted is None or rows is None or rows.ndim < 2 or len(rows) != batch:
                    continue
                if all(_same(row, rows[0]) for row in rows):
                    row = pen.constant(f"{name}/row", rows[:1])
                    node.input[place] = pen.rows(row, rows.ndim, counted)
        pen.nodes.append(node)
    pen.write()


def _is_moved_inwards(wiring: Wiring, name: str) -> bool:
    """Whether a value comes from a Transpose after which photos are not the outermost axis."""
    maker = wiring.makers.get(name)
    places = int_list(maker, "perm") if maker is not None and maker.op_type == "Transpose" else None
    return places is not None and places[:1] != [0]


def _freed(
    shape: Array | None, batch: int, before: list[int] | None, after: list[int] | None
) -> list[int] | None:
    """The shape that a Reshape should have for any batch, or None if it may stay as it is."""
    if shape is None or shape.size == 0 or int(shape[0]) in (0, -1):
        return None
    sizes = [int(size) for size in shape]
    if sizes[0] == batch and (before is None or before[:1] == [batch]):
        return [0, *sizes[1:]]
    if after and after[0] % batch == 0:
        return [-1, *after[1:]]
    return None


def _same(one: Array, other: Array) -> bool:
    """The same type, shape and bits."""
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
