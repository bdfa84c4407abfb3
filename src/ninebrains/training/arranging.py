"""Photos of a data set and their features to a study: what is learnt from, in which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Label
from ninebrains.errors import DataError
from ninebrains.photos import (
    Audit,
    Dataset,
    Duplicates,
    Split,
    audit,
    duplicate_groups,
    learn_from_all,
    require_distinct,
    require_trainable,
    split_photos,
)
from ninebrains.training.extracting import Extraction
from ninebrains.training.recipe import Recipe
from ninebrains.training.studying import Study
from ninebrains.training.targets import make_labels, make_targets


@dataclass(frozen=True)
class Material:
    """A data set and what a trunk made of it. Rows of all of it agree.

    Attributes:
        dataset: the photos that could be read.
        extraction: their features and facts.
        duplicates: which of them are copies of each other.
        split: which are learnt from, and which are measured on.
        study: the same as numbers.
    """

    dataset: Dataset
    extraction: Extraction
    duplicates: Duplicates
    split: Split
    study: Study

    def audit(self) -> Audit:
        """What is odd about the photos and their labels."""
        dataset, facts = self.dataset, self.extraction.facts
        return audit(dataset, facts, dataset.problems, self.split, duplicates=self.duplicates)


def arrange(
    dataset: Dataset,
    extraction: Extraction,
    recipe: Recipe,
    *,
    labels: Sequence[Label] | None = None,
    holds_out: bool = True,
) -> Material:
    """Split a data set, and put what there is to learn into matrices.

    Args:
        dataset: of which features were extracted.
        extraction: of its photos.
        recipe: seed and share of the split, where the data set came without one.
        labels: in the order of the data set's; by default made from their names.
        holds_out: whether there is a part to measure on; else every photo is learnt from.

    Raises:
        DataError: of the photos that can be read nothing can be learnt.
    """
    dataset = _readable(dataset, extraction)
    duplicates = duplicate_groups(extraction.facts)
    if holds_out:
        split = split_photos(
            dataset,
            extraction.facts,
            test_share=recipe.test_share,
            seed=recipe.seed,
            duplicates=duplicates,
        )
    else:
        split = learn_from_all(dataset, extraction.facts, duplicates)
    study = _make_study(dataset, extraction, split, labels)
    return Material(dataset, extraction, duplicates, split, study)


def _readable(dataset: Dataset, extraction: Extraction) -> Dataset:
    """The photos that could be read, after checking again that they can be learnt from.

    Raises:
        DataError: too little is left.
    """
    problems = (*dataset.problems, *extraction.problems)
    photos = tuple(dataset.photos[place] for place in extraction.places)
    if not photos:
        first = f" The first: {problems[0].name}: {problems[0].reason}" if problems else ""
        raise DataError(f"none of the {len(dataset.photos)} photos could be read.{first}")
    readable = replace(dataset, photos=photos, problems=problems)
    require_trainable(readable, dataset.task)
    require_distinct(readable, extraction.facts)
    return readable


def _make_study(
    dataset: Dataset, extraction: Extraction, split: Split, labels: Sequence[Label] | None
) -> Study:
    """Rows in the order of their content, so that file names decide nothing.

    Test photos of which training holds a copy are not measured on.
    """
    assert dataset.task is not None

    def by_content(rows: Sequence[int]) -> npt.NDArray[np.int64]:
        keyed = [(extraction.facts[row].sha256, dataset.photos[row].labels, row) for row in rows]
        return np.array([row for *_, row in sorted(keyed)], np.int64)

    copies = np.array(split.groups, np.int64)
    train, test = by_content(split.train), by_content(split.test)
    return Study(
        task=dataset.task,
        labels=labels or make_labels(dataset.task, dataset.labels),
        features=extraction.features,
        mirrored=extraction.mirrored,
        targets=make_targets(dataset.task, dataset.photos, dataset.labels),
        copies=_numbered(copies, np.concatenate([train, test])),
        train=train,
        test=test[~np.isin(copies[test], copies[train])],
    )


def _numbered(copies: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same groups, numbered by their first appearance in `order`."""
    names, first = np.unique(copies[order], return_index=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(first)] = np.arange(len(names))
    numbers = np.full(len(copies), -1, np.int64)
    numbers[order] = rank[np.searchsorted(names, copies[order])]
    return numbers
