"""What is probed: trunks by name or file, and HOG. Features are computed once a model and set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.probes.scoring import HeadKind
from benchmarks.probes.scratch import Scratch, digest
from benchmarks.probes.sets import ProbeSet
from ninebrains.images import PhotoSource, prepare
from ninebrains.trunks import InputOverrides, Trunk, import_trunk, load_trunk

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """One column of the comparison.

    Attributes:
        name: of the column.
        identity: stands for everything that decides its features.
        look: features [D] of one photo.
        head: how answers are learnt from the features.
    """

    name: str
    identity: str
    look: Callable[[PhotoSource], Features]
    head: HeadKind = "recipe"


def from_trunk(name: str, trunk: Trunk) -> Model:
    """The features of a trunk, exactly as training sees them, on one core."""

    def look(photo: PhotoSource) -> Features:
        return trunk.run(prepare(photo, trunk.contract)[None], threads=1)[0]

    identity = digest(
        trunk.hash, trunk.contract.fingerprint, version("onnxruntime"), version("pillow")
    )
    return Model(name, identity, look)


def open_trunk(source: str, overrides: InputOverrides | None = None) -> Trunk:
    """The trunk of an ONNX file, with what is said about its input, or of a name."""
    if source.endswith(".onnx"):
        return import_trunk(Path(source), "probed", overrides)
    return load_trunk(source)


def features_of(model: Model, probe: ProbeSet, scratch: Scratch) -> Features:
    """Features float32[n, D] of a set, from the scratch folder where they are known."""

    def compute() -> Features:
        rows = []
        for place, photo in enumerate(probe.photos, start=1):
            rows.append(model.look(photo))
            if sys.stderr.isatty() and place % 20 == 0:
                print(
                    f"\r{model.name}: {probe.name} {place}/{len(probe.photos)}  ",
                    end="",
                    file=sys.stderr,
                )
        return np.stack(rows).astype(np.float32)

    return scratch.array(digest("features", model.identity, probe.digest), compute)
