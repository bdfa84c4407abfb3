"""Cutting the tail off a form: the small end of it that only one brain has.

    photos ─► stem ─► features ──────┬─► W x + b ─► softmax ─► scores
                └───► feature_map    └─► x / |x| ─► ... ─► unfamiliar
                        └─► 1x1 convolution ─► heatmap
                                │
                 the frontier ◄─┴─► the tail

What a trunk computes is the same for all brains on it; what follows are small linear heads, each
with its own weights. Compiled one by one, a hundred of them take longer than the trunk. As tails
they are run together, by `stacking`. The rule looks at operators, shapes and readers only, so a
classifier that was made elsewhere has a tail, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ninebrains.mind.forms.form import Constant, Form, Operation, Shape
from ninebrains.mind.heads.reading import RESHAPING
from ninebrains.mind.heads.templates import Tail
from ninebrains.mind.heads.writing import write_tail

__all__ = ["Split", "Tail", "split"]

# A linear layer that reads more than this is a head on what comes before it, which may be a layer
# that many brains share (a trunk's projection, say) and so belongs to the stem. One that reads
# less, a few numbers that a head has computed, is a part of that head.
WIDEST_INNER_LAYER = 64

_BY_NUMBER = frozenset(("Add", "Div", "Max", "Min", "Mul", "Relu", "Sigmoid", "Sqrt", "Sub"))
_BY_ROW = frozenset(("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Softmax"))

Place = Literal["before a head", "head", "after a head"]


@dataclass(frozen=True)
class Split:
    """A form in two pieces.

    Attributes:
        stem_outputs: hashes of the values that the stem has to give, sorted: the frontier, which
            the tail reads, and outputs that the stem makes.
        tail: the rest; None where nothing could be stacked.
    """

    stem_outputs: tuple[str, ...]
    tail: Tail | None


def split(form: Form) -> Split:
    """Cut the tail off a form. The tail's large weights are views of the form's, not copies."""
    places = _places(form)
    if "head" not in places.values():
        return Split(tuple(sorted(set(form.outputs.values()))), None)
    tail = write_tail(form, [form.operations[index] for index in sorted(places)])
    made = {form.operations[index].outputs[0] for index in places}
    stem = {value for value in form.outputs.values() if value not in made}
    return Split(tuple(sorted(stem | {name for name, _ in tail.template.frontier})), tail)


def _places(form: Form) -> dict[int, Place]:
    """Where in the tail an operation lies, by its index; those of the stem are not there.

    Each is judged after all that read it: what the stem reads belongs to the stem.
    """
    readers: dict[str, list[int]] = {}
    for index, operation in enumerate(form.operations):
        for name in set(operation.inputs) - {""}:
            readers.setdefault(name, []).append(index)
    places: dict[int, Place] = {}
    for index, operation in reversed(list(enumerate(form.operations))):
        reading = readers.get(operation.outputs[0], [])
        if len(operation.outputs) == 1 and all(reader in places for reader in reading):
            place = _place(form, operation, {places[reader] for reader in reading})
            if place is not None:
                places[index] = place
    return places


def _place(form: Form, operation: Operation, readers: set[Place]) -> Place | None:
    """Where in the tail an operation can lie, given where its readers do."""
    if operation.operator == "Conv":
        return "head" if not readers and _is_map_head(form, operation) else None
    given = [name for name in operation.inputs if name and name not in form.constants]
    values = [*given, operation.outputs[0]]
    if not given or not all(_is_row(form, name) for name in values):
        return None
    if readers <= {"after a head"}:
        if _is_linear(form, operation):
            (width,) = form.shapes[operation.inputs[0]][1:]
            return "head" if width > WIDEST_INNER_LAYER else "after a head"
        return "after a head" if _is_plain(form, operation) else None
    # What lies before a head is computed once for all brains: no weights of one brain are in it.
    constants = [form.constants[name] for name in operation.inputs if name in form.constants]
    numbers = [item for item in constants if item.dtype == "float32"]
    is_shared = _is_plain(form, operation) and all(map(_is_number, numbers))
    return "before a head" if is_shared else None


def _is_number(constant: Constant) -> bool:
    return math.prod(constant.shape) == 1


def _is_row(form: Form, name: str) -> bool:
    """Whether a value is a vector of numbers, or one number, for each photo."""
    return name in form.by_photo and len(form.shapes[name]) <= 2 and form.dtypes[name] == "float32"


def _is_linear(form: Form, operation: Operation) -> bool:
    """Whether it is a row times a constant matrix, plus a constant or another row."""
    if operation.operator not in ("Gemm", "MatMul") or dict(operation.attributes).get("transA"):
        return False
    first, second, *_ = operation.inputs
    matrix = form.constants.get(second)
    return (
        first not in form.constants
        and len(form.shapes[first]) == 2
        and matrix is not None
        and len(matrix.shape) == 2
        and _constants_fit(form, operation, operation.inputs[2:])
    )


def _is_plain(form: Form, operation: Operation) -> bool:
    """Whether it treats each photo's row on its own, in a way that the stack knows."""
    kind, attributes = operation.operator, dict(operation.attributes)
    if kind in RESHAPING:
        return operation.inputs[0] not in form.constants
    if kind in _BY_NUMBER:
        return _constants_fit(form, operation, operation.inputs)
    if kind == "Clip":
        limits = [form.constants.get(name) for name in operation.inputs[1:] if name]
        return all(item and item.dtype == "float32" and _is_number(item) for item in limits)
    if kind == "Softmax":
        rank = len(form.shapes[operation.inputs[0]])
        return rank == 2 and attributes.get("axis", -1) in (1, -1)
    if kind in _BY_ROW:
        axes = attributes.get("axes")
        if axes is None and len(operation.inputs) > 1 and operation.inputs[1] in form.constants:
            axes = tuple(form.constants[operation.inputs[1]].array().tolist())
        return axes in ((1,), (-1,)) and len(form.shapes[operation.inputs[0]]) == 2
    return False


def _constants_fit(form: Form, operation: Operation, inputs: tuple[str, ...]) -> bool:
    """Whether all inputs have one rank, and constants mean the same for every photo."""
    rank = len(form.shapes[operation.outputs[0]])
    for name in filter(None, inputs):
        constant = form.constants.get(name)
        if constant is None:
            if len(form.shapes[name]) != rank:
                return False
        elif constant.dtype != "float32" or not _fits(constant.shape, rank):
            return False
    return True


def _fits(shape: Shape, rank: int) -> bool:
    """Whether a constant's first axis, where it reaches that far, is not one of photos."""
    return len(shape) < rank or (len(shape) == rank and shape[0] == 1)


def _is_map_head(form: Form, operation: Operation) -> bool:
    """Whether it is a linear head at every place of a map: a plain 1x1 convolution."""
    attributes: Mapping[str, object] = dict(operation.attributes)
    values = (operation.inputs[0], operation.outputs[0])
    constants = [form.constants.get(name) for name in operation.inputs[1:]]
    return (
        all(item is not None and item.dtype == "float32" for item in constants)
        and all(name in form.by_photo and form.dtypes[name] == "float32" for name in values)
        and len(form.shapes[values[0]]) == 4
        and form.constants[operation.inputs[1]].shape[2:] == (1, 1)
        and attributes.get("group", 1) == 1
        and attributes.get("strides", (1, 1)) == (1, 1)
        and not any(_numbers(attributes.get("pads")))
    )


def _numbers(attribute: object) -> tuple[object, ...]:
    return attribute if isinstance(attribute, tuple) else ()
