"""Brains as the page runs them: every different trunk once, and a small head for each brain."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ninebrains.brains import Brain
from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError
from ninebrains.exporting.splitting import split
from ninebrains.exporting.storing import store_fp16, store_int8_weights, store_once
from ninebrains.exporting.target import Precision

if TYPE_CHECKING:
    import onnx

PRECISIONS: tuple[Precision, ...] = ("int8-weights", "fp16", "fp32")
"""How weights can be stored; the page computes in 32-bit floats with all of them."""

_STORES: Mapping[Precision, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "int8-weights": store_int8_weights,
    "fp16": store_fp16,
    "fp32": lambda model: model,
}


@dataclass(frozen=True)
class Network:
    """One ONNX file, and what the page has to know of it.

    Attributes:
        name: for the file's name; only letters, digits, dots, dashes.
        data: the serialised model.
        facts: plain values for JSON.
    """

    name: str
    data: bytes
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Networks:
    """Everything that an export runs; `heads` are in the order of the brains."""

    trunks: tuple[Network, ...]
    heads: tuple[Network, ...]


def make_networks(brains: Sequence[Brain], precision: Precision) -> Networks:
    """Split brains and store their weights small.

    Raises:
        BrainError: none, or two of one name and version, or one that cannot be split; or there is
            no such precision here.
    """
    _check(brains, precision)
    store = _STORES[precision]
    names = _names(brains)
    trunks: dict[str, Network] = {}
    heads = []
    for brain, name in zip(brains, names, strict=True):
        trunk, head = split(store_once(unpack(brain.graph)))
        whole = trunk.SerializeToString(deterministic=True)
        key = hashlib.sha256(whole).hexdigest()
        if key not in trunks:
            facts = {
                "name": brain.manifest.trunk.name,
                "features": brain.manifest.trunk.num_features,
            }
            data = store(trunk).SerializeToString(deterministic=True)
            trunks[key] = Network(brain.manifest.trunk.name, data, facts)
        place = list(trunks).index(key)
        data = store(head).SerializeToString(deterministic=True)
        heads.append(Network(brain.name, data, _facts(brain, name, place)))
    return Networks(tuple(trunks.values()), tuple(heads))


def _check(brains: Sequence[Brain], precision: Precision) -> None:
    if not brains:
        raise BrainError("no brain was given; a web export takes one or more")
    if precision not in _STORES:
        raise BrainError(
            f"a web export cannot be built in {precision}; choose {', '.join(PRECISIONS)}"
        )


def _names(brains: Sequence[Brain]) -> list[str]:
    """What the brains are called in the page: with their versions where names are not enough."""
    plain = [brain.name for brain in brains]
    names = [
        brain.name if plain.count(brain.name) == 1 else f"{brain.name}@{brain.version}"
        for brain in brains
    ]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BrainError(f"{twice} was given twice; give each brain once, or another version")
    return names


def _facts(brain: Brain, name: str, trunk: int) -> dict[str, Any]:
    metrics = brain.metrics
    return {
        "name": name,
        "version": brain.version,
        "task": brain.task,
        "labels": [{"id": label.id, "name": label.name} for label in brain.labels],
        "trunk": trunk,
        "contract": asdict(brain.contract),
        "contract_key": brain.contract.fingerprint[:16],
        "has_heatmap": "heatmap" in brain.outputs,
        "has_unfamiliar": "unfamiliar" in brain.outputs,
        "residual_90": metrics.residual_90 if metrics else None,
        "verdict": metrics.verdict if metrics else None,
    }
