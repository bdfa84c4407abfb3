"""Brains that share only the lower two thirds of a trunk, as after fine-tuning.

    python -m benchmarks.mind.partial [--quick] [--trunks ...] [--folder ...]

A trained brain's network is cut where every path goes through one value and about two thirds of the
multiplications lie before it. Copies with every weight above the cut changed by a few per cent (and
the head, too) stand for brains that were fine-tuned with the lower layers untouched; nothing says
so in them but equal bytes. One photo, ready as pixels, goes through N = 1, 2, 4 and 8 of them.

The arithmetic gain is N T / (L + N U): T is what one whole network takes, L the part below the cut
and U the part above, each measured in isolation as a session of its own in this run, with the
mind's threads. The measured gain is N times the mind's time for one brain, over its time for N; the
target is 85 % of the arithmetic one. The gain in multiplications alone is there for comparison: a
part below the cut has larger maps and other kinds of layers, so its share of the time differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
from benchmarks.running import median, write_results
from ninebrains.brains import Brain, load
from ninebrains.brains.checking import infer_shapes
from ninebrains.brains.graph import unpack
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
        seconds = asked.quickly(5, 0.5)
        told = {"photos": photos, "seconds": seconds, "cut": cut.value}
        found: dict[str, list[Measured]] = {}
        for _ in range(int(asked.quickly(7, 2))):
            for what in ("whole", "lower", "upper"):
                once = in_process("partial", asked.folder, what=what, brains=brains[:1], **told)
                found.setdefault(what, []).append(once)
            for count in COUNTS:
                once = in_process(
                    "partial", asked.folder, what="mind", brains=brains[:count], **told
                )
                found.setdefault(str(count), []).append(once)
        rows += [_row(trunk, count, cut, found) for count in COUNTS]
    write_results("mind_partial", rows)


def _make(base: Brain, cut: Cut, folder: Path, pool: Path) -> list[Path]:
    paths = [folder / f"{base.name}-upper-{number}" for number in range(COUNTS[-1])]
    for number, path in enumerate(paths):
        if not path.is_dir():
            write_linked(derive_upper(base, path.name, set(cut.above), seed=number), path, pool)
    return paths


def _row(trunk: str, count: int, cut: Cut, found: dict[str, list[Measured]]) -> dict[str, object]:
    def arithmetic(whole: float, lower: float, upper: float) -> float:
        return count * whole / (lower + count * upper)

    def times(what: str) -> list[float]:
        return [float(once["ms"]) for once in found[what]]

    parts = list(zip(times("whole"), times("lower"), times("upper"), strict=True))
    expected = [arithmetic(*one) for one in parts]
    gains = [count * one / many for one, many in zip(times("1"), times(str(count)), strict=True)]
    gain_of_works = arithmetic(1.0, cut.share, 1 - cut.share)
    return rounded(
        {
            "trunk": trunk,
            "brains": count,
            "repeats": len(parts),
            "share_of_work_below": cut.share,
            "whole_ms": median(times("whole")),
            "lower_ms": median(times("lower")),
            "upper_ms": median(times("upper")),
            "mind_ms": median(times(str(count))),
            "gain": median(gains),
            "arithmetic_gain": median(expected),
            "of_arithmetic": median(
                gain / wanted for gain, wanted in zip(gains, expected, strict=True)
            ),
            "gain_in_multiplications": gain_of_works,
            "segments": found[str(count)][0]["segments"],
        }
    )


def measure(what: str, brains: list[str], photos: str, seconds: float, cut: str) -> Measured:
    """The median of a photo's milliseconds through a part of a network, or through a mind."""
    base = load(brains[0])
    shown = [prepare(photo, base.contract) for photo in read_photos(photos)]
    if what == "mind":
        import ninebrains as nb

        with nb.Mind(brains) as mind:
            took = _timed(mind.run, shown, seconds)
            return {"ms": took, "segments": str(mind.explain()).count("\n") + 1}
    inputs = [pixels[None] for pixels in shown]
    model = plain_model(base)
    if what != "whole":
        lower = _session(_part(model, ["photos"], [cut]))
        if what == "lower":
            return {"ms": _timed(lambda one: lower.run(None, {"photos": one}), inputs, seconds)}
        inputs = [lower.run(None, {"photos": one})[0] for one in inputs]
        upper = _session(_part(model, [cut], OUTPUTS))
        return {"ms": _timed(lambda one: upper.run(OUTPUTS, {cut: one}), inputs, seconds)}
    session = _session(model)
    return {"ms": _timed(lambda one: session.run(OUTPUTS, {"photos": one}), inputs, seconds)}


def _part(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    import onnx
    from onnx.utils import Extractor

    return Extractor(onnx.shape_inference.infer_shapes(model)).extract_model(inputs, outputs)


def _session(model: onnx.ModelProto):  # noqa: ANN202 - onnxruntime has no types
    from ninebrains.brains.graph import pack

    return pack(model).session()


def _timed(work: Callable[..., object], inputs: list[np.ndarray], seconds: float) -> float:
    took: list[float] = []
    for one in inputs:
        work(one)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for one in inputs:
            before = time.perf_counter()
            work(one)
            took.append(1000 * (time.perf_counter() - before))
    return median(took)


if __name__ == "__main__":
    start(main, measure)
