"""Many ten-class brains on one trunk, for measuring.

A few are trained on real photos by `ninebrains train`, each from another seed. The others are made
from these: every number of the head (weights, bias, what is familiar) changes by a few per cent,
drawn from the brain's number. They are as different to the mind as trained ones, since it compares
bytes, and 256 trainings would take long. They lie in folders whose weights are hard links to one
copy, so that 256 brains take little room on disk; whoever loads one still reads all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.running import COMMAND, SHARED, TRUNK_FILE, run
from ninebrains.brains import Brain, Label, Manifest, load
from ninebrains.brains.file import contents_of
from ninebrains.brains.graph import pack, unpack
from ninebrains.brains.manifest import TrunkReference
from ninebrains.trunks import Trunk

if TYPE_CHECKING:
    import onnx

TRUNKS = ("octo", "mobilenet_v2_100")
PHOTOS = SHARED / "data/classification/clothing343"
NUM_TRAINED = 4
HEAD = "head/"
_CHANGE = 0.03  # standard deviation of a weight's relative change
_LEARNT = ("weights", "weights_1x1", "bias", "axes", "gains", "linear", "offset")

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def make_brains(trunk: str, count: int, folder: Path) -> list[Path]:
    """`count` brains on a trunk, as folders in `folder`; those that are there are kept."""
    paths = [folder / trunk / f"{trunk}-{number:03}" for number in range(count)]
    missing = [number for number, path in enumerate(paths) if not path.is_dir()]
    if missing:
        trained = train_brains(trunk, folder)
        for number in missing:
            brain = derive(trained[number % len(trained)], paths[number].name, seed=number)
            write_linked(brain, paths[number], folder / "weights")
    return paths


def train_brains(trunk: str, folder: Path, count: int = NUM_TRAINED) -> list[Brain]:
    """Brains for clothes that differ by the seed of their training."""
    home = folder / "home"
    own = {"NINEBRAINS_HOME": str(home)}
    if not home.is_dir():
        run([COMMAND, "trunk", "add", TRUNK_FILE, "--name", "mobilenet_v2_100"], **own)
    brains = []
    for seed in range(count):
        path = folder / f"{trunk}-trained-{seed}.brain"
        if not path.is_file():
            train = [COMMAND, "train", PHOTOS, "--trunk", trunk, "--seed", str(seed), "-o", path]
            run([*train, "--json"], **own)
        brains.append(load(path))
    return brains


def untrained(trunk: Trunk, name: str, seed: int, num_labels: int = 10) -> Brain:
    """A brain with a random head, for runs without any photos to learn from."""
    from ninebrains.training.assembling import assemble
    from ninebrains.training.familiarity import Familiarity

    random = np.random.default_rng([seed, num_labels])
    wide = trunk.num_features
    familiarity = Familiarity(
        axes=random.normal(size=(wide, 4)) / np.sqrt(wide),
        gains=random.uniform(0.5, 2.0, 4),
        linear=random.normal(size=(num_labels, wide)) / np.sqrt(wide),
        offset=random.uniform(1.0, 2.0, num_labels),
        threshold=1.0,
        rejected_train=0.01,
    )
    weights = random.normal(size=(num_labels, wide)) / np.sqrt(wide)
    graph = assemble(trunk, "classify", weights, random.normal(size=num_labels), familiarity)
    manifest = Manifest(
        name=name,
        task="classify",
        contract=trunk.contract,
        trunk=TrunkReference(name=trunk.name, hash=trunk.hash, num_features=wide),
        labels=[Label(id=f"l{i}", index=i, name=f"label {i}") for i in range(num_labels)],
    )
    return Brain.assemble(manifest, graph, f"# {name}\n\nRandom numbers, for measuring only.\n")


def derive(brain: Brain, name: str, seed: int, version: str = "1") -> Brain:
    """The brain under another name, with every number of its head changed a little."""
    learnt = {HEAD + tensor for tensor in _LEARNT}
    return reweigh(brain, name, learnt, _nudge, seed, version)


def derive_upper(brain: Brain, name: str, tensors: set[str], seed: int) -> Brain:
    """The brain as if fine-tuned: these tensors of its trunk and all of its head are changed."""
    learnt = {HEAD + tensor for tensor in _LEARNT}
    return reweigh(brain, name, learnt | tensors, _nudge, seed)


def reweigh(
    brain: Brain, name: str, tensors: set[str], change: Change, seed: int, version: str = "1"
) -> Brain:
    """The brain under another name, with `change` done to the tensors of these names.

    Tensors of one seed and equal numbers stay equal: the head's weights and the same as a 1x1
    convolution must agree.
    """
    from onnx import numpy_helper

    model = unpack(brain.graph)
    for tensor in model.graph.initializer:
        if tensor.name in tensors:
            values = numpy_helper.to_array(tensor)
            random = np.random.default_rng([seed, values.size])
            tensor.raw_data = change(values, random).astype(values.dtype).tobytes()
    facts = brain.manifest.model_copy(update={"name": name, "version": version})
    return Brain.assemble(facts, pack(model), brain.card)


def _nudge(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return values * (1 + _CHANGE * random.normal(size=values.size).reshape(values.shape))


def write_linked(brain: Brain, path: Path, pool: Path) -> None:
    """Write a brain's folder; its weights are hard links into `pool`."""
    pool.mkdir(parents=True, exist_ok=True)
    for name, data in contents_of(brain).items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("weights/"):
            kept = pool / target.name
            if not kept.is_file():
                kept.write_bytes(data)
            os.link(kept, target)
        else:
            target.write_bytes(data)


def head_bytes(brains: Sequence[Path]) -> int:
    """What the heads of brains take: distinct tensors that are not in all of them, each once."""
    held = [{entry.name: entry for entry in (path / "weights").iterdir()} for path in brains]
    common = set.intersection(*map(set, held)) if len(held) > 1 else set()
    own = {name: entry for weights in held for name, entry in weights.items()}
    return sum(entry.stat().st_size for name, entry in own.items() if name not in common)


def write_onnx(brains: Sequence[Path], folder: Path) -> list[Path]:
    """The brains as plain ONNX files with their weights inside, which is what peers take."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for path in brains:
        file = folder / f"{path.name}.onnx"
        if not file.is_file():
            onnx.save(plain_model(load(path)), file)
        files.append(file)
    return files


def plain_model(brain: Brain) -> onnx.ModelProto:
    """A brain's network without its heat map, which nobody asks for here."""
    model = unpack(brain.graph)
    kept = [output for output in model.graph.output if output.name != "heatmap"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    nodes = [node for node in model.graph.node if "heatmap" not in node.output]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    return model
