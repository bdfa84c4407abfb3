"""From any graph to its canonical form.

file ── reading ──► nodes ── upgrading ──► drafts ── rules ──► operations named by hash
                                                       ▲───────────┘ until nothing changes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ninebrains.brains.graph import Graph
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.forms.activating import ACTIVATING
from ninebrains.mind.forms.builder import Builder, Draft, Rule
from ninebrains.mind.forms.folding import FOLDING
from ninebrains.mind.forms.form import Array, Constant, Form, Operation, Shape, name_of
from ninebrains.mind.forms.layouts import LAYOUTS
from ninebrains.mind.forms.normalising import NORMALISING
from ninebrains.mind.forms.operators import OPSET, UNCHANGED_SINCE, canonical_version, since
from ninebrains.mind.forms.reading import Network, Node, read_network
from ninebrains.mind.forms.reshaping import RESHAPING
from ninebrains.mind.forms.shaping import Fact, fact_of, facts_of, infer
from ninebrains.mind.forms.tidying import TIDYING, split
from ninebrains.mind.forms.upgrading import upgrade

# Each pass leaves less to do; most networks need two.
_LARGEST_NUM_PASSES = 8
_LARGEST_KNOWN_LIST = 1024


def read_form(graph: Graph, contract: Contract) -> Form:
    """The canonical form of a graph. Nothing of it is run on photos.

    Args:
        graph: one input, a batch of photos; operators of the default ONNX domain.
        contract: how a photo becomes the input; part of the form's hash.

    Raises:
        BrainError: the graph is damaged, or a value's shape cannot be told beforehand.
    """
    network = read_network(graph)
    facts = facts_of(network, contract)
    try:
        return _canonical(network, contract, facts) or _plain(network, contract, facts)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Inputs or attributes that an operator must have and that nobody missed before.
        raise BrainError(f"the graph is malformed: {error!r}. Export the model again.") from error


def _canonical(network: Network, contract: Contract, facts: Mapping[str, Fact]) -> Form | None:
    """The form in the words of today's operators, or None where they have none for something."""
    builder = _begin(network, contract, facts, RULES)
    names = _names(network, builder)
    for node in network.nodes:
        if not _take(builder, names, node, network.opset, facts):
            return None
    outputs = _outputs(network, names)
    for _ in range(_LARGEST_NUM_PASSES):
        if not builder.asked_for_readers:
            break
        again, renamed = _rebuild(builder, outputs)
        if renamed == outputs:
            break
        builder, outputs = again, renamed
    form = builder.form(contract, outputs)
    return form if all(_holds(operation, form.opset) for operation in form.operations) else None


def _plain(network: Network, contract: Contract, facts: Mapping[str, Fact]) -> Form:
    """The form in the file's own words: it shares only with files of the same words."""
    builder = _begin(network, contract, facts, {})
    names = _names(network, builder)
    for node in network.nodes:
        inputs = tuple(names[name] for name in node.inputs)
        draft = Draft(node.operator, node.attributes, inputs)
        known = _facts(builder, draft, node, network.opset, facts)
        upgraded = upgrade(builder, draft, network.opset, known[0])
        values = builder.computed(upgraded, known) if isinstance(upgraded, Draft) else None
        if isinstance(upgraded, str):
            made = [upgraded]
        elif values is not None and np.array_equal(*values):
            made = [builder.keep(Constant.of_array(values[0]))]
        else:
            made = builder.add_plain(draft, known, since(node.operator, network.opset))
            if values is not None:
                builder.sizes[made[0]] = values
        names.update(zip(node.outputs, made, strict=False))
    form = builder.form(contract, _outputs(network, names))
    return replace(form, opset=network.opset)


def _begin(
    network: Network,
    contract: Contract,
    facts: Mapping[str, Fact],
    rules: Mapping[str, Sequence[Rule]],
) -> Builder:
    fact = facts[network.source]
    builder = Builder(source_of(contract, fact), max(OPSET, network.opset), rules)
    builder.facts[builder.source] = fact
    return builder


def _names(network: Network, builder: Builder) -> dict[str, str]:
    """The values of a file's names, as far as they are there before any node."""
    names = {"": "", network.source: builder.source}
    names.update((name, builder.keep(constant)) for name, constant in network.constants.items())
    return names


def _outputs(network: Network, names: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in network.outputs if name not in names]
    if missing:
        raise BrainError(f"nothing computes the graph's output {missing[0]!r}")
    return {name: names[name] for name in network.outputs}


def source_of(contract: Contract, fact: Fact) -> str:
    """The name of the photos' value: of the contract, and of type and shape if they are unusual."""
    is_usual = (
        fact.is_by_photo and fact.dtype == contract.dtype and fact.shape[1:] == contract.shape
    )
    unusual = () if is_usual else (fact.dtype, fact.shape, fact.growth)
    return name_of("photos", contract.fingerprint, *unusual)


def _take(
    builder: Builder, names: dict[str, str], node: Node, opset: int, facts: Mapping[str, Fact]
) -> bool:
    """Add a node of a file; False where its meaning cannot be written canonically."""
    inputs = tuple(names[name] for name in node.inputs)
    draft = Draft(node.operator, node.attributes, inputs)
    known = _facts(builder, draft, node, opset, facts)
    if node.operator == "Split":
        made = split(builder, draft, known)
    else:
        upgraded = upgrade(builder, draft, opset, known[0])
        if upgraded is None:
            return False
        made = [upgraded] if isinstance(upgraded, str) else builder.add(upgraded, known)
    names.update(zip(node.outputs, made, strict=False))
    return True


def _facts(
    builder: Builder, draft: Draft, node: Node, opset: int, facts: Mapping[str, Fact]
) -> list[Fact]:
    """What is known of a node's results; what the file's own inference left open is told now.

    Raises:
        BrainError: a shape cannot be told.
    """
    wanted = [index for index, name in enumerate(node.outputs) if name]
    num_outputs = wanted[-1] + 1 if wanted else 1
    found = [facts.get(name) for name in node.outputs[:num_outputs]]
    if any(found[index] is None for index in wanted):
        since(node.operator, opset)  # refuses one that ONNX does not know
        two, three = (
            infer(
                draft.operator,
                opset,
                draft.attributes,
                [_typed(builder, name, photos) for name in draft.inputs],
                num_outputs,
            )
            for photos in (2, 3)
        )
        found = [fact_of(*pair) for pair in zip(two, three, strict=True)]
    known = [found[index] if index in wanted else _NOTHING for index in range(num_outputs)]
    if None in known:
        raise BrainError(
            f"operator {node.operator!r} makes a value {node.outputs[known.index(None)]!r} whose "
            "size cannot be told beforehand; this is not allowed. Export the model with fixed "
            "shapes."
        )
    return [fact for fact in known if fact is not None]


_NOTHING = Fact("float32", (), ())


def _typed(builder: Builder, name: str, photos: int) -> tuple[str, Shape, Array | None] | None:
    """Type, shape and, if it is a short list, the values of an input for so many photos."""
    if not name:
        return None
    fact = builder.fact(name)
    shape = tuple(s + g * (photos - 1) for s, g in zip(fact.shape, fact.growth, strict=True))
    known = builder.known(name)
    is_short = known is not None and known[0].size <= _LARGEST_KNOWN_LIST
    return fact.dtype, shape, known[photos - 2] if known is not None and is_short else None


def _rebuild(builder: Builder, outputs: Mapping[str, str]) -> tuple[Builder, dict[str, str]]:
    """Make everything that the outputs need once more, knowing how often each value is read."""
    operations = builder.needed(outputs.values())
    counts = Counter(outputs.values())
    counts.update(name for operation in operations for name in operation.inputs)
    again = Builder(builder.source, builder.opset, builder.rules)
    again.facts[again.source] = builder.facts[builder.source]
    again.num_computed, again.num_held = builder.num_computed, builder.num_held
    names = {"": "", builder.source: builder.source}

    def bring(name: str) -> str:
        if name not in names:
            names[name] = again.keep(builder.constants[name])
        return names[name]

    for operation in operations:
        inputs = tuple(bring(name) for name in operation.inputs)
        draft = Draft(operation.operator, dict(operation.attributes), inputs)
        made = again.add(draft, [builder.facts[name] for name in operation.outputs])
        for old, new in zip(operation.outputs, made, strict=False):
            names[old] = new
            again.num_readers[new] = again.num_readers.get(new, 0) + counts[old]
    return again, {output: bring(name) for output, name in outputs.items()}


def _holds(operation: Operation, opset: int) -> bool:
    """Whether an operation means in `opset` what it was meant to."""
    if operation.operator in UNCHANGED_SINCE:
        return canonical_version(operation.operator, opset) == operation.version
    return since(operation.operator, opset) == operation.version


def _together(*tables: Mapping[str, Iterable[Rule]]) -> Mapping[str, Sequence[Rule]]:
    """The rules of several tables, by operator."""
    operators = {operator for table in tables for operator in table}
    return {
        operator: [rule for table in tables for rule in table.get(operator, ())]
        for operator in sorted(operators)
    }


RULES = _together(TIDYING, RESHAPING, LAYOUTS, FOLDING, ACTIVATING, NORMALISING)
