"""What a mind compiles of a brain: all but the small linear heads, which it stacks.

photos ──── stem ────► features, feature map ──── rest ────► answers
            │                                      └ one for each brain on the stem
            └ equal for all brains on one trunk: found by its hash, tuned once
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.graph import Graph
from ninebrains.brains.interface import answer_output
from ninebrains.images import Contract
from ninebrains.mind.backends import Array, backend
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.cutting import steps
from ninebrains.mind.forms.emitting import emit
from ninebrains.mind.forms.form import Form
from ninebrains.mind.guests import Guest
from ninebrains.mind.heads import tails
from ninebrains.mind.members import digest_of
from ninebrains.mind.segments import Segment
from ninebrains.mind.tree import Network, Tree
from ninebrains.mind.tuning.agreeing import Answers

Sayer = Callable[[Answers], Array]
"""From a stem's outputs to what a brain says of each photo, [N] or [N, ...]."""

_LIKELY = 0.5


@dataclass(frozen=True)
class Stem:
    """The part that a mind compiles, and who is on it.

    Attributes:
        hash: of the segment that a mind makes of it.
        graph: from the photos to the segment's outputs.
        contract: how a photo becomes its input.
        source: the name of the graph's input.
        at_once: photos that one run may hold; None for any number.
        brains: `name@version` of those on it.
        sayers: of those that choose among labels, by hash.
    """

    hash: str
    graph: Graph = field(repr=False)
    contract: Contract
    source: str
    at_once: int | None
    brains: tuple[str, ...] = ()
    sayers: Mapping[str, Sayer] = field(default_factory=dict, repr=False)

    def top(self, outputs: Answers) -> Answers:
        """What each brain says of photos, by its hash, from the stem's outputs for them."""
        return {digest: say(outputs) for digest, say in self.sayers.items()}


def stems_of(brains: Iterable[Brain | Guest]) -> tuple[Stem, ...]:
    """The stems of some brains and guests, each once.

    Raises:
        BrainError: a mind could not take one of them.
    """
    found: dict[str, Stem] = {}
    for brain in brains:
        form = read_form(brain.graph, brain.contract)
        segment = _segment(brain, form)
        if segment is None:
            continue
        stem = found.get(segment.hash)
        if stem is None:
            graph = emit(form, segment.outputs, (form.source,))
            stem = Stem(segment.hash, graph, brain.contract, form.source, segment.at_once)
        name = f"{brain.name}@{brain.version}"
        says = _what_it_says(brain, form, segment.outputs)
        found[segment.hash] = replace(
            stem,
            brains=tuple(dict.fromkeys((*stem.brains, name))),
            sayers=stem.sayers if says is None else {**stem.sayers, digest_of(brain): says},
        )
    return tuple(found.values())


def _segment(brain: Brain | Guest, form: Form) -> Segment | None:
    """What a mind makes of a brain that is alone in it; None where all of it is stacked."""
    wanted = [name for name in tails.split(form).stem_outputs if name != form.source]
    if not wanted:
        return None
    at_once = brain.at_once if isinstance(brain, Guest) else None
    tree = Tree(lambda _segment: None)
    return tree.place(Network(form, steps(form, wanted), at_once)).route[0]


def _what_it_says(brain: Brain | Guest, form: Form, given: Sequence[str]) -> Sayer | None:
    """How to tell what a brain says; None where that is no choice among labels."""
    task = "classify" if isinstance(brain, Guest) else brain.task
    answer = brain.scores if isinstance(brain, Guest) else answer_output(task)
    if answer is None or task == "regress":
        return None
    value = form.outputs[answer]
    rest = None if value in given else backend().compile(emit(form, (value,), given))

    def say(outputs: Answers) -> Array:
        scores = outputs[value] if rest is None else rest(outputs, (value,))[0]
        return scores >= _LIKELY if task == "multilabel" else np.argmax(scores, axis=-1)

    return say
