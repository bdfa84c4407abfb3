"""Values by their hashes, each made once: what canonical forms are built with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.forms.computing import (
    INTEGERS_ONLY,
    LARGEST_TOTAL,
    can_compute,
    compute,
    is_exact_power,
    shape_vector,
)
from ninebrains.mind.forms.form import (
    Array,
    Attribute,
    Constant,
    Form,
    Operation,
    Shape,
    name_of,
    name_of_output,
)
from ninebrains.mind.forms.operators import (
    COMMUTATIVE,
    OPSET,
    canonical_version,
    defaults,
    trimmed,
)
from ninebrains.mind.forms.shaping import Fact

# Changed copies of weights, in elements: a file that names one weight often must not fill memory.
LARGEST_HELD = 1 << 28


class Draft(NamedTuple):
    """An operation that has no name yet.

    Attributes:
        operator: as canonical operations are written.
        attributes: those at their defaults may be there.
        inputs: hashes of values; "" for one that is not given.
    """

    operator: str
    attributes: Mapping[str, Attribute]
    inputs: tuple[str, ...]


# Gives an equal value that is there already, another draft of the same value, or None.
Rule = Callable[["Builder", Draft, Fact], "str | Draft | None"]


@dataclass
class Builder:
    """Values by their hashes.

    Attributes:
        source: the photos' value.
        opset: what operations are written in.
        rules: what to try on drafts, by operator.
        constants: by hash.
        makers: the operation that makes a value, by the value's hash.
        facts: of values that photos decide, by hash.
        num_computed: how many elements were computed beforehand.
        num_held: how many elements the changed copies of constants have.
        asked_for_readers: whether some rule had to know how often a value is read.
        turned: values that are others transposed, as `layouts` found them.
        sizes: values that only the number of photos decides, by hash: for two photos, for three.
        num_readers: of each value, from the previous pass; empty in the first.
    """

    source: str
    opset: int
    rules: Mapping[str, Sequence[Rule]]

    def __post_init__(self) -> None:
        """Begin with nothing but the photos."""
        self.constants: dict[str, Constant] = {}
        self.makers: dict[str, Operation] = {}
        self.facts: dict[str, Fact] = {}
        self.sizes: dict[str, tuple[Array, Array]] = {}
        self.num_computed = 0
        self.num_held = 0
        self.asked_for_readers = False
        self.turned: dict[str, tuple[str, Shape] | None] = {}
        self.num_readers: dict[str, int] = {}

    def keep(self, constant: Constant) -> str:
        """Make a constant known; return its name."""
        self.constants[constant.hash] = constant
        return constant.hash

    def keep_array(self, values: object, dtype: str = "int64") -> str:
        """Make a small constant known; return its name."""
        return self.keep(Constant.of_array(np.asarray(values, dtype)))

    def array(self, name: str) -> Array | None:
        """A constant's values, or None where the value is none."""
        constant = self.constants.get(name)
        return None if constant is None else constant.array()

    def scalar(self, name: str) -> float | None:
        """A constant's one number, or None where the value is no constant or has several."""
        constant = self.constants.get(name)
        # The shape is asked first: bytes may still lie in a file, and large ones should stay there.
        if constant is None or math.prod(constant.shape) != 1 or constant.dtype == "bool":
            return None
        return float(constant.array().item())

    def fact(self, name: str) -> Fact:
        """What is known of a value, a constant or not."""
        constant = self.constants.get(name)
        if constant is None:
            return self.facts[name]
        return Fact(constant.dtype, constant.shape, (0,) * len(constant.shape))

    def maker(self, name: str, operator: str) -> Operation | None:
        """The operation whose first output a value is, if it is the given operator."""
        operation = self.makers.get(name)
        if operation is None or operation.operator != operator or operation.outputs[0] != name:
            return None
        return operation

    def known(self, name: str) -> tuple[Array, Array] | None:
        """A value that no photo changes, for two photos and for three, or None."""
        constant = self.constants.get(name)
        if constant is None:
            return self.sizes.get(name)
        return constant.array(), constant.array()

    def may_hold(self, num_elements: int) -> bool:
        """Whether there may be another changed copy of a constant, as large as this."""
        self.num_held += num_elements
        return self.num_held <= LARGEST_HELD

    def has_one_reader(self, name: str) -> bool:
        """Whether a value is read once and is no output. Never in the first pass."""
        self.asked_for_readers = True
        return self.num_readers.get(name) == 1

    def make(
        self, operator: str, inputs: Sequence[str], fact: Fact, **attributes: Attribute
    ) -> str:
        """Make a value known; return its name."""
        return self.add(Draft(operator, attributes, tuple(inputs)), [fact])[0]

    def add(self, draft: Draft, facts: Sequence[Fact]) -> list[str]:
        """Make an operation known in its simplest form; return its outputs' names."""
        computed = self.computed(draft, facts)
        if computed is not None and np.array_equal(*computed):
            return [self.keep(Constant.of_array(computed[0]))]
        names = self._add_simplest(draft, facts)
        if computed is not None:
            self.sizes[names[0]] = computed
        return names

    def computed(self, draft: Draft, facts: Sequence[Fact]) -> tuple[Array, Array] | None:
        """The result for two photos and for three where photos themselves do not decide it."""
        operator, attributes, inputs = draft
        if operator == "Shape":
            value = self.fact(inputs[0])
            return shape_vector(value, attributes, 2), shape_vector(value, attributes, 3)
        if any(name not in self.constants and name not in self.sizes for name in inputs if name):
            return None
        if len(facts) > 1 or not self._may_compute(operator, facts[0]):
            return None
        known = [self.known(name) for name in inputs if name]
        values = [pair for pair in known if pair is not None]
        if operator == "Pow" and not is_exact_power(values[1][0]):
            return None
        two = compute(operator, [pair[0] for pair in values], attributes, facts[0])
        if all(name in self.constants for name in inputs if name):
            return two, two
        return two, compute(operator, [pair[1] for pair in values], attributes, facts[0])

    def _may_compute(self, operator: str, fact: Fact) -> bool:
        """Whether a result is exact, of a fixed size, and within what may be computed in all."""
        is_exact = operator not in INTEGERS_ONLY or np.dtype(fact.dtype).kind in "iub"
        if any(fact.growth) or not is_exact or not can_compute(operator, fact.shape):
            return False
        self.num_computed += math.prod(fact.shape)
        return self.num_computed <= LARGEST_TOTAL

    def _add_simplest(self, draft: Draft, facts: Sequence[Fact]) -> list[str]:
        for _ in range(100):  # each rule makes things simpler, so a few rounds always do
            changed: str | Draft | None = None
            for rule in self.rules.get(draft.operator, ()):
                changed = rule(self, draft, facts[0])
                if changed is not None:
                    break
            if isinstance(changed, str):
                return [changed, *("" for _ in facts[1:])]
            if changed is None:
                break
            draft = changed
        version = canonical_version(draft.operator, self.opset)
        if version is None:
            raise BrainError(f"operator {draft.operator!r} cannot be written canonically")
        return self.add_plain(draft, facts, version)

    def add_plain(self, draft: Draft, facts: Sequence[Fact], version: int) -> list[str]:
        """Make an operation known as it is; return its outputs' names."""
        usual = defaults(draft.operator, version)
        attributes = tuple(
            sorted(item for item in draft.attributes.items() if usual.get(item[0]) != item[1])
        )
        inputs = draft.inputs
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        if len(inputs) == 2 and draft.operator in COMMUTATIVE and inputs[0] > inputs[1]:
            inputs = inputs[::-1]
        name = name_of(draft.operator, version, attributes, inputs)
        outputs = tuple(name_of_output(name, index) for index in range(len(facts)))
        operation = Operation(draft.operator, version, attributes, inputs, outputs)
        known = self.makers.get(name)
        if known is None or len(known.outputs) < len(outputs):
            self.makers.update(dict.fromkeys(outputs, operation))
            self.facts.update(zip(outputs, facts, strict=True))
        return list(outputs)

    def form(self, contract: Contract, outputs: Mapping[str, str]) -> Form:
        """What the outputs need, as a form."""
        operations = self.needed(outputs.values())
        read = {name for operation in operations for name in operation.inputs}
        read |= set(outputs.values())
        operations = [trimmed(operation, read) for operation in operations]
        made = {self.source, *(name for operation in operations for name in operation.outputs)}
        made.discard("")
        return Form(
            contract=contract,
            source=self.source,
            operations=tuple(operations),
            constants={name: self.constants[name] for name in sorted(read & self.constants.keys())},
            outputs=dict(sorted(outputs.items())),
            shapes={name: self.facts[name].shape for name in made},
            dtypes={name: self.facts[name].dtype for name in made},
            by_photo=frozenset(name for name in made if self.facts[name].is_by_photo),
            opset=max([OPSET, *(operation.version for operation in operations)]),
        )

    def needed(self, outputs: Iterable[str]) -> list[Operation]:
        """Each operation after those it reads, in an order that only the operations decide."""
        ordered: list[Operation] = []
        done: set[str] = set()
        stack = sorted(outputs, reverse=True)
        while stack:
            operation = self.makers.get(stack[-1])
            if operation is None or operation.outputs[0] in done:
                stack.pop()
                continue
            missing = [
                name
                for name in operation.inputs
                if name in self.makers and self.makers[name].outputs[0] not in done
            ]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            done.add(operation.outputs[0])
            ordered.append(operation)
        return ordered
