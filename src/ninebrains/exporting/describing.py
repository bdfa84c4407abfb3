"""What an export tells people and programs about itself: README.md, labels.txt, the scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.exporting.facts import README, labels_name, receipt_name
from ninebrains.exporting.receipt import Receipt
from ninebrains.exporting.running import runner_files
from ninebrains.exporting.target import Target
from ninebrains.images import Contract
from ninebrains.places import write_bytes

_FITS = {
    "crop": "scaled so that it fills the frame, and what sticks out on both sides is cut off",
    "pad": "scaled so that all of it is seen, with bars of the colour RGB {color} beside it",
    "stretch": "stretched to the frame, whatever its proportions",
}
_OUTPUTS = {
    "scores": "`scores` [{batch}, {labels}]: a calibrated score for each label, as in {file}",
    "values": "`values` [{batch}, 1]: the number that was measured",
    "features": "`features` [{batch}, {features}]: the trunk's description of the photo",
    "heatmap": "`heatmap` [{batch}, {labels}, h, w]: where the evidence for each label lies",
    "unfamiliar": (
        "`unfamiliar` [{batch}]: how unlike the training photos it is; above 1 the answer is "
        "none of the labels"
    ),
}


def write_labels(brains: Sequence[Brain], folder: Path) -> None:
    """`labels.txt`, `labels-1.txt` …: a name a line, in the order of the scores; one a brain."""
    for place, brain in enumerate(brains):
        names = "".join(f"{label.name}\n" for label in brain.labels)
        write_bytes(folder / labels_name(place), names.encode())


def write_runner(runtime: str | None, folder: Path) -> None:
    """The scripts that run the export in Python, if it can be."""
    for name, data in runner_files(runtime).items() if runtime else ():
        write_bytes(folder / name, data)


def contract_in_words(contract: Contract) -> str:
    """What must be done to a photo before the network sees it, in a paragraph.

    >>> contract_in_words(Contract(96, 96)).startswith("A photo becomes 96 x 96 pixels")
    True
    """
    fit = _FITS[contract.fit].format(color=contract.pad_color)
    return (
        f"A photo becomes {contract.width} x {contract.height} pixels (width x height), 8-bit RGB, "
        "0 to 255; normalisation is inside the model. In this order: it is turned upright by its "
        "EXIF orientation; transparent parts become white, grey becomes RGB; a JPEG may be decoded "
        f"at 1/2, 1/4 or 1/8 of its size, never below twice the frame; it is {fit}; it is resized "
        "once, with a triangle (bilinear) filter whose support grows with the reduction, so that "
        "it is antialiased."
    )


Told = tuple[Brain, Receipt]


def write_readme(target: Target, told: Sequence[Told], folder: Path) -> None:
    """README.md: how to run it there, and of each brain the contract and the receipt's summary."""
    write_bytes(folder / README, "\n".join(_readme(target, told)).encode())


def _readme(target: Target, told: Sequence[Told]) -> Iterator[str]:
    (_, receipt), is_one = told[0], len(told) == 1
    yield f"# {_listed([brain.name for brain, _ in told])} for {target.title}, {receipt.precision}"
    yield ""
    yield from (f"{'' if is_one else '- '}{_knows(brain)}" for brain, _ in told)
    yield from (
        "",
        "## Run it",
        "",
        target.usage(tuple(receipt.outputs), receipt.precision).strip(),
        "",
    )
    if target.runtime:
        yield "On any machine with Python, numpy and the runtime (`runtime.py` says which):"
        yield from ("", "```sh", "python run.py photo.jpg     # photos also need Pillow")
        yield from ("python run.py --bench 250   # how fast it is there", "```", "")
    for place, (brain, its_receipt) in enumerate(told):
        yield from () if is_one else (f"## The brain {brain.name}", "")
        sizes = {
            "batch": target.batch or "N",
            "labels": len(brain.labels),
            "features": brain.manifest.trunk.num_features,
            "file": labels_name(place),
        }
        outputs = [_OUTPUTS[name].format(**sizes) for name in its_receipt.outputs]
        heading = "##" if is_one else "###"
        yield from _taken_and_given(brain, outputs, heading)
        yield from _proof(its_receipt, place, heading)


def _knows(brain: Brain) -> str:
    names = ", ".join(label.name for label in brain.labels[:12])
    more = f" and {len(brain.labels) - 12} more" if len(brain.labels) > 12 else ""
    what = "It measures a number." if brain.task == "regress" else f"It knows {names}{more}."
    return f"Version {brain.version} of the brain {brain.name}. {what}"


def _taken_and_given(brain: Brain, outputs: Sequence[str], heading: str) -> Iterator[str]:
    yield from (f"{heading} What goes in", "", contract_in_words(brain.contract), "")
    yield from (f"{heading} What comes out", "", *(f"- {line}" for line in outputs), "")


def _proof(receipt: Receipt, place: int, heading: str) -> Iterator[str]:
    yield from (f"{heading} Does it answer like the brain?", "")
    yield from (f"- {line}" for line in summary(receipt))
    html, data = receipt_name(place, "html"), receipt_name(place, "json")
    yield from ("", f"`{html}` shows all of it, `{data}` is for programs.", "")


def _listed(names: Sequence[str]) -> str:
    """Names as people list them.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def summary(receipt: Receipt) -> Iterator[str]:
    """What a receipt says, in a few sentences."""
    yield f"Verdict: {receipt.verdict}."
    yield from receipt.reasons
    agreement, quality, cost = receipt.agreement, receipt.quality, receipt.cost
    if agreement is not None:
        yield (
            f"Same answer on {agreement.same.value:.2%} of {receipt.photos.compared} photos "
            f"{receipt.photos.source}; scores differ by {agreement.largest_difference:.2g} at most "
            f"and {agreement.mean_difference:.2g} on average."
        )
    if receipt.photos.failed:
        one = next(iter(receipt.photos.failed))
        num = len(receipt.photos.failed)
        yield f"{num} of {receipt.photos.asked} photos could not be compared, such as {one}."
    if quality is not None and quality.measure != "mean absolute error":
        yield (
            f"{quality.measure.capitalize()} {quality.export.value:.1%} (95 %: "
            f"{quality.export.low:.1%} to {quality.export.high:.1%}); the brain's own "
            f"{quality.brain.value:.1%}."
        )
    elif quality is not None:
        yield (
            f"Mean absolute error {quality.export.value:.4g}; the brain's own "
            f"{quality.brain.value:.4g}."
        )
    if agreement is not None and agreement.heatmap_mean is not None:
        yield f"Heat maps correlate with {agreement.heatmap_mean:.4f} on average."
    size = f"{cost.model_bytes / 1e6:.2f} MB (the brain: {cost.brain_bytes / 1e6:.2f} MB)"
    if cost.export_ms is not None and cost.brain_ms is not None:
        yield (
            f"{size}; {cost.export_ms:.2f} ms a photo in the network on the machine that made "
            f"the receipt (the brain: {cost.brain_ms:.2f} ms)."
        )
    else:
        yield f"{size}."
    if receipt.step is not None:
        yield f"int8 by this step: {receipt.step}."
    yield from receipt.notes
    yield from (f"Not run: {line}" for line in receipt.not_run)
