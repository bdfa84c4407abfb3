"""The questions that an audit asks of a data set, each answered with the photos to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ninebrains.photos.dataset import Dataset, Photo, printable
from ninebrains.photos.duplicates import Duplicates
from ninebrains.photos.facts import PhotoFacts

# Fixed limits, checked by eye on pets, clothes and street scenes: they name none to three photos in
# a thousand, and those are what the words say.
DARK, BRIGHT, BLURRED = 0.1, 0.9, 0.1
SMALLEST_SIDE, LARGEST_ASPECT, UNLIKE_REST = 32, 4.0, 4.0


@dataclass(frozen=True)
class Finding:
    """Photos to look at together, and why (printable)."""

    photos: tuple[Photo, ...]
    note: str


@dataclass(frozen=True)
class Section:
    """All findings of one kind.

    Attributes:
        key: its name for programs.
        title: its name for people.
        meaning: what it does to a model and what to do, in a sentence or two.
        serious: whether measured numbers cannot be trusted while it is so.
        findings: the worst first.
    """

    key: str
    title: str
    meaning: str
    serious: bool
    findings: tuple[Finding, ...]


Look = tuple[Photo, PhotoFacts]


def duplicate_sections(
    dataset: Dataset, facts: Sequence[PhotoFacts | None], duplicates: Duplicates
) -> list[Section]:
    """Copies between the given parts, copies under two labels, exact copies, look-alikes."""
    photos = dataset.photos
    exact = [tuple(photos[index] for index in group) for group in duplicates.exact]
    near = [tuple(photos[index] for index in group) for group in duplicates.near]
    contents = [
        {fact.sha256 for index in group if (fact := facts[index])} for group in duplicates.near
    ]
    alike = [group for group, content in zip(near, contents, strict=True) if len(content) > 1]
    return [
        Section(
            "leaks",
            "Copies in both train and test",
            "A model is tested on photos that it learnt by heart, so its result is too good. Leave "
            "them in one part only.",
            True,
            tuple(_differing(near, lambda photo: photo.split or "train")),
        ),
        Section(
            "conflicts",
            "The same photo under two labels",
            "At least one of the labels is wrong, unless several are meant to apply.",
            True,
            tuple(_differing(near, _given)),
        ),
        Section(
            "exact_duplicates",
            "Exact copies",
            "The same file more than once. Copies count more than other photos; one is enough.",
            False,
            tuple(Finding(group, f"{len(group)} files with the same content") for group in exact),
        ),
        Section(
            "near_duplicates",
            "Near copies",
            "Saved again, resized, cut a little, or shot in one burst. A split made here keeps "
            "them together.",
            False,
            tuple(Finding(group, f"{len(group)} photos look the same") for group in alike),
        ),
    ]


def _differing(
    groups: Iterable[tuple[Photo, ...]], say: Callable[[Photo], str]
) -> Iterable[Finding]:
    for group in groups:
        said = Counter(map(say, group))
        if len(said) > 1:
            yield Finding(group, ", ".join(f"{count} in {what}" for what, count in said.items()))


def _given(photo: Photo) -> str:
    if photo.target is not None:
        return f"{photo.target:g}"
    return " + ".join(photo.labels) or "no label"


def look_sections(looks: Sequence[Look]) -> list[Section]:
    """Odd sizes, very dark, very bright and blurred photos."""
    return [
        Section(
            "odd_sizes",
            "Odd sizes",
            f"Tiny (a side under {SMALLEST_SIDE} pixels), very long (over {LARGEST_ASPECT:g}:1), "
            f"or over {UNLIKE_REST:g} times larger or smaller than most. "
            "Fine if new photos are so too.",
            False,
            tuple(_odd_sizes(looks)),
        ),
        _extreme(
            looks,
            "dark",
            "Very dark",
            f"Mean brightness under {DARK:.0%}.",
            lambda fact: (DARK - fact.brightness, f"brightness {fact.brightness:.0%}"),
        ),
        _extreme(
            looks,
            "bright",
            "Very bright",
            f"Mean brightness over {BRIGHT:.0%}.",
            lambda fact: (fact.brightness - BRIGHT, f"brightness {fact.brightness:.0%}"),
        ),
        _extreme(
            looks,
            "blurred",
            "Blurred",
            "Not sharp anywhere, or of one colour only. Keep them if new photos will be so too.",
            lambda fact: (BLURRED - fact.sharpness, f"sharpness {fact.sharpness:.2f}"),
        ),
    ]


def _extreme(
    looks: Sequence[Look],
    key: str,
    title: str,
    meaning: str,
    judge: Callable[[PhotoFacts], tuple[float, str]],
) -> Section:
    """Photos for which `judge` gives more than 0, the largest first."""
    judged = [(*judge(fact), photo) for photo, fact in looks]
    worst = sorted(
        (item for item in judged if item[0] > 0), key=lambda item: (-item[0], item[2].name)
    )
    findings = tuple(Finding((photo,), note) for _, note, photo in worst)
    return Section(key, title, meaning, False, findings)


def _odd_sizes(looks: Sequence[Look]) -> Iterable[Finding]:
    sides = np.array([(fact.width * fact.height) ** 0.5 for _, fact in looks])
    usual = float(np.median(sides)) if len(sides) else 1.0
    for (photo, fact), side in zip(looks, sides, strict=True):
        size = f"{fact.width} x {fact.height}"
        short, long = sorted((fact.width, fact.height))
        if short < SMALLEST_SIDE:
            yield Finding((photo,), f"{size}: tiny")
        elif long > LARGEST_ASPECT * short:
            yield Finding((photo,), f"{size}: very long")
        elif max(side / usual, usual / side) > UNLIKE_REST:
            kind = "larger" if side > usual else "smaller"
            yield Finding((photo,), f"{size}: much {kind} than most")


def suspects_section(dataset: Dataset, suspects: Iterable[tuple[str, str, str, float]]) -> Section:
    """Photos whose labels a trained model doubts: (name, given, suggested, quality) each."""
    by_name = {photo.name: photo for photo in dataset.photos}
    findings = tuple(
        Finding(
            (by_name.get(name) or Photo(dataset.root / name, name),),
            printable(f"labelled {given}, looks like {suggested} (label quality {quality:.2f})"),
        )
        for name, given, suggested, quality in suspects
    )
    return Section(
        "suspected_labels",
        "Suspected label errors",
        "A model that had not seen these photos answered something else. Look at each and correct "
        "those that are wrong.",
        False,
        findings,
    )
