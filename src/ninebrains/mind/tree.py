"""The radix tree: brains by the values they pass through, with segments as its edges.

    photos ──── segment 1 ────► v1 ──── segment 2 ────► v2      brains on one trunk
                                └────── segment 3 ────► v3      one that was fine-tuned above v1

A node is a value, known by its hash, so what two networks share is found without being told. A
segment is compiled once. Where a new network leaves a segment half-way, the segment is replaced by
two. Compiling a piece alone may round differently from compiling the whole, so a place is cut only
if both networks give the same bits before and after on probe photos: company changes no answer.

(Radix trees: Morrison 1968. Sharing by content of computations: Merkle 1987.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ninebrains.errors import BrainError
from ninebrains.mind.backends import backend
from ninebrains.mind.forms.cutting import Step
from ninebrains.mind.forms.emitting import emit
from ninebrains.mind.forms.form import Form
from ninebrains.mind.forms.mixing import mixed_values
from ninebrains.mind.segments import Array, Segment, segment_hash
from ninebrains.mind.tuning.choices import Choice, chosen
from ninebrains.workers import usable_cores

SMALLEST_SHARE = 0.05  # of the work: less is not worth a cut
_CUTS_TRIED = 6
_NUM_PROBES = 2

Route = tuple[Segment, ...]
Recall = Callable[[Segment], Form | None]


@dataclass(frozen=True)
class Network:
    """What is to be placed in the tree: a form and the steps to the values that are wanted.

    Attributes:
        form: the whole network.
        steps: of what the tree is to compute of it.
        at_once: photos that it can look at together; None for any number.
    """

    form: Form
    steps: tuple[Step, ...]
    at_once: int | None = None


@dataclass(frozen=True)
class Placing:
    """What placing a network comes to. Nothing has changed until `Tree.apply` is called.

    Attributes:
        route: the segments that the network goes through, from the photos on.
        added: segments that are new.
        replaced: segments that fall to two shorter ones.
    """

    route: Route
    added: tuple[Segment, ...]
    replaced: Mapping[Segment, Route]


@dataclass
class Tree:
    """The segments in use, by the value that they read.

    It is not thread-safe: whoever changes it holds a lock. Running segments needs none.

    Attributes:
        recall: gives the form that a segment was compiled from again, or None if it is gone.
        threads: that one run of a segment may use.
        choices: how to compile networks, by the hash of each as one segment; otherwise as `tune`
            found best. What two share is compiled as the first of them.
    """

    recall: Recall
    threads: int | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    _below: dict[str, list[Segment]] = field(default_factory=dict, init=False)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Every segment, in the order of their making."""
        return tuple(segment for below in self._below.values() for segment in below)

    def place(self, network: Network) -> Placing:
        """Find what a network shares with those that are there, and compile the rest.

        Raises:
            BrainError: a backend refuses a part, or it fails on probe photos.
        """
        return _Placement(self, network).place()

    def apply(self, placing: Placing) -> None:
        """Make the result of `place` the tree's own."""
        for old in placing.replaced:
            self._below[old.start].remove(old)
        for segment in placing.added:
            self._below.setdefault(segment.start, []).append(segment)

    def keep_only(self, segments: set[Segment]) -> None:
        """Let go of all other segments; requests on their way may still hold them."""
        for start, below in list(self._below.items()):
            kept = [segment for segment in below if segment in segments]
            if kept:
                self._below[start] = kept
            else:
                del self._below[start]

    def below(self, value: str) -> Sequence[Segment]:
        """The segments that read a value."""
        return self._below.get(value, ())

    def choice_for(self, form: Form, steps: Sequence[Step]) -> Choice:
        """How to compile a whole network: as `tune` found best for it, or as the reference."""
        hashed = segment_hash(form.source, _outputs(form, steps))
        return self.choices.get(hashed) or chosen(hashed) or Choice()

    def compile(self, form: Form, start: str, steps: Sequence[Step], choice: Choice) -> Segment:
        """Compile some steps of a form; nothing is kept of the form but what the backend keeps."""
        outputs = _outputs(form, steps)
        for name in outputs:
            if name not in form.by_photo:
                raise BrainError(
                    "the network gives a value that has no row for each photo; a mind, which looks "
                    "at several photos at once, cannot take it"
                )
        threads = self.threads or choice.threads or usable_cores()
        runner = backend(choice.backend).compile(
            emit(form, outputs, (start,)), threads=threads, precision=choice.precision
        )
        shapes = {name: form.shapes[name] for name in outputs}
        segment = Segment(start, steps, shapes, runner, choice)
        # What one photo is answered must not depend on who else asks at the same time.
        segment.at_once = 1 if mixed_values(form).intersection(outputs) else None
        return segment


class _Placement:
    """One walk down the tree with a new network."""

    def __init__(self, tree: Tree, network: Network) -> None:
        self.tree = tree
        self.form = network.form
        self.added: list[Segment] = []
        self.replaced: dict[Segment, Route] = {}
        self.route: list[Segment] = []
        self.rest = network.steps
        self.at_once = network.at_once
        self.choice = tree.choice_for(network.form, network.steps)

    def place(self) -> Placing:
        value = self.form.source
        while self.rest:
            followed = self._follow(value)
            if followed is None:
                self._append(self.tree.compile(self.form, value, self.rest, self.choice))
                break
            self.choice = followed.choice  # what is shared decides for the rest
            self.route.append(followed)
            self.rest = self.rest[len(followed.steps) :]
            value = followed.end
        return Placing(tuple(self.route), tuple(self.added), dict(self.replaced))

    def _append(self, segment: Segment) -> None:
        """Warm a new segment up, and see once more whether its rows are independent."""
        if self.at_once == 1 and not mixed_values(self.form):
            segment.at_once = 1  # for a reason that its form does not tell
        given = self._probe()
        outputs = segment.outputs
        singles = [segment.run(given[row : row + 1], outputs) for row in range(len(given))]
        together = segment.run(given, outputs)
        for place, value in enumerate(together):
            alone = np.concatenate([values[place] for values in singles])
            if not np.allclose(value, alone, rtol=1e-3, atol=1e-4, equal_nan=True):
                segment.at_once = 1
        segment.forget_costs()
        self.added.append(segment)
        self.route.append(segment)

    def _probe(self) -> Array:
        """What the end of the route so far gives for two photos, neither of them plain."""
        shape = self.form.shapes[self.form.source][1:]
        pixels = np.random.default_rng(0).integers(0, 256, (_NUM_PROBES, *shape))
        value: Array = pixels.astype(self.form.dtypes[self.form.source])
        value[0] = np.sort(value[0], axis=0)
        for segment in self.route:
            value = segment.run(value, (segment.end,))[0]
        return value

    def _follow(self, value: str) -> Segment | None:
        """The segment to go down next; one that shares enough is made where need be."""
        for segment in self.tree.below(value):
            if not _go_together(segment.choice, self.choice):
                continue
            shared = self._shared(segment)
            if shared == len(segment.steps) or self._ends_within(segment, shared):
                return segment
            part = sum(step.cost for step in segment.steps[:shared])
            least = min(segment.multiplications, sum(step.cost for step in self.rest))
            if shared and part >= SMALLEST_SHARE * least:
                lower = self._cut(segment, shared)
                if lower is not None:
                    return lower
        return None

    def _ends_within(self, segment: Segment, shared: int) -> bool:
        """Whether a segment gives all that is wanted, and little beyond it."""
        wanted = {name for step in self.rest for name in step.wanted}
        beyond = sum(step.cost for step in segment.steps[shared:])
        return (
            shared == len(self.rest)
            and wanted <= set(segment.outputs)
            and beyond <= SMALLEST_SHARE * segment.multiplications
        )

    def _shared(self, segment: Segment) -> int:
        """The number of steps in common, as far as the segment gives what is wanted of them."""
        count = 0
        for own, theirs in zip(self.rest, segment.steps, strict=False):
            if own.end != theirs.end:
                break
            hidden = set(own.wanted) - set(segment.outputs)
            if hidden <= {own.end}:
                count += 1
            if hidden:
                break
        return count

    def _cut(self, segment: Segment, most: int) -> Segment | None:
        """Replace a segment by two, as low as both networks stand it; the lower one.

        None where the segment cannot be had in pieces; then it stays whole, and less is shared.
        """
        theirs = self.tree.recall(segment)
        if theirs is None:
            return None
        given = self._probe()
        # Two pieces of one whole must be compiled as it is, or they could not give the same bits.
        choice = segment.choice
        whole = (
            self.tree.compile(self.form, segment.start, self.rest, choice) if self.rest else None
        )
        for count in range(most, max(most - _CUTS_TRIED, 0), -1):
            lower = self.tree.compile(theirs, segment.start, segment.steps[:count], choice)
            if lower.end not in lower.outputs:
                continue
            upper = self.tree.compile(theirs, lower.end, segment.steps[count:], choice)
            if segment.at_once == 1 and not mixed_values(theirs):
                lower.at_once = upper.at_once = 1
            own = self._rest_above(lower, count)
            if _same(given, segment, (lower, upper)) and _same(given, whole, own):
                self.replaced[segment] = (lower, upper)
                self.added += [lower, upper]
                return lower
        return None

    def _rest_above(self, lower: Segment, count: int) -> Route:
        """The new network in two pieces."""
        steps = self.rest[count:]
        if not steps:
            return (lower,)
        return (lower, self.tree.compile(self.form, lower.end, steps, lower.choice))


def _outputs(form: Form, steps: Sequence[Step]) -> tuple[str, ...]:
    """What a segment of some steps gives: all that is wanted of them, and where they end."""
    ends = [step.end for step in steps[-1:] if step.end in form.by_photo]
    return tuple(dict.fromkeys([*(name for step in steps for name in step.wanted), *ends]))


def _go_together(first: Choice, second: Choice) -> bool:
    """Whether a network may share what was compiled in one way, if the other is best for it.

    In fp32 all backends give the same values to about 1e-6, and sharing gains more than any of
    them. Coarser products were found good enough for one network alone.
    """
    alike = (first.backend, first.precision) == (second.backend, second.precision)
    return alike or first.precision == second.precision == "fp32"


def _same(given: Array, whole: Segment | None, pieces: Route) -> bool:
    """Whether pieces give the very bits of the whole, for one photo and for all of them."""
    if whole is None:
        return True
    return all(
        np.array_equal(one, two, equal_nan=True)
        for rows in (given[:1], given)
        for one, two in zip(
            whole.run(rows, whole.outputs), run_route(pieces, rows, whole.outputs), strict=True
        )
    )


def run_route(route: Route, given: Array, outputs: Sequence[str]) -> list[Array]:
    """Run segments one after another; the values that `outputs` names, from any of them."""
    found: dict[str, Array] = {}
    for place, segment in enumerate(route):
        wanted = [name for name in segment.outputs if name in outputs and name not in found]
        onward = [segment.end] if place + 1 < len(route) and segment.end not in wanted else []
        values = segment.run(given, [*wanted, *onward])
        found.update(zip([*wanted, *onward], values, strict=True))
        if place + 1 < len(route):
            given = found[segment.end]
    return [found[name] for name in outputs]
