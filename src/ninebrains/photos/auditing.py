"""The audit: what is in a data set and what to look at before trusting a model trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ninebrains.photos.checks import (
    Section,
    duplicate_sections,
    look_sections,
    suspects_section,
)
from ninebrains.photos.dataset import Dataset, Problem, Task, printable
from ninebrains.photos.duplicates import Duplicates, duplicate_groups
from ninebrains.photos.facts import PhotoFacts
from ninebrains.photos.splitting import Split

_LINES = 10  # findings shown in text, for each kind


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        root: the data set's folder.
        task: what can be learnt, None without labels.
        num_photos: readable ones.
        counts: photos by label, in all and by part: `{label: {"all": 3, "train": 2, "test": 1}}`.
        targets: smallest, median and largest number (regress).
        unreadable: files, folders and rows that could not be used.
        ignored: files passed over, by kind.
        sections: findings by kind, the serious ones first.
        notes: on the split.
    """

    root: Path
    task: Task | None
    num_photos: int
    counts: Mapping[str, Mapping[str, int]]
    targets: tuple[float, float, float] | None
    unreadable: tuple[Problem, ...]
    ignored: Mapping[str, int]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def imbalance(self) -> float | None:
        """Photos of the largest class to those of the smallest; None for fewer than two classes."""
        sizes = [parts["all"] for parts in self.counts.values()]
        return max(sizes) / max(1, min(sizes)) if len(sizes) > 1 else None

    @property
    def summary(self) -> str:
        """One line: how much there is, and what to look at."""
        what = f"{self.num_photos:,} photo{'' if self.num_photos == 1 else 's'}"
        if self.counts:
            what += f" in {len(self.counts):,} class{'' if len(self.counts) == 1 else 'es'}"
        if self.imbalance is not None:
            what += f", {self.imbalance:.1f}:1 from largest to smallest"
        found = [f"not usable ({len(self.unreadable):,})"] if self.unreadable else []
        found += [
            f"{section.title[0].lower()}{section.title[1:]} ({len(section.findings):,})"
            for section in self.sections
            if section.findings
        ]
        return f"{what}. To look at: {', '.join(found)}." if found else f"{what}. Nothing to mend."

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; names are printable."""
        return {
            "root": printable(str(self.root)),
            "task": self.task,
            "summary": self.summary,
            "num_photos": self.num_photos,
            "labels": {label: dict(parts) for label, parts in self.counts.items()},
            "imbalance": self.imbalance,
            "targets": list(self.targets) if self.targets else None,
            "unreadable": [vars(problem) for problem in self.unreadable],
            "ignored": dict(self.ignored),
            "notes": list(self.notes),
            "findings": {
                section.key: [
                    {
                        "photos": [printable(photo.name) for photo in finding.photos],
                        "note": finding.note,
                    }
                    for finding in section.findings
                ]
                for section in self.sections
            },
        }

    def to_text(self) -> str:
        """The audit in plain lines, for a terminal or a mail."""
        lines = [printable(str(self.root)), self.summary, ""]
        if self.counts:
            lines += [*_table(self.counts), ""]
        if self.targets:
            lines += [
                "numbers from {:g} to {:g}, half below {:g}".format(*_spread(self.targets)),
                "",
            ]
        if self.ignored:
            kinds = ", ".join(f"{kind} ({count:,})" for kind, count in self.ignored.items())
            lines += [f"Ignored: {kinds}", ""]
        lines += [f"Note: {note}" for note in self.notes]
        if self.unreadable:
            lines += [f"Could not be used ({len(self.unreadable):,})"]
            lines += _some([f"  {problem.name}: {problem.reason}" for problem in self.unreadable])
            lines += [""]
        for section in self.sections:
            if section.findings:
                mark = " !" if section.serious else ""
                lines += [f"{section.title} ({len(section.findings):,}){mark}", section.meaning]
                lines += _some(
                    [
                        f"  {', '.join(printable(photo.name) for photo in finding.photos[:4])}"
                        f"{' ...' if len(finding.photos) > 4 else ''}: {finding.note}"
                        for finding in section.findings
                    ]
                )
                lines += [""]
        return "\n".join(lines).rstrip() + "\n"

    def to_html(self) -> str:
        """One page that needs nothing else, with thumbnails read from the photos (see `pages`)."""
        from ninebrains.photos.pages import audit_page

        return audit_page(self)


def audit(
    dataset: Dataset,
    facts: Sequence[PhotoFacts | None],
    problems: Iterable[Problem] = (),
    split: Split | None = None,
    suspects: Iterable[tuple[str, str, str, float]] = (),
    *,
    duplicates: Duplicates | None = None,
) -> Audit:
    """Look a data set over. Nothing is moved, changed or deleted.

    Args:
        dataset: N photos.
        facts: N facts, None for photos that could not be read.
        problems: what `examine_all` could not read; the data set's own problems are added.
        split: how it was or would be split; only its counts and notes are reported.
        suspects: (photo name, given label, suggested label, label quality 0 to 1), worst first,
            from training.
        duplicates: of the facts, where they have been found already.
    """
    looks = [
        (photo, fact) for photo, fact in zip(dataset.photos, facts, strict=True) if fact is not None
    ]
    sections = [
        *duplicate_sections(dataset, facts, duplicates or duplicate_groups(facts)),
        suspects_section(dataset, suspects),
        *look_sections(looks),
    ]
    targets = [photo.target for photo, _ in looks if photo.target is not None]
    return Audit(
        root=dataset.root,
        task=dataset.task,
        num_photos=len(looks),
        counts=_counts(dataset, facts, split),
        targets=((min(targets), float(np.median(targets)), max(targets)) if targets else None),
        unreadable=(*dataset.problems, *problems),
        ignored=dict(dataset.ignored),
        sections=tuple(sections),
        notes=tuple(split.notes) if split else (),
    )


def _counts(
    dataset: Dataset, facts: Sequence[PhotoFacts | None], split: Split | None
) -> dict[str, dict[str, int]]:
    part_of: dict[int, str | None] = {i: photo.split for i, photo in enumerate(dataset.photos)}
    if split is not None and not split.given:
        part_of = {**dict.fromkeys(split.train, "train"), **dict.fromkeys(split.test, "test")}
    counts = {label: Counter[str]() for label in dataset.labels}
    for index, photo in enumerate(dataset.photos):
        for label in photo.labels if facts[index] is not None else ():
            counts[label].update(["all", part] if (part := part_of.get(index)) else ["all"])
    order = ("all", "train", "val", "test")
    used = {part for parts in counts.values() for part in parts} | {"all"}
    return {
        label: {part: parts[part] for part in order if part in used}
        for label, parts in counts.items()
    }


def _table(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    width = max(len("label"), *(len(label) for label in counts))
    columns = list(next(iter(counts.values())))
    lines = [f"{'label':<{width}}" + "".join(f"{column:>9}" for column in columns)]
    for label, parts in counts.items():
        lines.append(f"{label:<{width}}" + "".join(f"{parts[part]:>9,}" for part in columns))
    return lines


def _spread(targets: tuple[float, float, float]) -> tuple[float, float, float]:
    return targets[0], targets[2], targets[1]


def _some(lines: list[str]) -> list[str]:
    rest = len(lines) - _LINES
    return lines if rest <= 0 else [*lines[:_LINES], f"  ... and {rest:,} more"]
