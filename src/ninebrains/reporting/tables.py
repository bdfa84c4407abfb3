"""Tables of the page: labels, confusions and the data audit, as plain rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Label, LabelQuality, Metrics
from ninebrains.training.record import Record

MOST_CONFUSED_LABELS = 30
_WORST_CONFUSIONS = 20
_HEATS = 9  # steps of colour in the matrix, defined in style.css

_FINDINGS = {
    "leaks": ("in both train and test", True),
    "conflicts": ("the same photo under two labels", True),
    "exact_duplicates": ("exact copies", False),
    "near_duplicates": ("near copies", False),
    "suspected_labels": ("suspected label errors", False),
    "odd_sizes": ("odd sizes", False),
    "dark": ("very dark", False),
    "bright": ("very bright", False),
    "blurred": ("blurred", False),
}


@dataclass(frozen=True)
class Cell:
    """Photos with one given and one answered label; `heat` is the share of the row, 0 to 9."""

    count: int
    heat: int
    is_right: bool
    answered: str


@dataclass(frozen=True)
class Confusion:
    """Photos of one label that were answered as another."""

    given: str
    answered: str
    count: int
    share: float


@dataclass(frozen=True)
class LabelRow:
    """One label's name and how it did."""

    name: str
    quality: LabelQuality


@dataclass(frozen=True)
class Finding:
    """One kind of thing that the audit found, and how often."""

    name: str
    count: int
    is_serious: bool


@dataclass(frozen=True)
class DataSummary:
    """The data set in numbers; `counts` holds (label, photos), the largest first."""

    num_train: int
    num_test: int
    num_skipped: int
    counts: tuple[tuple[str, int], ...]
    imbalance: float | None
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def confusion_matrix(metrics: Metrics, labels: Sequence[Label]) -> list[tuple[str, list[Cell]]]:
    """Rows by given label, or nothing where there are too many labels for a table."""
    if not metrics.confusion or len(labels) > MOST_CONFUSED_LABELS:
        return []
    rows = []
    for given, counts in zip(labels, metrics.confusion, strict=True):
        total = max(sum(counts), 1)
        cells = [
            Cell(
                number,
                0 if not number else max(1, round(_HEATS * number / total)),
                given.index == answered.index,
                answered.name,
            )
            for answered, number in zip(labels, counts, strict=True)
        ]
        rows.append((given.name, cells))
    return rows


def worst_confusions(
    metrics: Metrics, labels: Sequence[Label], record: Record | None
) -> list[Confusion]:
    """Pairs of labels that were mixed up most often, the most frequent first."""
    counts: Counter[tuple[int, int]] = Counter()
    if metrics.confusion:
        for given, row in enumerate(metrics.confusion):
            counts.update({(given, answered): number for answered, number in enumerate(row)})
    elif record is not None:
        counts.update(
            (outcome.given[0], outcome.answer)
            for outcome in record.outcomes
            if outcome.split == "test" and outcome.given and outcome.answer is not None
        )
    totals: Counter[int] = Counter()
    for (given, _), number in counts.items():
        totals[given] += number
    wrong = [
        (-number, given, answered)
        for (given, answered), number in counts.items()
        if number and given != answered
    ]
    return [
        Confusion(labels[given].name, labels[answered].name, -number, -number / totals[given])
        for number, given, answered in sorted(wrong)[:_WORST_CONFUSIONS]
    ]


def label_rows(metrics: Metrics, labels: Sequence[Label]) -> list[LabelRow]:
    """How each label did: in their own order, or the worst first when they are many."""
    names = {label.id: label.name for label in labels}
    rows = [LabelRow(names.get(item.label_id, item.label_id), item) for item in metrics.labels]
    if len(rows) <= MOST_CONFUSED_LABELS:
        return rows

    def key(row: LabelRow) -> float:
        quality = row.quality
        value = quality.f1 if quality.average_precision is None else quality.average_precision
        return 2.0 if value is None else value

    return sorted(rows, key=key)


def summarise_data(brain: Brain, record: Record | None) -> DataSummary:
    """The data set from the record's audit, or from the brain alone where there is no record."""
    audit: Mapping[str, object] = record.audit if record else {}
    training = brain.manifest.training
    counts = _label_counts(audit) or (dict(training.num_per_label) if training else {})
    sizes = list(counts.values())
    findings = audit.get("findings")
    unreadable = _dicts(audit.get("unreadable"))
    parts: Counter[str] = (
        Counter(outcome.split for outcome in record.outcomes)
        if record
        else (Counter({"train": training.num_train, "test": training.num_test} if training else {}))
    )
    skipped = len(unreadable) if audit else training.num_skipped if training else 0
    notes = audit.get("notes")
    return DataSummary(
        parts["train"],
        parts["test"],
        skipped,
        tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        max(sizes) / max(min(sizes), 1) if len(sizes) > 1 else None,
        tuple(_found(findings)) if isinstance(findings, dict) else (),
        tuple((str(item.get("name", "?")), str(item.get("reason", ""))) for item in unreadable),
        tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _label_counts(audit: Mapping[str, object]) -> dict[str, int]:
    labels = audit.get("labels")
    if not isinstance(labels, dict):
        return {}
    return {
        str(name): int(parts.get("all", 0))
        for name, parts in labels.items()
        if isinstance(parts, dict)
    }


def _found(findings: Mapping[str, object]) -> list[Finding]:
    found = []
    for key, items in findings.items():
        name, serious = _FINDINGS.get(key, (str(key).replace("_", " "), False))
        if isinstance(items, list) and items and key != "suspected_labels":
            found.append(Finding(name, len(items), serious))
    return found


def _dicts(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
