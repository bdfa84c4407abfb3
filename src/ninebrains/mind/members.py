"""What has joined a mind: brains and guests, without their weights, which lie elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Union

import numpy as np

from ninebrains.brains import Brain, Inference, load
from ninebrains.brains.graph import Graph
from ninebrains.brains.inference import Floats, make_inference
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.guests import Guest, import_model
from ninebrains.mind.segments import Array

if TYPE_CHECKING:
    from ninebrains.brains.manifest import Label, Manifest
    from ninebrains.mind.stacking import Seat
    from ninebrains.mind.tail_templates import Template
    from ninebrains.mind.tree import Route

Source = Union[str, "os.PathLike[str]", Brain, Guest]
"""What can join a mind: the path of a brain or of an .onnx file, the name of a stored brain, a
loaded brain, or a guest."""

HEATMAP = "heatmap"
_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a member came from, so that its weights need not be kept.

    Attributes:
        source: as it was given. A brain given as an object stays in memory, as its giver holds it.
        digest: of what it held.
    """

    source: Source
    digest: str

    def recall(self) -> Graph | None:
        """The graph again; None where it is gone or is no longer what it was."""
        try:
            found = read_source(self.source)
        except BrainError:
            return None
        return found.graph if digest_of(found) == self.digest else None


@dataclass(frozen=True, eq=False)
class Member:
    """A brain or guest in a mind.

    Attributes:
        name: under which the mind knows it.
        version: tells those of one name apart.
        origin: where it came from.
        contract: how a photo becomes its input.
        facts: its manifest, or the guest without its network.
        outputs: the hash of the value that each output shows.
        template: of what the stack runs of it, if anything.
        route: the segments it goes through; none while it is parked.
        seat: its place in the stack; None without a tail, or while it is parked.
    """

    name: str
    version: str
    origin: Origin
    contract: Contract
    facts: Manifest | Guest
    outputs: Mapping[str, str]
    template: Template | None
    route: Route
    seat: Seat | None

    @property
    def is_parked(self) -> bool:
        """Whether its weights have been put away."""
        return not self.route

    @property
    def labels(self) -> Sequence[Label]:
        """What it can say, by index."""
        return self.facts.labels

    @property
    def at_once(self) -> int | None:
        """How many photos it can look at together; None for any number."""
        return self.facts.at_once if isinstance(self.facts, Guest) else None

    @property
    def title(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def wanted_outputs(self, *, heatmaps: bool) -> frozenset[str]:
        """Names of the outputs that an answer needs."""
        names = set(self.outputs)
        if isinstance(self.facts, Guest) or heatmaps:
            return frozenset(names)
        return frozenset(names - {HEATMAP})

    def inference(
        self,
        values: Mapping[str, Array],
        photo_size: tuple[int, int],
        timings: Mapping[str, float],
    ) -> Inference:
        """The answer on one photo from its row of each output."""
        if not isinstance(self.facts, Guest):
            return make_inference(
                self.facts,
                {name: _floats(value) for name, value in values.items()},
                photo_size=photo_size,
                timings=timings,
            )
        guest = self.facts
        has_scores = guest.scores is not None and len(guest.labels) > 0
        return Inference(
            brain=self.title,
            answers=_floats(values[guest.scores or ""]) if has_scores else _NOTHING,
            unfamiliar=None,
            photo_size=photo_size,
            timings=timings,
            contract=self.contract,
            labels=guest.labels,
            outputs=values,
        )


def newcomer(found: Brain | Guest, source: Source, name: str) -> Member:
    """A member that has no place yet.

    Args:
        found: what `read_source` gave.
        source: as it was given.
        name: under which the mind is to know it.
    """
    facts: Manifest | Guest
    if isinstance(found, Brain):
        facts = found.manifest
        facts = facts if facts.name == name else facts.model_copy(update={"name": name})
    else:
        facts = replace(found, name=name, graph=Graph(b"", {}))
    return Member(
        name=name,
        version=found.version,
        origin=Origin(source, digest_of(found)),
        contract=found.contract,
        facts=facts,
        outputs={},
        template=None,
        route=(),
        seat=None,
    )


def read_source(source: Source) -> Brain | Guest:
    """Load what is to join.

    Raises:
        BrainError: it is none, is damaged, or leaves something open that has to be said.
    """
    if isinstance(source, (Brain, Guest)):
        return source
    if isinstance(source, (str, os.PathLike)):
        if os.fspath(source).lower().endswith(".onnx"):
            return import_model(source)
        return load(source)
    raise BrainError(
        f"got {type(source).__name__}; expected a brain, the path of one or of an .onnx file, the "
        "name of a stored brain, or what import_model gives"
    )


def digest_of(thing: Brain | Guest) -> str:
    """Stands for the whole of it."""
    return thing.hash if isinstance(thing, Brain) else thing.graph.hash


def _floats(value: Array) -> Floats:
    return np.asarray(value, np.float32)
