"""What training saw, photo by photo: kept on the machine that trained, never inside the brain.

The report's galleries and the audit's suspected label errors come from here. A brain that is sent
to a customer or a phone must not carry its training photos' names along.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ninebrains.errors import BrainError
from ninebrains.places import data_folder, write_bytes


@dataclass(frozen=True)
class Outcome:
    """One photo, and what a model that had not seen it said about it.

    For test photos that is the brain; for training photos a fit without them (leave-one-out or
    cross-validation).

    Attributes:
        path: relative to the record's root, with "/" between folders.
        sha256: of the file's bytes (hex).
        split: which part the photo was in.
        given: indices of the labels that people gave it (one for classify).
        target: the number that people gave it (regress).
        answer: index of the top label (classify, multilabel).
        score: the top label's calibrated score.
        given_score: the given label's calibrated score; for multilabel the lowest of them.
        value: the number that was answered (regress).
        unfamiliar: how unlike the training photos it is; above 1.0 is rejected.
        suggested: index of the label it more likely shows, if its given one is suspected.
        label_quality: how well the given label fits, 0 to 1; low is suspicious.
    """

    path: str
    sha256: str
    split: Literal["train", "test"]
    given: tuple[int, ...] = ()
    target: float | None = None
    answer: int | None = None
    score: float = 0.0
    given_score: float = 0.0
    value: float | None = None
    unfamiliar: float | None = None
    suggested: int | None = None
    label_quality: float | None = None


@dataclass(frozen=True)
class Record:
    """Everything that one training run, or one evaluation, saw.

    Attributes:
        graph_hash: SHA-256 of the graph of the brain it belongs to.
        root: absolute path of the photos' folder.
        outcomes: one for each photo that could be read.
        audit: `photos.Audit.to_dict()` of the data set, or empty.
    """

    graph_hash: str
    root: str
    outcomes: tuple[Outcome, ...]
    audit: dict[str, Any] = field(default_factory=dict)

    @property
    def suspects(self) -> list[Outcome]:
        """Photos with suspected label errors, the most suspicious first."""
        found = [outcome for outcome in self.outcomes if outcome.suggested is not None]
        return sorted(found, key=lambda outcome: (outcome.label_quality or 0.0, outcome.path))


def save_record(record: Record) -> Path:
    """Keep a record where `load_record` finds it; return the file."""
    path = _record_path(record.graph_hash)
    # ASCII with escapes: file names that are not UTF-8 come through unharmed.
    write_bytes(path, json.dumps(asdict(record), ensure_ascii=True).encode())
    return path


def load_record(graph_hash: str) -> Record | None:
    """The record of a brain, or None where it was trained elsewhere.

    Raises:
        BrainError: there is one and it is damaged.
    """
    path = _record_path(graph_hash)
    try:
        plain = json.loads(path.read_bytes())
        outcomes = tuple(
            Outcome(**{**outcome, "given": tuple(outcome["given"])})
            for outcome in plain["outcomes"]
        )
        return Record(plain["graph_hash"], plain["root"], outcomes, plain["audit"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrainError(
            f"the training record {path} is damaged ({error}); delete it, then train again"
        ) from error


def _record_path(graph_hash: str) -> Path:
    return data_folder() / "records" / f"{graph_hash}.json"
