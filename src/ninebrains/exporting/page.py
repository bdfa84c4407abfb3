"""The receipt as a page for people."""

from __future__ import annotations

from collections.abc import Iterator

from ninebrains.brains.manifest import Estimate
from ninebrains.exporting.receipt import Receipt
from ninebrains.reporting.pages import render_page


def receipt_page(receipt: Receipt) -> str:
    """One HTML page that needs no other file, no network and no script."""
    return render_page(
        "receipt.html.j2", "ninebrains.exporting", receipt=receipt, rows=list(_rows(receipt))
    )


def _rows(receipt: Receipt) -> Iterator[tuple[str, str]]:
    """Everything with a name and a figure."""
    yield "Verdict", receipt.verdict
    photos, cost = receipt.photos, receipt.cost
    yield "Photos", f"{photos.compared:,} of {photos.asked:,}, {photos.source}"
    yield "Photos' fingerprint", photos.fingerprint
    yield "Run by", receipt.runner
    yield from _agreement(receipt)
    yield from _quality(receipt)
    yield "Size", f"{cost.model_bytes:,} bytes; the brain {cost.brain_bytes:,} bytes"
    if cost.export_ms is not None and cost.export_ms_90 is not None:
        yield "Time", f"{cost.export_ms:.2f} ms a photo (median), {cost.export_ms_90:.2f} ms (90 %)"
    if cost.memory_mib is not None:
        yield "Memory", f"{cost.memory_mib:.0f} MiB at the most, Python and the runtime included"
    yield "Outputs", ", ".join(receipt.outputs)
    machine = receipt.machine
    yield "Machine", f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"
    versions = ", ".join(f"{name} {version}" for name, version in receipt.packages.items())
    yield from [("Versions", versions)] if versions else []
    yield "Brain's graph", receipt.brain.graph


def _agreement(receipt: Receipt) -> Iterator[tuple[str, str]]:
    agreement = receipt.agreement
    if agreement is None:
        return
    yield "Same answer", _share(agreement.same)
    yield "Largest difference", f"{agreement.largest_difference:.3g}"
    yield "Mean difference", f"{agreement.mean_difference:.3g}"
    if agreement.heatmap_mean is not None and agreement.heatmap_lowest is not None:
        yield (
            "Heat maps' correlation",
            f"{agreement.heatmap_mean:.5f} on average, {agreement.heatmap_lowest:.5f} at the least",
        )
    if agreement.unfamiliar_same is not None:
        yield 'Same "none of these"', f"{agreement.unfamiliar_same:.2%}"


def _quality(receipt: Receipt) -> Iterator[tuple[str, str]]:
    quality = receipt.quality
    if quality is None:
        return
    name = quality.measure.capitalize()
    if quality.measure == "mean absolute error":
        yield f"{name}, brain", f"{quality.brain.value:.5g}"
        yield f"{name}, export", f"{quality.export.value:.5g}"
        yield "Growth of the error", _share(quality.lost)
        return
    yield f"{name}, brain", _share(quality.brain)
    yield f"{name}, export", _share(quality.export)
    yield "Lost, photo by photo", _share(quality.lost)
    if quality.calibration_brain is not None and quality.calibration_export is not None:
        yield (
            "Calibration error",
            f"{quality.calibration_export:.2%}; the brain {quality.calibration_brain:.2%}",
        )


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.2%} (95 %: {estimate.low:.2%} to {estimate.high:.2%})"
