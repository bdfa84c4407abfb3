"""A short form of a receipt in the brain's own `brain.json`, one for each target and precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ninebrains.brains import Brain, load
from ninebrains.errors import NinebrainsError
from ninebrains.exporting.receipt import Receipt


def short_form(receipt: Receipt) -> dict[str, str]:
    """What `Manifest.receipts` keeps."""
    found = {
        "target": receipt.target,
        "precision": receipt.precision,
        "verdict": receipt.verdict,
        "photos": f"{receipt.photos.compared} {receipt.photos.source}",
        "runner": receipt.runner,
    }
    if receipt.agreement is not None:
        same = receipt.agreement.same
        found["same_answer"] = f"{same.value:.4f} ({same.low:.4f} to {same.high:.4f})"
    if receipt.quality is not None:
        lost = receipt.quality.lost
        found["lost"] = f"{lost.value:.4f} ({lost.low:.4f} to {lost.high:.4f})"
        found["measure"] = receipt.quality.measure
    return found


def with_receipt(brain: Brain, receipt: Receipt) -> Brain:
    """The brain with a receipt in its manifest, in place of an older one of the same kind."""
    kind = (receipt.target, receipt.precision)
    kept = [
        one for one in brain.manifest.receipts if (one.get("target"), one.get("precision")) != kind
    ]
    receipts = sorted(
        [*kept, short_form(receipt)], key=lambda one: (one["target"], one["precision"])
    )
    return replace(brain, manifest=brain.manifest.model_copy(update={"receipts": receipts}))


def record(source: str | os.PathLike[str], receipt: Receipt) -> Iterator[str]:
    """Add a receipt to a brain's file or folder; yield a note where that cannot be done.

    The export is whole without it, so a file that cannot be written is no failure. A signed brain
    is left as it is: what was signed must not change.
    """
    path = Path(source)
    if not path.is_file() and not (path / "brain.json").is_file():
        yield "The receipt lies beside the export only: stored brains are not changed."
        return
    try:
        brain = load(path)
        if brain.signature is not None:
            yield "The receipt lies beside the export only: the brain is signed and stays as it is."
            return
        if brain.graph.hash != receipt.brain.graph:
            yield "The receipt lies beside the export only: the file changed meanwhile."
            return
        changed = with_receipt(brain, receipt)
        if changed.manifest != brain.manifest:
            changed.save(path, overwrite=True)
    except NinebrainsError as error:
        yield f"The receipt lies beside the export only: {error}"
