"""Running one template for all pairs of a photo and a brain that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ninebrains.errors import BrainError
from ninebrains.mind.forms.form import Array, Shape
from ninebrains.mind.heads.operators import FUNCTIONS
from ninebrains.mind.heads.products import Pairs
from ninebrains.mind.heads.seats import Section, Slots
from ninebrains.mind.heads.templates import Floats, Operand, Plan, Step, Template

_NOT_NUMBERS = (
    "it gave {} that are not numbers (NaN or infinite); its weights are damaged or do not suit "
    "this photo. Train it again."
)


@dataclass(frozen=True)
class Answers:
    """What the pairs of one template got.

    Attributes:
        outputs: each output's name and its values: float32[P, ...] by pair, or float32[N, ...] by
            photo where the third item is true.
        rows: each pair's photo.
        errors: what is wrong with a pair, if anything.
    """

    outputs: Sequence[tuple[str, Floats, bool]]
    rows: Sequence[int]
    errors: Mapping[int, str] = field(default_factory=dict)

    def values(self, pair: int) -> dict[str, Floats]:
        """One pair's row of each output, without a copy."""
        row = self.rows[pair]
        return {
            name: array[row if is_by_photo else pair, ...]
            for name, array, is_by_photo in self.outputs
        }

    def array(self, output: str) -> Floats | None:
        """An output of all pairs, float32[P, ...]; None if there is no such output."""
        for name, array, is_by_photo in self.outputs:
            if name == output:
                return array[self.rows] if is_by_photo else array
        return None


class Shared:
    """Values that all brains share: each is computed once in a run, for all photos."""

    def __init__(self, given: Mapping[str, Array]) -> None:
        """Begin with the values of the frontier."""
        self._given = given
        self._known: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        return self._known[name]

    def prepare(self, template: Template, plan: Plan) -> None:
        """Compute what a plan reads.

        Raises:
            BrainError: a value of the frontier is missing or not what the template expects.
        """
        for name, shape in template.frontier:
            if name in plan.frontier and name not in self._known:
                self._known[name] = _checked(self._given.get(name), shape)
        for index in plan.shared:
            name, step = template.shared[index]
            if name not in self._known:
                self._known[name] = _take(step, self._operand)

    def _operand(self, operand: Operand) -> Floats | float:
        key = operand.key
        return self._known[key] if isinstance(key, str) else key


def _checked(value: Array | None, shape: Shape) -> Floats:
    if value is None or value.dtype != np.float32 or value.shape[1:] != shape:
        found = "nothing" if value is None else f"{value.dtype}{list(value.shape)}"
        raise BrainError(f"it reads float32{['N', *shape]}, but was given {found}")
    return np.ascontiguousarray(value, np.float32)


def _take(step: Step, fetch: Callable[[Operand], Floats | float]) -> Floats:
    function = FUNCTIONS[step.function]
    if not step.attributes:
        return function(*map(fetch, step.operands))
    return function(*map(fetch, step.operands), **dict(step.attributes))


def answer(
    section: Section, rows: Slots, slots: Slots, shared: Shared, outputs: frozenset[str]
) -> tuple[Answers, Slots]:
    """Compute outputs for some pairs.

    Args:
        section: of all the seats.
        rows: each pair's photo, intp[P].
        slots: each pair's seat, intp[P].
        shared: of this run.
        outputs: names; those that the template does not have are passed over.

    Returns:
        The answers, and the place of each pair in them.

    Raises:
        BrainError: the frontier does not fit.
    """
    template = section.template
    plan = template.plan(outputs)
    shared.prepare(template, plan)
    calculation = _Calculation(Pairs(section, rows, slots), shared)
    calculation.run(plan)
    pairs = calculation.pairs
    made = [
        (name, shared[operand.key], True)
        if isinstance(operand.key, str)
        else (name, calculation.known[operand], False)
        for name, operand in template.outputs
        if name in outputs
    ]
    return Answers(made, pairs.rows.tolist(), _errors(made, pairs.rows)), pairs.places


class _Calculation:
    """The steps of one template, for all its pairs at a time."""

    def __init__(self, pairs: Pairs, shared: Shared) -> None:
        self.pairs = pairs
        self.known: dict[Operand, Floats] = {}
        self._shared = shared
        self._blocks: dict[int, Floats] = {}

    def run(self, plan: Plan) -> None:
        """Compute a plan's products and steps."""
        for index in plan.products:
            self.known[Operand("product", index)] = self._product(index)
        for index in plan.steps:
            step = self.pairs.section.template.steps[index]
            self.known[Operand("step", index)] = _take(step, self._operand)

    def _product(self, index: int) -> Floats:
        product = self.pairs.section.template.products[index]
        values = self._shared[product.reads]
        if len(product.shape) > 1:
            return self.pairs.maps(product, values)
        if product.block not in self._blocks:
            self._blocks[product.block] = self.pairs.vectors(product.block, values)
        return self._blocks[product.block][:, product.start : product.stop]

    def _operand(self, operand: Operand) -> Floats | float:
        """What a step reads: an array whose first axis is the pair, or a number."""
        if operand.kind == "number":
            return float(operand.key)
        if operand not in self.known:
            self.known[operand] = (
                self._shared[operand.key][self.pairs.rows]
                if isinstance(operand.key, str)
                else self.pairs.section.weights(int(operand.key), self.pairs.slots)
            )
        return self.known[operand]


def _errors(outputs: Sequence[tuple[str, Floats, bool]], rows: Slots) -> dict[int, str]:
    """The pairs with values that are not finite, and what to say about it."""
    errors: dict[int, str] = {}
    for name, array, is_by_photo in outputs:
        finite = np.isfinite(array)
        if not finite.all():
            sound = np.all(finite.reshape(len(array), -1), axis=1)
            pairs = np.flatnonzero(~(sound[rows] if is_by_photo else sound))
            errors.update((pair, _NOT_NUMBERS.format(name)) for pair in pairs.tolist())
    return errors
