"""What somebody says that a photo shows, from what they sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ninebrains.brains.manifest import Label, Manifest, find_label
from ninebrains.errors import MissingError, RequestError
from ninebrains.photos import printable
from ninebrains.serving.catalog import Version
from ninebrains.serving.predictions import Prediction

NONE = ""
"""Stands for "none of these" where a label's id would stand."""

_LONGEST_LABEL = 200
_SHOWN_LABELS = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be known of a version to understand feedback on its answers.

    Attributes:
        task: `classify`, `multilabel` or `regress`; "" for a network from elsewhere.
        labels: by index.
    """

    task: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a photo shows, as somebody says.

    Attributes:
        label_id: of the label; its name where it is new; `NONE` for none of these.
        label: its name, "" for none of these.
        is_new: whether the version that answered has no such label.
        is_confirmed: whether that is what was answered.
    """

    label_id: str
    label: str
    is_new: bool
    is_confirmed: bool


def facts_of(version: Version) -> Facts:
    """What has to be known of a version.

    Raises:
        MissingError: it was not loaded yet.
    """
    facts = version.facts
    if facts is None:
        raise MissingError(f"{version.name}@{version.number} was not loaded here yet")
    task = facts.task if isinstance(facts, Manifest) else ""
    return Facts(task, tuple(facts.labels))


def understand(
    prediction: Prediction,
    facts: Facts,
    *,
    rank: int | None = None,
    label: str | None = None,
    none: bool = False,
) -> Truth:
    """What was meant.

    Confirmed is what is the same as the answer that was given: its top label, or "none of these"
    where that was the answer.

    Args:
        prediction: what was answered.
        facts: of the version that answered.
        rank: 1 for the top label of the answer, 2 for the next, …
        label: a label's name or id. Any other text is a new label: people know things that the
            brain has not learnt yet.
        none: none of these.

    Raises:
        RequestError: not exactly one of the three was given, or it cannot be.
    """
    if (rank is not None) + (label is not None) + none != 1:
        raise RequestError(
            "feedback says one of `rank` (1 for the top label), `label` (a name or id) or "
            "`none` (true: none of these); expected exactly one of them"
        )
    if not facts.labels or facts.task == "regress":
        raise RequestError(
            f"{prediction.name}@{prediction.number} names no labels, so there is no feedback on "
            "its answers"
        )
    if none:
        return Truth(NONE, "", is_new=False, is_confirmed=prediction.is_rejected)
    found = _ranked(prediction, facts.labels, rank) if rank is not None else None
    if found is None:
        assert label is not None
        text = label.strip()
        try:
            found = find_label(facts.labels, text)
        except KeyError:
            return _new(text)
    is_top = prediction.labels[:1] == (found.index,)
    return Truth(found.id, found.name, False, is_top and not prediction.is_rejected)


def _ranked(prediction: Prediction, labels: Sequence[Label], rank: int) -> Label:
    if not 1 <= rank <= len(prediction.labels):
        raise RequestError(
            f"the rank is {rank}; expected 1 to {len(prediction.labels)}, or the label by its name"
        )
    index = prediction.labels[rank - 1]
    if index >= len(labels):
        raise RequestError(
            f"{prediction.name}@{prediction.number} has other labels by now; give the label by its "
            "name"
        )
    return labels[index]


def _new(text: str) -> Truth:
    if not text or len(text) > _LONGEST_LABEL or printable(text) != text:
        raise RequestError(
            f"a label is 1 to {_LONGEST_LABEL} printable characters, not "
            f"{printable(text[:_SHOWN_LABELS])!r} ({len(text)} characters)"
        )
    return Truth(text, text, is_new=True, is_confirmed=False)
