"""Are a brain's answers the same alone and in company?

    python -m benchmarks.mind.equal [--quick] [--trunks ...] [--folder ...]

Real photos through 256 brains together and through some of them alone. One photo after the other is
the same batch of one in both: scores, `unfamiliar`, features and heat maps must then be equal bit
for bit. The same photos submitted all at once travel in larger batches, as they happen to meet:
there the largest differences are told, to be at most 1e-5 (relative to 1 or to the largest value of
the same output on the photo, whichever is larger), as also against ONNX Runtime alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.mind.brains import make_brains
from benchmarks.mind.measuring import Asked, Measured, in_process, photo_files, read_photos, start
from ninebrains.brains import Inference, load

TOLERANCE = 1e-5
OUTPUTS = ("scores", "unfamiliar", "features", "heatmaps")


def main(asked: Asked) -> None:
    rows = []
    for trunk in asked.trunks:
        count = int(asked.quickly(256, 16))
        brains = make_brains(trunk, count, asked.folder)
        photos = photo_files(asked.folder, int(asked.quickly(32, 8)))
        step = int(asked.quickly(16, 4))
        found = in_process("equal", asked.folder, brains=brains, photos=photos, step=step)
        rows.append({"trunk": trunk, "company": count, **found})
    asked.report("mind_equal", rows)
    if not all(row["bit_equal"] for row in rows):
        raise SystemExit("a brain's answers alone and in company are not equal")
    if any(float(str(row[name])) > TOLERANCE for row in rows for name in row if "largest" in name):
        raise SystemExit(f"answers differ by more than {TOLERANCE} across batches")


def measure(brains: list[str], photos: str, step: int) -> Measured:
    """How every `step`-th brain's answers differ between alone, in company, and in batches."""
    import ninebrains as nb

    shown = read_photos(photos)
    chosen = brains[::step]
    with nb.Mind(brains) as mind:
        names = mind.names[::step]
        together = [mind.run(photo, heatmaps=True) for photo in shown]
        by_name = [mind.run(photo, names, heatmaps=True) for photo in shown]
        futures = [mind.submit(photo, heatmaps=True) for photo in shown]
        at_once = [future.result() for future in futures]
        as_bulk = list(mind.run_many(shown, names, heatmaps=True))
    unequal, in_batches, to_reference = 0, 0.0, 0.0
    for path, name in zip(chosen, names, strict=True):
        reference = load(path)
        with nb.Mind([path]) as mind:
            for number, photo in enumerate(shown):
                alone = answers_of(mind.run(photo, heatmaps=True)[name])
                same = [answers_of(found[number][name]) for found in (together, by_name)]
                unequal += sum(not are_equal(alone, one) for one in same)
                batched = [answers_of(found[number][name]) for found in (at_once, as_bulk)]
                in_batches = max(in_batches, *(difference(alone, one) for one in batched))
                bare = answers_of(reference.run(photo))
                to_reference = max(to_reference, difference(alone, bare))
    return {
        "brains": len(chosen),
        "photos": len(shown),
        "bit_equal": unequal == 0,
        "unequal_answers": unequal,
        "largest_difference_across_batches": float(f"{in_batches:.2e}"),
        "largest_difference_to_onnxruntime": float(f"{to_reference:.2e}"),
    }


def answers_of(inference: Inference) -> dict[str, np.ndarray]:
    """Everything a brain said, by output; scores by the label's index."""
    scores: Sequence[float] = [
        instance.score for instance in sorted(inference.instances, key=lambda one: one.index)
    ]
    found = {"scores": np.array(scores, np.float32)}
    for name in OUTPUTS[1:]:
        value = getattr(inference, name)
        if value is not None:
            found[name] = np.asarray(value, np.float32)
    return found


def are_equal(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two answers have the same outputs with the same bits."""
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def difference(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """The largest difference of two answers, relative to 1 or the output's largest value."""
    if one.keys() != other.keys():
        return float("inf")
    return max(
        float(np.abs(one[name] - other[name]).max() / max(1.0, np.abs(other[name]).max()))
        for name in one
    )


if __name__ == "__main__":
    start(main, measure)
