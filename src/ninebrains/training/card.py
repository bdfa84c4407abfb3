"""The model card that travels with a brain (Mitchell et al. 2019), written from its manifest."""

from __future__ import annotations

from ninebrains.brains.manifest import Estimate, LabelQuality, Manifest

_WORST = 5
_HEADS = {
    "ridge": "ridge regression",
    "logistic": "logistic regression",
    "mean": "the mean of ridge and logistic regression",
}
_INTENDED_USE = (
    "Photos like those it was trained on, taken in the same way. An answer with `unfamiliar` above "
    "1.0 is about a photo unlike them and should not be used. Do not use it for decisions about "
    "people without having measured it on the people concerned."
)


def write_card(manifest: Manifest) -> str:
    """`card.md`: trained on what, how good, for whom it works less well, intended use."""
    lines = [f"# {manifest.name}", "", _purpose(manifest), "", "## Trained on", ""]
    lines += _trained_on(manifest)
    lines += ["", "## How good it is", ""]
    lines += _quality(manifest)
    lines += ["", "## Where it works less well", ""]
    lines += _weak_spots(manifest)
    lines += [
        "",
        "## Intended use",
        "",
        _INTENDED_USE,
        "",
    ]
    return "\n".join(lines)


def _purpose(manifest: Manifest) -> str:
    names = ", ".join(label.name for label in manifest.labels[:12])
    more = f" and {len(manifest.labels) - 12} more" if len(manifest.labels) > 12 else ""
    what = {
        "classify": f"Says which of these a photo shows: {names}{more}.",
        "multilabel": f"Says which of these apply to a photo: {names}{more}.",
        "regress": f"Measures in a photo: {names}{more}.",
    }
    return what[manifest.task]


def _trained_on(manifest: Manifest) -> list[str]:
    training = manifest.training
    if training is None:
        return ["Unknown."]
    split = (
        "its own test part" if training.split == "given" else "a random part held out for testing"
    )
    photos = f"{training.num_train} photos, with {training.num_test} more as {split}"
    lines = [
        f"{photos}; {training.num_skipped} could not be read.",
        f"Trunk `{manifest.trunk.name}`, frozen; a linear head ({_HEADS[training.head.head]}).",
        "",
    ]
    lines += [f"- {name}: {count} photos" for name, count in training.num_per_label.items()]
    return lines


def _quality(manifest: Manifest) -> list[str]:
    metrics = manifest.metrics
    if metrics is None:
        return ["Not measured."]
    lines = [metrics.verdict]
    if metrics.accuracy is not None:
        lines.append(f"- Accuracy: {_share(metrics.accuracy)}")
    if metrics.top5 is not None:
        lines.append(f"- Among its five best guesses: {_share(metrics.top5)}")
    if metrics.mean_average_precision is not None:
        lines.append(f"- Mean average precision: {metrics.mean_average_precision:.3f}")
    if metrics.mae is not None:
        low, high = metrics.mae.low, metrics.mae.high
        lines.append(f"- Mean error: {metrics.mae.value:.4g} (95 %: {low:.4g} to {high:.4g})")
    if metrics.learning_curve is not None:
        lines.append(f"- {metrics.learning_curve.verdict}")
    return lines


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} (95 %: {estimate.low:.1%} to {estimate.high:.1%})"


def _weak_spots(manifest: Manifest) -> list[str]:
    metrics = manifest.metrics
    names = {label.id: label.name for label in manifest.labels}
    measured = [
        quality for quality in (metrics.labels if metrics else []) if _figure(quality) is not None
    ]
    if not measured:
        return ["Not measured by label."]
    worst = sorted(measured, key=lambda quality: (_figure(quality) or 0.0, quality.label_id))
    return [
        f"- {names.get(quality.label_id, quality.label_id)}: "
        f"{'recall' if quality.average_precision is None else 'average precision'} "
        f"{_figure(quality):.0%} on {quality.support} photos"
        for quality in worst[:_WORST]
    ]


def _figure(quality: LabelQuality) -> float | None:
    return quality.recall if quality.average_precision is None else quality.average_precision
