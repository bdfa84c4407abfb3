"""From any graph to its canonical form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ninebrains.brains.graph import Graph
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.form import (
    Attribute,
    Constant,
    Form,
    Operation,
    name_of,
    name_of_output,
)
from ninebrains.mind.operators import COMMUTATIVE, defaults, since
from ninebrains.mind.reading import Node, read_network
from ninebrains.mind.shaping import Fact, facts_of


def read_form(graph: Graph, contract: Contract) -> Form:
    """The canonical form of a graph. Nothing of it is run on photos.

    Args:
        graph: one input, a batch of photos; operators of the default ONNX domain.
        contract: how a photo becomes the input; part of the form's hash.

    Raises:
        BrainError: the graph is damaged, or a value's shape cannot be told beforehand.
    """
    network = read_network(graph)
    facts = facts_of(network)
    builder = Builder(source_of(contract, facts.get(network.source)), network.opset)
    builder.facts[builder.source] = facts[network.source]
    names = {"": "", network.source: builder.source}
    for name, constant in network.constants.items():
        names[name] = builder.keep(constant)
    for node in network.nodes:
        _add_node(builder, names, node, facts)
    outputs = {name: names[name] for name in network.outputs}
    return builder.form(contract, outputs)


def source_of(contract: Contract, fact: Fact | None) -> str:
    """The name of the photos' value."""
    if fact is None:
        raise BrainError("the graph does not say the shape of its input; expected [N,H,W,3]")
    is_usual = (
        fact.is_by_photo and fact.dtype == contract.dtype and fact.shape[1:] == contract.shape
    )
    form = () if is_usual else (fact.dtype, fact.shape, fact.growth)
    return name_of("photos", contract.fingerprint, *form)


def _add_node(
    builder: Builder, names: dict[str, str], node: Node, facts: Mapping[str, Fact]
) -> None:
    inputs = [names[name] for name in node.inputs]
    if node.operator == "Identity":
        names[node.outputs[0]] = inputs[0]
        return
    known = [facts.get(name) for name in node.outputs]
    made = builder.add(node.operator, node.attributes, inputs, known)
    names.update(zip(node.outputs, made, strict=True))


class Builder:
    """Values by their hashes, each made once."""

    def __init__(self, source: str, opset: int) -> None:
        """Begin with the photos alone."""
        self.source = source
        self.opset = opset
        self.constants: dict[str, Constant] = {}
        self.makers: dict[str, Operation] = {}
        self.facts: dict[str, Fact] = {}

    def keep(self, constant: Constant) -> str:
        """Make a constant known; return its name."""
        self.constants[constant.hash] = constant
        return constant.hash

    def add(
        self,
        operator: str,
        attributes: Mapping[str, Attribute],
        inputs: Sequence[str],
        facts: Sequence[Fact | None],
    ) -> list[str]:
        """Make an operation known; return its outputs' names, one for each of `facts`."""
        version = since(operator, self.opset)
        usual = defaults(operator, version)
        kept = tuple(
            sorted((n, v) for n, v in attributes.items() if n not in usual or usual[n] != v)
        )
        read = list(inputs)
        while read and not read[-1]:
            read.pop()
        if operator in COMMUTATIVE and len(read) == 2:
            read.sort()
        name = name_of(operator, version, kept, tuple(read))
        outputs = tuple(name_of_output(name, index) for index in range(len(facts)))
        operation = Operation(operator, version, kept, tuple(read), outputs)
        for output, fact in zip(outputs, facts, strict=True):
            self.makers[output] = operation
            if fact is not None:
                self.facts[output] = fact
        return list(outputs)

    def form(self, contract: Contract, outputs: Mapping[str, str]) -> Form:
        """What the outputs need, as a form."""
        operations = self._needed(sorted(set(outputs.values())))
        read = {name for operation in operations for name in operation.inputs}
        read |= set(outputs.values())
        made = {self.source, *(name for operation in operations for name in operation.outputs)}
        for name in made:
            if name not in self.facts:
                raise BrainError(
                    f"the shape of a result of {self.makers[name].operator!r} cannot be told"
                )
        return Form(
            contract=contract,
            source=self.source,
            operations=tuple(operations),
            constants={name: self.constants[name] for name in sorted(read & self.constants.keys())},
            outputs=dict(sorted(outputs.items())),
            shapes={name: self.facts[name].shape for name in made},
            dtypes={name: self.facts[name].dtype for name in made},
            by_photo=frozenset(name for name in made if self.facts[name].is_by_photo),
            opset=self.opset,
        )

    def _needed(self, outputs: Sequence[str]) -> list[Operation]:
        """Each operation after those it reads, in an order that only the operations decide."""
        ordered: list[Operation] = []
        done: set[str] = set()
        stack = list(reversed(outputs))
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
