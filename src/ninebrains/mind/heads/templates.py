"""A template: what a tail computes, without the numbers that tell one brain from another.

Brains of one template differ in weights only, so one array operation can serve all of them. Two
kinds of weights are told apart:

- *matrices*, by which values that all brains share are multiplied. Those that read one value lie
  below each other in a *block*, so that one pass over memory serves them all;
- *small weights*: biases, offsets, gains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ninebrains.mind.forms.form import Shape, name_of

Floats = npt.NDArray[np.float32]
Attributes = tuple[tuple[str, Shape | float | None], ...]


class Operand(NamedTuple):
    """What a step reads.

    Attributes:
        kind: `number`; `shared`, a value that is the same for all brains, by hash; `product` or
            `weight`, by index; `step`, the result of an earlier one.
        key: which one.
    """

    kind: str
    key: str | int | float


class Step(NamedTuple):
    """One operation: a function of `operators` and what it reads."""

    function: str
    operands: tuple[Operand, ...]
    attributes: Attributes = ()


class Block(NamedTuple):
    """Matrices below each other, float32[num_rows, width] for each brain."""

    num_rows: int
    width: int

    @property
    def num_bytes(self) -> int:
        """Of one brain's block."""
        return self.num_rows * self.width * 4


class Product(NamedTuple):
    """A matrix times a shared value: a vector for each photo, or a map of vectors.

    Attributes:
        reads: hash of the shared value, [N, width] or [N, width, h, w].
        block: index of the block that the matrix lies in.
        start: its first row there.
        stop: the row after its last.
        shape: of one photo's result, (rows,) or (rows, h, w).
    """

    reads: str
    block: int
    start: int
    stop: int
    shape: Shape


@dataclass(frozen=True)
class Plan:
    """What of a template some outputs need.

    Attributes:
        frontier: hashes of the values to be given.
        shared: indices of the shared steps to take, in order.
        products: indices.
        steps: indices, in order.
    """

    frontier: frozenset[str]
    shared: tuple[int, ...]
    products: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Template:
    """What a tail computes.

    Attributes:
        frontier: the values it reads: hash, and shape of one photo's row.
        shared: steps whose results are the same for all brains, each with the result's hash.
        blocks: of matrices.
        products: of matrices and shared values.
        weights: shapes of the small weights, to be met by rows.
        steps: the rest.
        outputs: name, and what it shows.
    """

    frontier: tuple[tuple[str, Shape], ...]
    shared: tuple[tuple[str, Step], ...]
    blocks: tuple[Block, ...]
    products: tuple[Product, ...]
    weights: tuple[Shape, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, Operand], ...]
    _plans: dict[frozenset[str], Plan] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex): equal for tails that can be computed together."""
        parts = (self.frontier, self.shared, self.blocks, self.products, self.weights)
        return name_of("template", repr(parts), repr((self.steps, self.outputs)))

    @cached_property
    def num_bytes(self) -> int:
        """Of one brain's weights."""
        small = sum(4 * int(np.prod(shape)) for shape in self.weights)
        return small + sum(block.num_bytes for block in self.blocks)

    def needs(self, outputs: Collection[str]) -> frozenset[str]:
        """Hashes of the values that have to be given for some outputs; others are passed over."""
        return self.plan(outputs).frontier

    def plan(self, outputs: Collection[str]) -> Plan:
        """What of it some outputs need; names that it does not have are passed over."""
        names = frozenset(outputs)
        if names not in self._plans:
            self._plans[names] = self._plan(names)
        return self._plans[names]

    def _plan(self, outputs: frozenset[str]) -> Plan:
        wanted = {operand for name, operand in self.outputs if name in outputs}
        steps = _needed(wanted, [(Operand("step", i), s) for i, s in enumerate(self.steps)])
        products = tuple(sorted(int(key) for kind, key in wanted if kind == "product"))
        wanted |= {Operand("shared", self.products[index].reads) for index in products}
        shared = _needed(wanted, [(Operand("shared", name), step) for name, step in self.shared])
        frontier = frozenset(name for name, _ in self.frontier if Operand("shared", name) in wanted)
        return Plan(frontier, shared, products, steps)


def _needed(wanted: set[Operand], steps: Iterable[tuple[Operand, Step]]) -> tuple[int, ...]:
    """Indices of the steps that `wanted` needs; what they read joins it."""
    needed = []
    for index, (result, step) in reversed(list(enumerate(steps))):
        if result in wanted:
            needed.append(index)
            wanted.update(step.operands)
    return tuple(reversed(needed))


@dataclass(frozen=True, eq=False)
class Tail:
    """A brain's tail: a template and the brain's own numbers.

    Attributes:
        template: what it computes.
        blocks: float32[num_rows, width] for each of the template's blocks, in parts: the matrices
            that lie in it, from the top.
        weights: the small weights, shaped as the template says.
    """

    template: Template
    blocks: tuple[tuple[Floats, ...], ...]
    weights: tuple[Floats, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that it computes."""
        return tuple(name for name, _ in self.template.outputs)

    @property
    def num_bytes(self) -> int:
        """Of its weights."""
        return self.template.num_bytes
