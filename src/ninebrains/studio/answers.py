"""What a brain said of every photo of the project, as arrays; kept beside the brain."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import DataError
from ninebrains.places import write_bytes


@dataclass(frozen=True)
class Answers:
    """One run's answers.

    Attributes:
        run: its number.
        labels: int64[C], the project's numbers of the labels, as the brain orders them.
        ids: int64[n], photos, ascending.
        scores: float32[n, C], calibrated; of photos that were learnt from, from a fit without them.
        unfamiliar: float32[n]; above 1.0 is "none of these".
        given: int64[n], the label that each photo had then, 0 for none.
        is_test: bool[n], whether the photo was measured on.
        suspect: int64[n], the label that a photo more likely shows than its own, else 0.
        quality: float32[n], how well the own label fits, NaN without one.
    """

    run: int
    labels: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    unfamiliar: npt.NDArray[np.float32]
    given: npt.NDArray[np.int64]
    is_test: npt.NDArray[np.bool_]
    suspect: npt.NDArray[np.int64]
    quality: npt.NDArray[np.float32]
    _rows: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def top(self) -> npt.NDArray[np.int64]:
        """int64[n]: the project's number of the best label."""
        if "top" not in self._rows:
            self._rows["top"] = self.labels[self.scores.argmax(axis=1)]
        found: npt.NDArray[np.int64] = self._rows["top"]
        return found

    @property
    def sure(self) -> npt.NDArray[np.float32]:
        """float32[n]: the best label's score."""
        if "sure" not in self._rows:
            self._rows["sure"] = self.scores.max(axis=1)
        found: npt.NDArray[np.float32] = self._rows["sure"]
        return found

    def rows_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """int64[m]: the row of each photo, -1 where there is none."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, places, -1)


def save_answers(path: Path, answers: Answers) -> None:
    """Keep answers, whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    file = io.BytesIO()
    np.savez(
        file,
        run=np.int64(answers.run),
        labels=answers.labels,
        ids=answers.ids,
        scores=answers.scores.astype(np.float16),
        unfamiliar=answers.unfamiliar,
        given=answers.given,
        is_test=answers.is_test,
        suspect=answers.suspect,
        quality=answers.quality,
    )
    write_bytes(path, file.getvalue())


def load_answers(path: Path) -> Answers:
    """Undo `save_answers`; scores come back with three digits.

    Raises:
        DataError: the file is not there or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as plain:
            return Answers(
                run=int(plain["run"]),
                labels=plain["labels"],
                ids=plain["ids"],
                scores=plain["scores"].astype(np.float32),
                unfamiliar=plain["unfamiliar"],
                given=plain["given"],
                is_test=plain["is_test"],
                suspect=plain["suspect"],
                quality=plain["quality"],
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"the answers in {path} cannot be read ({error}); learn again to make them anew"
        ) from error
