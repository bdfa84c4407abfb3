"""A test part that the recipe never sees: fair to every class, without training photos."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ninebrains.photos.dataset import Dataset, fitting_photos, held_out_part
from ninebrains.photos.duplicates import Duplicates, duplicate_groups
from ninebrains.photos.facts import PhotoFacts

_SMALL_CLASS = 5
_PHOTOS_PER_QUANTILE = 10
_MOST_QUANTILES = 10

_Unit = list[int]
"""Indices of photos that must stay together."""


@dataclass(frozen=True)
class Split:
    """Which photos to learn from, and which to measure on.

    Attributes:
        train: indices into the data set's photos, ascending.
        test: likewise.
        given: whether the data set came with this split.
        groups: for each photo of the data set the number of its group; copies of one photo share
            it, and whoever leaves a photo out should leave its group out. -1 for unusable photos.
        notes: what people should know about it, in sentences.
    """

    train: list[int]
    test: list[int]
    given: bool
    groups: list[int]
    notes: list[str] = field(default_factory=list)


def split_photos(
    dataset: Dataset,
    facts: Sequence[PhotoFacts | None],
    *,
    test_share: float = 0.2,
    seed: int = 0,
    duplicates: Duplicates | None = None,
) -> Split:
    """Split a data set into train and test, or respect the split it came with.

    Without a given split every class (or label, or range of the target) gives about `test_share` of
    its photos to the test. Exact and near duplicates stay together. The result depends on the
    photos' contents, the labels and the seed, not on names or the order in which files were found.

    Args:
        dataset: N photos.
        facts: N facts; photos without (None) are in neither part.
        test_share: 0 to 1, of the photos.
        seed: another seed gives another test part.
        duplicates: of the facts, where they have been found already.

    Raises:
        ValueError: `test_share` is not between 0 and 1.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is between 0 and 1, not {test_share}")
    usable = [index for index, fact in enumerate(facts) if fact is not None]
    order = sorted(usable, key=lambda index: _content(dataset, facts, index))
    units, notes = _units(dataset, facts, order, duplicates or duplicate_groups(facts))
    groups = _numbered(units, len(facts))
    if held_out_part(dataset.photos[index] for index in usable):
        return _given(dataset, usable, groups)
    rng = np.random.default_rng(seed)
    if dataset.task == "multilabel":
        test = _iterative(dataset, units, test_share, rng)
    else:
        strata = _strata(dataset, units)
        test = set()
        untested: list[str] = []
        for name in sorted(strata):
            chosen, short = _draw(strata[name], test_share, rng)
            test.update(chosen)
            if short and dataset.task == "classify":
                untested.append(repr(name))
        if untested:
            names = ", ".join(untested[:8]) + (" and others" if len(untested) > 8 else "")
            notes.append(f"Too few different photos to test on any: {names}.")
    train = [index for index in usable if index not in test]
    return Split(train, sorted(test), given=False, groups=groups, notes=notes)


def learn_from_all(
    dataset: Dataset,
    facts: Sequence[PhotoFacts | None],
    duplicates: Duplicates | None = None,
) -> Split:
    """The split without a test part; copies have the same groups as in `split_photos`."""
    usable = [index for index, fact in enumerate(facts) if fact is not None]
    order = sorted(usable, key=lambda index: _content(dataset, facts, index))
    units, notes = _units(dataset, facts, order, duplicates or duplicate_groups(facts))
    groups = _numbered(units, len(facts))
    return Split(usable, [], given=True, groups=groups, notes=notes)


def _numbered(units: list[_Unit], num_photos: int) -> list[int]:
    """The number of each photo's unit, -1 for photos in none."""
    groups = [-1] * num_photos
    for number, unit in enumerate(units):
        for index in unit:
            groups[index] = number
    return groups


def _content(
    dataset: Dataset, facts: Sequence[PhotoFacts | None], index: int
) -> tuple[str, tuple[str, ...], float]:
    fact, photo = facts[index], dataset.photos[index]
    return (fact.sha256 if fact else "", photo.labels, photo.target or 0.0)


def _given(dataset: Dataset, usable: list[int], groups: list[int]) -> Split:
    photos = [dataset.photos[index] for index in usable]
    train = [usable[position] for position in fitting_photos(photos)]
    notes = [] if train else ["There are test photos only, none to learn from."]
    part, kinds = held_out_part(photos), Counter(photo.split for photo in photos)
    if part == "val":
        notes.append(f"There is no test part: the {kinds['val']:,} val photos are the test.")
    elif kinds["val"]:
        notes.append(f"The {kinds['val']:,} val photos are used for training.")
    if kinds[None]:
        notes.append(f"{kinds[None]:,} photos without a given part are used for training.")
    chosen = set(train)
    test = [index for index in usable if index not in chosen]
    return Split(train, test, given=True, groups=groups, notes=notes)


def _units(
    dataset: Dataset,
    facts: Sequence[PhotoFacts | None],
    order: list[int],
    duplicates: Duplicates,
) -> tuple[list[_Unit], list[str]]:
    """Photos that must stay together, in canonical order; and what was decided about them."""
    dissolved: set[int] = set()
    notes: list[str] = []
    sizes = Counter(_stratum(dataset, index) for index in order)
    for group in duplicates.near:
        name, count = Counter(_stratum(dataset, index) for index in group).most_common(1)[0]
        different = len({fact.sha256 for index in group if (fact := facts[index])})
        if sizes[name] >= _SMALL_CLASS and 2 * count > sizes[name] and different > 1:
            dissolved.update(group)
            notes.append(
                f"{count:,} of {sizes[name]:,} photos{f' of {name!r}' if name else ''} look nearly "
                "the same (one camera, one place?): only exact copies were kept apart, so the "
                "test result may be too good."
            )
    unit_of = {index: (0, index) for index in order}
    for kind, groups in ((1, duplicates.exact), (2, duplicates.near)):
        for group in groups:
            if kind == 1 or group[0] not in dissolved:
                unit_of.update(dict.fromkeys(group, (kind, group[0])))
    units: dict[tuple[int, int], _Unit] = defaultdict(list)
    for index in order:
        units[unit_of[index]].append(index)
    return list(units.values()), notes


def _stratum(dataset: Dataset, index: int) -> str:
    return " + ".join(dataset.photos[index].labels)


def _strata(dataset: Dataset, units: list[_Unit]) -> dict[str, list[_Unit]]:
    """Units by class, or by range of the target for regression; mixed units by their commonest."""
    strata: dict[str, list[_Unit]] = defaultdict(list)
    if dataset.task == "regress":
        middle = [
            float(np.mean([dataset.photos[index].target or 0.0 for index in unit]))
            for unit in units
        ]
        ranked = sorted(range(len(units)), key=lambda position: middle[position])
        num = max(1, min(_MOST_QUANTILES, len(units) // _PHOTOS_PER_QUANTILE))
        for rank, position in enumerate(ranked):
            strata[f"{rank * num // len(units):02d}"].append(units[position])
        return strata
    for unit in units:
        names = Counter(_stratum(dataset, index) for index in unit)
        strata[min(names, key=lambda name: (-names[name], name))].append(unit)
    return strata


def _draw(units: list[_Unit], share: float, rng: np.random.Generator) -> tuple[_Unit, bool]:
    """Test photos of one class, and whether it has too few units to give any."""
    num = sum(map(len, units))
    least = 3 if num < _SMALL_CLASS else 2
    if len(units) < least:
        return [], True
    wanted = 1 if num < _SMALL_CLASS else max(1, min(round(share * num), num - 2))
    shuffled = [units[position] for position in rng.permutation(len(units))]
    chosen: _Unit = []
    for unit in shuffled:
        if len(chosen) + len(unit) <= wanted:
            chosen += unit
    # Every group is larger than the part wanted: the smallest one is the nearest to it.
    return chosen or min(shuffled, key=len), False


def _iterative(
    dataset: Dataset, units: list[_Unit], share: float, rng: np.random.Generator
) -> set[int]:
    """Split photos with several labels each, the rarest label first.

    Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", 2011:
    each unit goes to the part that still lacks most photos of the rarest label.
    """
    counts = [_label_counts(dataset, unit) for unit in units]
    total = sum(counts, Counter[str]())
    lacking = {
        test: {label: part * count for label, count in total.items()}
        for test, part in ((True, share), (False, 1 - share))
    }
    test: set[int] = set()
    left = {int(position): None for position in rng.permutation(len(units))}
    remaining = total.copy()
    while left:
        rarest = min(
            (label for label in remaining if remaining[label] > 0),
            key=lambda label: (remaining[label], label),
        )
        for position in [position for position in left if counts[position][rarest]]:
            to_test = lacking[True][rarest] > lacking[False][rarest]
            if to_test:
                test.update(units[position])
            for label, count in counts[position].items():
                lacking[to_test][label] -= count
                remaining[label] -= count
            del left[position]
    return test


def _label_counts(dataset: Dataset, unit: Iterable[int]) -> Counter[str]:
    """How many photos of a unit have each label; photos without any count as having label ""."""
    return Counter(label for index in unit for label in dataset.photos[index].labels or ("",))
