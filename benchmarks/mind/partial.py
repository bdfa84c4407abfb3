"""Brains that share only the lower two thirds of a trunk, as after fine-tuning.

    python -m benchmarks.mind.partial [--quick] [--trunks ...] [--folder ...]

A trained brain's network is cut where every path goes through one value and about two thirds of the
multiplications lie before it. Copies with every weight above the cut changed by a few per cent (and
the head, too) stand for brains that were fine-tuned with the lower layers untouched; nothing says
so in them but equal bytes. One photo, ready as pixels, goes through N = 1, 2, 4 and 8 of them.

The arithmetic gain is N T / (L + N U): T is what one whole network takes, L the part below the cut
and U the part above, each in isolation as a session of its own with the mind's threads. The
measured gain is N times the mind's time for one brain, over its time for N; the target is 85 % of
the arithmetic one. All of these are measured by turns, photo by photo, in one process: what else
happens on the machine meets them all alike. The gain in multiplications alone is there for
comparison: the part below the cut has larger maps and other kinds of layers, so its share of the
time differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.mind.brains import HEAD, derive_upper, plain_model, train_brains, write_linked
from benchmarks.mind.measuring import (
    Asked,
    Measured,
    in_process,
    photo_files,
    read_photos,
    rounded,
    start,
)
from benchmarks.running import median
from ninebrains.brains import Brain, load
from ninebrains.brains.checking import infer_shapes
from ninebrains.brains.graph import pack, unpack
from ninebrains.images import prepare

if TYPE_CHECKING:
    import onnx

COUNTS = (1, 2, 4, 8)
SHARED_SHARE = 2 / 3
OUTPUTS = ["scores", "features", "unfamiliar"]
_BESIDE = ("Gemm", "MatMul")


@dataclass(frozen=True)
class Cut:
    """Where a network is cut.

    Attributes:
        value: the only one that goes from the part below to the part above.
        share: of the network's multiplications that lie below.
        above: the names of the trunk's tensors that the part above alone reads.
    """

    value: str
    share: float
    above: frozenset[str]


def find_cut(model: onnx.ModelProto, wanted: float = SHARED_SHARE) -> Cut:
    """The cut below which the share of multiplications comes nearest to `wanted`.

    Raises:
        ValueError: no value is one that all paths go through.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if not node.output[0].startswith(HEAD)]
    works = _works(model)
    last_use = {
        name: place
        for place, node in enumerate(nodes)
        for name in node.input
        if name not in weights
    }
    live: set[str] = set()
    done, best = 0.0, None
    for place, node in enumerate(nodes):
        done += works[node.output[0]]
        live.update(node.output)
        live = {name for name in live if last_use.get(name, -1) > place}
        share = done / sum(works.values())
        is_better = best is None or abs(share - wanted) < abs(best[1] - wanted)
        if len(live) == 1 and is_better:
            best = (place, share, next(iter(live)))
    if best is None:
        raise ValueError("the network has no value that all paths go through")
    place, share, value = best
    below = {name for node in nodes[: place + 1] for name in node.input}
    above = {name for node in nodes[place + 1 :] for name in node.input if name in weights}
    large = {name for name in above - below if not name.startswith(HEAD) and weights[name].dims}
    return Cut(value, share, frozenset(large))


def _works(model: onnx.ModelProto) -> dict[str, float]:
    """Multiplications of each node for one photo, by its output's name."""
    shapes = infer_shapes(model)
    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    works = {}
    for node in model.graph.node:
        name = node.output[0]
        works[name] = 0.0
        if node.op_type == "Conv":
            # Each value of the output is a product with one filter.
            works[name] = float(np.prod(shapes[name]) * np.prod(sizes[node.input[1]][1:]))
        elif node.op_type in _BESIDE and node.input[1] in sizes:
            works[name] = float(np.prod(sizes[node.input[1]]))
    return works


def main(asked: Asked) -> None:
    rows = []
    for trunk in asked.trunks:
        base = train_brains(trunk, asked.folder, 1)[0]
        cut = find_cut(unpack(base.graph))
        brains = _make(base, cut, asked.folder / "partial" / trunk, asked.folder / "weights")
        photos = photo_files(asked.folder, 32)
        seconds = asked.quickly(15, 3)
        told = {"brains": brains, "photos": photos, "seconds": seconds, "cut": cut.value}
        repeats = int(asked.quickly(5, 2))
        found = [in_process("partial", asked.folder, **told) for _ in range(repeats)]
        rows += [_row(trunk, count, cut, found) for count in COUNTS]
    asked.report("mind_partial", rows)


def _make(base: Brain, cut: Cut, folder: Path, pool: Path) -> list[Path]:
    paths = [folder / f"{base.name}-upper-{number}" for number in range(COUNTS[-1])]
    for number, path in enumerate(paths):
        if not path.is_dir():
            write_linked(derive_upper(base, path.name, set(cut.above), seed=number), path, pool)
    return paths


def _row(trunk: str, count: int, cut: Cut, found: Sequence[Measured]) -> dict[str, object]:
    def arithmetic(whole: float, lower: float, upper: float) -> float:
        return count * whole / (lower + count * upper)

    expected = [arithmetic(one["whole"], one["lower"], one["upper"]) for one in found]
    gains = [count * one["1"] / one[str(count)] for one in found]
    shares = [gain / wanted for gain, wanted in zip(gains, expected, strict=True)]
    return rounded(
        {
            "trunk": trunk,
            "brains": count,
            "repeats": len(found),
            "share_of_work_below": cut.share,
            "whole_ms": median(one["whole"] for one in found),
            "lower_ms": median(one["lower"] for one in found),
            "upper_ms": median(one["upper"] for one in found),
            "mind_ms": median(one[str(count)] for one in found),
            "gain": median(gains),
            "arithmetic_gain": median(expected),
            "of_arithmetic": median(shares),
            "gain_in_multiplications": arithmetic(1.0, cut.share, 1 - cut.share),
        }
    )


def measure(brains: list[str], photos: str, seconds: float, cut: str) -> Measured:
    """Milliseconds for a photo of a network, of its parts, and of minds, by turns.

    Returns:
        Medians of `whole`, `lower`, `upper` and of each number of brains.
    """
    import ninebrains as nb

    base = load(brains[0])
    shown = [prepare(photo, base.contract) for photo in read_photos(photos)]
    model = plain_model(base)
    whole, lower, upper = (
        pack(one).session()
        for one in (model, _part(model, ["photos"], [cut]), _part(model, [cut], OUTPUTS))
    )
    between = [lower.run(None, {"photos": pixels[None]})[0] for pixels in shown]
    works: dict[str, Callable[[int], object]] = {
        "whole": lambda number: whole.run(OUTPUTS, {"photos": shown[number][None]}),
        "lower": lambda number: lower.run(None, {"photos": shown[number][None]}),
        "upper": lambda number: upper.run(OUTPUTS, {cut: between[number]}),
    }
    with ExitStack() as open_minds:
        for count in COUNTS:
            mind = open_minds.enter_context(nb.Mind(brains[:count]))
            works[str(count)] = lambda number, mind=mind: mind.run(shown[number])
        took = by_turns(works, len(shown), seconds)
    return {name: median(values) for name, values in took.items()}


def by_turns(
    works: Mapping[str, Callable[[int], object]], num_photos: int, seconds: float
) -> dict[str, list[float]]:
    """Milliseconds of each work for each photo, one work after the other; one round to warm up."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for number in range(num_photos):
        for work in works.values():
            work(number)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for number in range(num_photos):
            for name, work in works.items():
                before = time.perf_counter()
                work(number)
                took[name].append(1000 * (time.perf_counter() - before))
    return took


def _part(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    import onnx
    from onnx.utils import Extractor

    return Extractor(onnx.shape_inference.infer_shapes(model)).extract_model(inputs, outputs)


if __name__ == "__main__":
    start(main, measure)
