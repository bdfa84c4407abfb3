"""From the operations of a tail to a template and a brain's own weights.

The template of two brains must be the same wherever only their weights differ. A form is sorted by
hashes, which depend on weights. So the template is written from the outputs backwards, and inputs
that may be swapped are sorted by what they are, not by what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ninebrains.mind.forms.form import Form, Operation
from ninebrains.mind.heads.reading import Reader, Term
from ninebrains.mind.heads.templates import Block, Floats, Operand, Product, Step, Tail, Template


def write_tail(form: Form, operations: Sequence[Operation]) -> Tail:
    """Describe a tail.

    Args:
        form: that it is a part of.
        operations: those of the tail, each after what it reads.
    """
    reader = Reader(form)
    for operation in operations:
        reader.read(operation)
    writer = _Writer(form, reader)
    outputs = tuple(
        (name, writer.operand(reader.terms[value]))
        for name, value in sorted(form.outputs.items())
        if value in reader.terms
    )
    return writer.finish(outputs)


class _Writer:
    """Numbers terms in the order in which the outputs need them."""

    def __init__(self, form: Form, reader: Reader) -> None:
        self._form = form
        self._reader = reader
        self._operands: dict[Term, Operand] = {}
        self._seen: set[str] = set()
        self._frontier: list[str] = []
        self._shared: list[str] = []
        self._products: list[Term] = []
        self._weights: list[Floats] = []
        self._steps: list[Step] = []

    def operand(self, term: Term) -> Operand:
        """How steps refer to a term; all that it needs is written before it."""
        waiting = [term]
        while waiting:
            missing = [item for item in waiting[-1].operands if item not in self._operands]
            if missing:
                waiting.extend(reversed(missing))
                continue
            last = waiting.pop()
            if last not in self._operands:
                self._operands[last] = self._write(last)
        return self._operands[term]

    def _write(self, term: Term) -> Operand:
        if term.function == "number":
            return Operand("number", term.key)
        if term.function == "shared":
            self._share(str(term.key))
            return Operand("shared", term.key)
        if term.function == "product":
            self._share(str(term.key))
            self._products.append(term)
            return Operand("product", len(self._products) - 1)
        if term.array is not None:
            self._weights.append(term.array)
            return Operand("weight", len(self._weights) - 1)
        operands = tuple(self._operands[operand] for operand in term.operands)
        self._steps.append(Step(term.function, operands, term.attributes))
        return Operand("step", len(self._steps) - 1)

    def _share(self, name: str) -> None:
        """Write a shared value, after those that it is computed from."""
        waiting = [name]
        while waiting:
            step = self._reader.shared.get(waiting[-1])
            operands = step.operands if step else ()
            missing = [str(key) for kind, key in operands if kind == "shared"]
            missing = [item for item in missing if item not in self._seen]
            if missing:
                waiting.extend(reversed(missing))
                continue
            last = waiting.pop()
            if last not in self._seen:
                self._seen.add(last)
                (self._shared if step else self._frontier).append(last)

    def finish(self, outputs: Iterable[tuple[str, Operand]]) -> Tail:
        """The tail, once all outputs are written."""
        blocks = _Blocks()
        products = blocks.place(self._products)
        template = Template(
            frontier=tuple((name, self._form.shapes[name][1:]) for name in self._frontier),
            shared=tuple((name, self._reader.shared[name]) for name in self._shared),
            blocks=tuple(Block(sum(map(len, parts)), parts[0].shape[1]) for parts in blocks.parts),
            products=products,
            weights=tuple(weight.shape for weight in self._weights),
            steps=tuple(self._steps),
            outputs=tuple(outputs),
        )
        return Tail(template, tuple(map(tuple, blocks.parts)), tuple(self._weights))


class _Blocks:
    """Matrices, those that read one value below each other."""

    def __init__(self) -> None:
        self.parts: list[list[Floats]] = []

    def place(self, terms: Sequence[Term]) -> tuple[Product, ...]:
        """Give each product its rows; a map's are the vector's where the weights are the same."""
        products: dict[Term, Product] = {}
        reading: dict[str, int] = {}
        for term in terms:
            if len(term.shape) == 1:
                block = reading.setdefault(str(term.key), len(self.parts))
                products[term] = self._append(term, block)
        for term in terms:
            if len(term.shape) > 1:
                twin = next(
                    (item for other, item in products.items() if _is_same(other, term)), None
                )
                products[term] = (
                    self._append(term, len(self.parts))
                    if twin is None
                    else twin._replace(reads=str(term.key), shape=term.shape)
                )
        return tuple(products[term] for term in terms)

    def _append(self, term: Term, block: int) -> Product:
        if block == len(self.parts):
            self.parts.append([])
        matrix = _matrix(term)
        start = sum(map(len, self.parts[block]))
        self.parts[block].append(matrix)
        return Product(str(term.key), block, start, start + len(matrix), term.shape)


def _matrix(term: Term) -> Floats:
    assert term.array is not None, "a product has a matrix"
    return term.array


def _is_same(one: Term, two: Term) -> bool:
    """Whether two matrices are equal, byte for byte."""
    first, second = _matrix(one), _matrix(two)
    return first.shape == second.shape and np.array_equal(
        first.view(np.int32), second.view(np.int32)
    )
