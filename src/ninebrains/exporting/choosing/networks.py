"""Which networks to try: the kept trunks and the brain's own, each for photos of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ninebrains.brains import Brain
from ninebrains.brains.checking import infer_shapes
from ninebrains.brains.graph import pack, unpack
from ninebrains.errors import TrunkError
from ninebrains.exporting.splitting import split
from ninebrains.images import Contract
from ninebrains.images.contract import LARGEST_SIDE
from ninebrains.trunks import Trunk, list_trunks, load_trunk
from ninebrains.trunks.resizing import resized

SCALES = (1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3)
"""Sizes that are tried, as parts of the trunk's own."""


@dataclass(frozen=True)
class Network:
    """A trunk in one size.

    Attributes:
        trunk: the network in this size.
        name: of the trunk, whatever its size.
        is_brain: whether it is the brain's own, in the brain's size.
        is_asked: whether it may be chosen.
    """

    trunk: Trunk
    name: str
    is_brain: bool = False
    is_asked: bool = True


def networks_for(
    brain: Brain, names: Sequence[str] = ()
) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """The networks to try, the brain's own in its own size first, and what was left out and why.

    Args:
        brain: to be exported.
        names: of the trunks that may be chosen; by default all that are kept.

    Raises:
        TrunkError: there is no trunk of that name.
        BrainError: the brain's own trunk is not kept and cannot be told from its head.
    """
    kept, notes = _kept(names)
    own = next((trunk for trunk in kept if _is_of(brain, trunk)), None)
    is_asked = not names or own is not None
    own = own or _own(brain)
    high, wide = brain.contract.height, brain.contract.width
    found = [Network(resized(own, high, wide), own.name, is_brain=True, is_asked=is_asked)]
    for trunk in [own, *(one for one in kept if one is not own)] if is_asked else kept:
        for height, width in sizes_around(trunk):
            if trunk is own and (height, width) == (high, wide):
                continue
            try:
                found.append(Network(resized(trunk, height, width), trunk.name))
            except TrunkError as error:
                notes.append(f"Left out: {error}")
    return tuple(found), tuple(notes)


def sizes_around(trunk: Trunk) -> list[tuple[int, int]]:
    """Sizes (height, width) to try, ascending: multiples of what one place of the map spans.

    >>> sizes_around(load_trunk("octo"))  # doctest: +SKIP
    [(48, 48), (64, 64), (96, 96), (128, 128)]
    """
    own = (trunk.contract.height, trunk.contract.width)
    steps = [max(1, round(side / places)) for side, places in zip(own, trunk.map_size, strict=True)]
    found = {own}
    for scale in SCALES:
        high, wide = (
            step * max(1, round(side * scale / step)) for side, step in zip(own, steps, strict=True)
        )
        if max(high, wide) <= LARGEST_SIDE:
            found.add((high, wide))
    return sorted(found)


def _kept(names: Sequence[str]) -> tuple[list[Trunk], list[str]]:
    """The trunks of these names, or all that are kept; damaged ones are left out of the latter."""
    if names:
        trunks = [load_trunk(name) for name in dict.fromkeys(names)]
        return trunks, []
    found: list[Trunk] = []
    notes: list[str] = []
    for summary in list_trunks():
        try:
            found.append(load_trunk(summary.name))
        except TrunkError as error:
            notes.append(f"Left out: {error}")
    return found, notes


def _is_of(brain: Brain, trunk: Trunk) -> bool:
    """Whether the brain stands on this trunk, in whichever size."""
    contract = brain.contract
    same = replace(trunk.contract, height=contract.height, width=contract.width) == contract
    return same and set(trunk.graph.weights) <= set(brain.graph.weights)


def _own(brain: Brain) -> Trunk:
    """The brain's own trunk, out of its graph.

    Raises:
        BrainError: it cannot be told from the head.
    """
    model, _ = split(unpack(brain.graph))
    graph, reference, contract = pack(model), brain.manifest.trunk, brain.contract
    _, _, high, wide = infer_shapes(model)["feature_map"]
    return Trunk(
        name=reference.name,
        graph=graph,
        contract=Contract(**vars(contract)),
        num_features=reference.num_features,
        map_size=(high, wide),
        family="inside",
        source=f"the graph of {brain.name}",
    )
