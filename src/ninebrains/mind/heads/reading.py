"""The operations of a tail as terms: what each value is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ninebrains.mind.forms.form import Form, Operation, Shape, name_of
from ninebrains.mind.heads.operators import COMMUTATIVE
from ninebrains.mind.heads.templates import Attributes, Floats, Operand, Step

RESHAPING = frozenset(("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"))


@dataclass(frozen=True, eq=False)
class Term:
    """A value of the tail, and how it is made.

    Attributes:
        function: of `operators`; or a kind of `Operand` other than `step`.
        operands: what the function takes.
        attributes: what else it takes.
        key: the hash of a shared value or of what a product reads, or a number.
        array: the weight, or the product's matrix [rows, width].
        shape: of one photo's product.
        description: stands for all of it but what is in `array`.
    """

    function: str
    operands: tuple[Term, ...] = ()
    attributes: Attributes = ()
    key: str | float = ""
    array: Floats | None = None
    shape: Shape = ()
    description: str = field(init=False)

    def __post_init__(self) -> None:
        size = None if self.array is None else self.array.shape
        parts = tuple(operand.description for operand in self.operands)
        rest = repr((self.attributes, self.key, size, self.shape))
        object.__setattr__(self, "description", name_of(self.function, parts, rest))

    @property
    def is_shared(self) -> bool:
        """Whether it is the same for all brains."""
        return self.function in ("shared", "number")


class Reader:
    """Turns operations into terms.

    Attributes:
        terms: by the hash of the value.
        shared: the steps that make shared values, by hash.
    """

    def __init__(self, form: Form) -> None:
        self.terms: dict[str, Term] = {}
        self.shared: dict[str, Step] = {}
        self._form = form

    def read(self, operation: Operation) -> None:
        """Add the value that an operation makes; what it reads has been added before."""
        name = operation.outputs[0]
        term = self._term(operation)
        if term.operands and all(operand.is_shared for operand in term.operands):
            operands = tuple(Operand(item.function, item.key) for item in term.operands)
            self.shared[name] = Step(term.function, operands, term.attributes)
            term = Term("shared", key=name)
        self.terms[name] = term

    def _term(self, operation: Operation) -> Term:
        kind, shape = operation.operator, self._form.shapes[operation.outputs[0]]
        attributes = dict(operation.attributes)
        if kind in ("Conv", "Gemm", "MatMul"):
            return self._layer(operation)
        first = self._value(operation.inputs[0])
        if kind in RESHAPING:
            return Term("Reshape", (first,), (("shape", shape[1:]),))
        if kind.startswith("Reduce"):
            return Term(kind, (first,), (("keep", bool(attributes.get("keepdims", 1))),))
        if kind == "Clip":
            low, high = (self._bound(operation, *which) for which in ((1, "min"), (2, "max")))
            return Term(kind, (first,), (("low", low), ("high", high)))
        operands = [self._operand(name, len(shape)) for name in operation.inputs]
        return _elementwise(kind, operands)

    def _layer(self, operation: Operation) -> Term:
        """A matrix, scaled, plus something."""
        attributes = dict(operation.attributes)
        name, matrix = operation.inputs[0], self._constant(operation.inputs[1])
        shape = self._form.shapes[operation.outputs[0]][1:]
        if operation.operator == "Conv":
            term = Term("product", key=name, array=matrix[:, :, 0, 0], shape=shape)
        else:
            rows = matrix if attributes.get("transB") else matrix.T
            first = self._value(name)
            if first.is_shared:
                term = Term("product", key=name, array=rows, shape=shape)
            else:
                term = Term("Linear", (first, Term("weight", array=rows)))
        term = _scaled(term, attributes.get("alpha", 1.0))
        if len(operation.inputs) < 3 or not operation.inputs[2]:
            return term
        if operation.operator == "Conv":
            bias = Term("weight", array=self._constant(operation.inputs[2])[:, None, None])
        else:
            bias = self._operand(operation.inputs[2], 2)
        return _elementwise("Add", [term, _scaled(bias, attributes.get("beta", 1.0))])

    def _value(self, name: str) -> Term:
        return self.terms.get(name) or Term("shared", key=name)

    def _operand(self, name: str, rank: int) -> Term:
        """A value, or a constant to be met by the rows of values of some rank."""
        if name not in self._form.constants:
            return self._value(name)
        values = self._constant(name)
        return Term("weight", array=values.reshape((1,) * (rank - values.ndim) + values.shape)[0])

    def _constant(self, name: str) -> Floats:
        return np.asarray(self._form.constants[name].array(), np.float32)

    def _bound(self, operation: Operation, place: int, name: str) -> float | None:
        """A limit of `Clip`: an input now, an attribute once."""
        if len(operation.inputs) > place and operation.inputs[place]:
            return float(self._constant(operation.inputs[place]).item())
        limit = dict(operation.attributes).get(name)
        return float(limit) if isinstance(limit, int | float) else None


def _elementwise(kind: str, operands: Sequence[Term]) -> Term:
    """An operator that takes its operands in pairs.

    A single number is a weight, since brains may differ in it; but not where it is a bound, or
    where nothing else in the operation belongs to one brain.
    """
    plain = [_as_number(operand) for operand in operands]
    if kind in ("Max", "Min") or all(operand.is_shared for operand in plain):
        operands = plain
    if kind in COMMUTATIVE:
        operands = sorted(operands, key=lambda operand: operand.description)
    return Term(kind, tuple(operands))


def _as_number(term: Term) -> Term:
    if term.function == "weight" and term.array is not None and term.array.size == 1:
        return Term("number", key=float(term.array.item()))
    return term


def _scaled(term: Term, factor: object) -> Term:
    """`alpha` and `beta` of `Gemm`."""
    number = Term("number", key=float(factor) if isinstance(factor, int | float) else 1.0)
    return term if number.key == 1.0 else Term("Mul", (number, term))
