"""What is probed: trunks by name or file, peers, and HOG; features once for each model and set."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.probes import hog
from benchmarks.probes.scoring import HeadKind
from benchmarks.probes.scratch import Scratch, digest
from benchmarks.probes.sets import ProbeSet
from benchmarks.running import run
from ninebrains.brains.graph import pack, unpack
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


def untrained(trunk: Trunk, seed: int = 0) -> Trunk:
    """The same architecture with random weights: He et al. 2015, as before the first step.

    Raises:
        SystemExit: a convolution's weights are not simply there, so none can be put in their place.
    """
    from onnx import numpy_helper

    model = unpack(trunk.graph)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    rng = np.random.default_rng(seed)
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        if any(name not in weights for name in node.input[1:]):
            raise SystemExit("cannot make an untrained trunk; give one with --untrained FILE.onnx")
        kernel = weights[node.input[1]]
        deviation = np.sqrt(2.0 / np.prod(kernel.dims[1:]))
        drawn = rng.normal(0.0, deviation, list(kernel.dims)).astype(np.float32)
        kernel.CopyFrom(numpy_helper.from_array(drawn, kernel.name))
        for name in node.input[2:]:
            empty = np.zeros(list(weights[name].dims), np.float32)
            weights[name].CopyFrom(numpy_helper.from_array(empty, name))
    return replace(trunk, name="untrained", graph=pack(model))


def mobilenet_v1(weights: Path, python: Path) -> Trunk:
    """The trunk of Keras's MobileNetV1, converted by the peers' interpreter, which has h5py."""
    script = Path(__file__).parents[1] / "peers/keras_mobilenet_v1.py"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mobilenet_v1.onnx"
        run([python, script, weights, file])
        half = (0.5, 0.5, 0.5)
        return import_trunk(file, "mobilenet_v1_025", InputOverrides(mean=half, std=half))


def hog_model(name: str) -> Model:
    """HOG with ridge regression."""
    source = Path(hog.__file__).read_bytes()
    return Model(name, digest("hog", source, version("pillow")), hog.hog, "ridge")


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
