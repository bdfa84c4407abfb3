"""Letting a version into the mind: every byte checked, signed as asked, tried on a photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.file import blaming, load_late
from ninebrains.brains.graph import Graph
from ninebrains.brains.late import held
from ninebrains.brains.signing import verify
from ninebrains.errors import BrainError
from ninebrains.mind import Guest
from ninebrains.mind.guests import digest_of_source
from ninebrains.mind.members import digest_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from ninebrains.brains import Manifest
    from ninebrains.mind import Mind

_CANDIDATE = ".candidate"


def admit(
    mind: Mind, path: Path, member: str, trusted: Collection[str] | None
) -> tuple[Manifest | Guest, str]:
    """Let a version join the mind, or take the place of what is called the same there.

    Where something is, the new one is tried beside it first, under another name, and only one that
    answers takes its place.

    Args:
        mind: that it joins.
        path: of the brain or ONNX file.
        member: `name@number`.
        trusted: as in `ninebrains.load`; networks from elsewhere have no signatures, so with it
            they are refused.

    Returns:
        What it says about itself, without its network, and a digest of it.

    Raises:
        BrainError: it is refused; the mind is as it was.
        Exception: what else a machine may do, such as MemoryError; the mind is as it was.
    """
    thing = _checked(path, trusted)
    if member in mind:
        candidate = member + _CANDIDATE
        try:
            _try(mind, thing, candidate)
            mind.add(thing, member)  # all that it needs is compiled already
        finally:
            if candidate in mind:
                mind.remove(candidate)
    else:
        try:
            _try(mind, thing, member)
        except BaseException:
            if member in mind:
                mind.remove(member)
            raise
    if isinstance(thing, Brain):
        return thing.manifest, digest_of(thing)
    facts = mind.brains[member]
    assert isinstance(facts, Guest), "what was read from an .onnx file is no brain"
    digest = digest_of_source(facts.source)
    return replace(facts, version=digest[:12], graph=Graph(b"", {})), digest


def _checked(path: Path, trusted: Collection[str] | None) -> Brain | Path:
    """A brain of which every byte has been read once and is as it should be, or a guest's path.

    Its weights are not kept: they lie in the mind, once for all who share them.
    """
    if path.suffix.lower() == ".onnx" and path.is_file():
        if trusted is not None:
            raise BrainError(
                f"{path} is an ONNX network, which nobody can have signed; only signed brains are "
                "trusted here. Train a brain on it, or serve it without `trusted`."
            )
        return path
    brain = load_late(path)
    with blaming(path):
        if trusted is not None:
            verify(brain, trusted)
        for weight in brain.graph.weights.values():
            held(weight)
    return brain


def _try(mind: Mind, thing: Brain | Path, member: str) -> None:
    """Add, and send the canary photo through it, waiting for room as everybody does."""
    mind.add(thing, member)
    height, width, _ = mind.brains[member].contract.shape
    for _ in mind.run_many([np.zeros((height, width, 3), np.uint8)], member):
        pass
