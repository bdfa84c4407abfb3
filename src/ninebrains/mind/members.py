"""What has joined a mind: brains and guests, without their weights, which lie elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Union

import numpy as np

from ninebrains.brains import Brain, Inference
from ninebrains.brains.file import load_late
from ninebrains.brains.graph import Graph
from ninebrains.brains.inference import make_inference
from ninebrains.errors import BrainError
from ninebrains.images import Contract
from ninebrains.mind.guests import Guest, import_beside
from ninebrains.mind.segments import Array

if TYPE_CHECKING:
    from ninebrains.brains.manifest import Manifest
    from ninebrains.mind.heads.stacking import Seat
    from ninebrains.mind.heads.templates import Template
    from ninebrains.mind.shelf import Parked
    from ninebrains.mind.tree import Route

Source = Union[str, "os.PathLike[str]", Brain, Guest]
"""What can join a mind: the path of a brain or of an .onnx file, the name of a stored brain, a
loaded brain, or a guest."""

HEATMAP = "heatmap"


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a member came from, so that its weights need not be kept.

    Attributes:
        source: as it was given. A brain given as an object stays in memory, as its giver holds it.
        digest: of what it held.
    """

    source: Source
    digest: str

    def recall(self) -> Graph:
        """The graph again, every byte of it checked.

        Raises:
            BrainError: it is gone, damaged, or no longer what it was.
        """
        found = read_source(self.source)
        if digest_of(found) != self.digest:
            raise BrainError(f"{self.source} is not what it was when it was added. Add it again.")
        return found.graph.held()


@dataclass(frozen=True, eq=False)
class Profile:
    """Who answers, without what it takes to compute the answer: answers that are kept hold this.

    Attributes:
        name: under which the mind knows it.
        version: tells those of one name apart.
        contract: how a photo becomes its input.
        facts: its manifest, or the guest without its network.
    """

    name: str
    version: str
    contract: Contract
    facts: Manifest | Guest

    @property
    def title(self) -> str:
        """`name@version`."""
        return self.name if "@" in self.name else f"{self.name}@{self.version}"

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """What it can say, by index."""
        return tuple(label.name for label in self.facts.labels)

    @cached_property
    def has_ranking(self) -> bool:
        """Whether its output `scores` says which label it is."""
        return not isinstance(self.facts, Guest) and self.facts.task != "regress"

    def inference(
        self,
        values: Mapping[str, Array],
        photo_size: tuple[int, int],
        timings: Mapping[str, float],
    ) -> Inference:
        """The answer on one photo from its row of each output."""
        if not isinstance(self.facts, Guest):
            floats = {name: np.asarray(value, np.float32) for name, value in values.items()}
            return make_inference(self.facts, floats, photo_size=photo_size, timings=timings)
        guest = self.facts
        has_scores = guest.scores is not None and len(guest.labels) > 0
        return Inference(
            brain=self.title,
            answers=np.asarray(values[guest.scores or ""] if has_scores else (), np.float32),
            unfamiliar=None,
            photo_size=photo_size,
            timings=timings,
            contract=self.contract,
            labels=guest.labels,
            outputs={name: _own(value) for name, value in values.items()},
        )


def _own(row: Array) -> Array:
    """The row itself, or a copy where keeping the row would keep a whole batch alive."""
    whole = row.base
    if isinstance(whole, np.ndarray) and whole.nbytes > 2 * row.nbytes:
        return row.copy()
    return row


@dataclass(frozen=True, eq=False)
class Member:
    """A brain or guest in a mind.

    Attributes:
        profile: who it is.
        origin: where it came from.
        outputs: the hash of the value that each output shows.
        template: of what the stack runs of it, if anything.
        route: the segments it goes through; none while it is parked.
        seat: its place in the stack; None without a tail, or while it is parked.
        parked: its weights on the shelf; None while they have never been put there.
    """

    profile: Profile
    origin: Origin
    outputs: Mapping[str, str]
    template: Template | None
    route: Route
    seat: Seat | None
    parked: Parked | None = None

    @property
    def name(self) -> str:
        """Under which the mind knows it."""
        return self.profile.name

    @property
    def contract(self) -> Contract:
        """How a photo becomes its input."""
        return self.profile.contract

    @property
    def is_parked(self) -> bool:
        """Whether its weights have been put away."""
        return not self.route

    @property
    def at_once(self) -> int | None:
        """How many photos it can look at together; None for any number."""
        facts = self.profile.facts
        return facts.at_once if isinstance(facts, Guest) else None

    def wanted_outputs(self, *, heatmaps: bool) -> frozenset[str]:
        """Names of the outputs that an answer needs."""
        if isinstance(self.profile.facts, Guest) or heatmaps:
            return frozenset(self.outputs)
        return frozenset(set(self.outputs) - {HEATMAP})


def newcomer(found: Brain | Guest, source: Source, name: str) -> Member:
    """A member that has no place yet.

    Args:
        found: what `read_source` gave.
        source: as it was given.
        name: under which the mind is to know it; of `pets@3` the 3 takes the place of its own
            version.
    """
    own, _, number = name.partition("@")
    version = number or found.version
    facts: Manifest | Guest
    if isinstance(found, Brain):
        facts = found.manifest.model_copy(update={"name": own, "version": version})
    else:
        facts = replace(found, name=own, version=version, graph=Graph(b"", {}))
    return Member(
        profile=Profile(name, version, found.contract, facts),
        origin=Origin(source, digest_of(found)),
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
            return import_beside(source)
        return load_late(source)
    raise BrainError(
        f"got {type(source).__name__}; expected a brain, the path of one or of an .onnx file, the "
        "name of a stored brain, or what import_model gives"
    )


def digest_of(thing: Brain | Guest) -> str:
    """Stands for the whole of it."""
    if isinstance(thing, Brain):
        return thing.hash
    parts = (thing.version, thing.graph.hash, thing.contract, thing.outputs, thing.labels)
    return hashlib.sha256(repr((*parts, thing.scores, thing.at_once)).encode()).hexdigest()
