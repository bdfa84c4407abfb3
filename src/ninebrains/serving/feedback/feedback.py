"""`Feedback`: takes what people say about answers, and keeps the photos worth learning from."""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import MissingError, OutputError, RequestError
from ninebrains.serving.feedback.intake import Intake
from ninebrains.serving.feedback.photos import Kept, Photos, Reason
from ninebrains.serving.feedback.records import Count, Records
from ninebrains.serving.feedback.tombs import Tombs
from ninebrains.serving.feedback.truths import Facts, understand
from ninebrains.serving.seldom import Seldom

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.brains.manifest import Label
    from ninebrains.images import PhotoSource
    from ninebrains.serving.asking import Answered
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.predictions import Prediction, Seal
    from ninebrains.serving.settings import Feedback as Bounds

_KINDS = (bytes, bytearray, np.ndarray)
_log = logging.getLogger("ninebrains.serving")
_lost_photos = Seldom(_log, logging.WARNING)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a piece of feedback.

    Attributes:
        is_confirmed: whether it says that the answer was right.
        has_photo: whether the photo is kept, by now.
    """

    is_confirmed: bool
    has_photo: bool


def _no_facts(name: str, number: int) -> Facts:
    raise MissingError(f"nothing is known here of {name}@{number}")


class Feedback:
    """What people say about answers, and the photos that are kept to learn from.

    A photo is kept only if its sender agreed to that, with the request. Then it is kept where the
    answer was unsure, where the brain found it unfamiliar, and where somebody says otherwise; all
    others wait for that, a bounded number of them.

    Args:
        ledger: where it is kept.
        seal: opens prediction ids.
        folder: for the photos.
        bounds: what to keep.
        describe: gives the facts of a version; MissingError where it is unknown.
        confirmed: is told of the first word on each prediction, and whether it confirms.
    """

    def __init__(
        self,
        ledger: Ledger,
        seal: Seal,
        folder: Path,
        bounds: Bounds,
        describe: Callable[[str, int], Facts] = _no_facts,
        confirmed: Callable[[Prediction, bool], None] = lambda _prediction, _is_right: None,
    ) -> None:
        self._ledger = ledger
        self._seal = seal
        self._bounds = bounds
        self._describe = describe
        self._confirmed = confirmed
        self._records = Records(ledger)
        self._tombs = Tombs(ledger)
        self.photos = Photos(ledger, folder, bounds)
        self._intake = Intake()
        self._flushing = threading.Lock()
        self._is_swept = False
        self._lost = 0
        self._known: dict[str, object] = {}
        self._unknown: dict[tuple[str, int], object] = {}

    def saw(self, answered: Answered) -> None:
        """Take note of an answer; the work is done by `flush`."""
        inference = answered.inference
        if inference is None or not answered.prediction:
            return
        chosen = answered.chosen
        if self._known.get(chosen.member) is not inference.labels:
            self._known[chosen.member] = inference.labels
            self._unknown[chosen.name, chosen.number] = inference.labels
        agreed = answered.asker.consent and chosen.variant != "shadow"
        if agreed and self._bounds.photos and isinstance(answered.photo, _KINDS):
            self._intake.offer(answered)

    def adopt(self, bounds: Bounds) -> None:
        """From now on keep what these say."""
        self._bounds = bounds
        self.photos.adopt(bounds)

    def give(
        self,
        prediction_id: str,
        *,
        rank: int | None = None,
        label: str | None = None,
        none: bool = False,
        user: str = "",
    ) -> Stored:
        """Store what somebody says about an answer; the latest word on a prediction counts.

        Args:
            prediction_id: of the answer.
            rank: 1 for its top label, 2 for the next, …
            label: a label's name or id; or another text: a label that the brain does not have.
            none: none of these.
            user: who says so; by default who had asked.

        Raises:
            RequestError: this host gave no such answer, or the feedback is not understood.
            OutputError: it cannot be stored.
        """
        prediction = self._seal.open(prediction_id)
        facts = self._facts(prediction.name, prediction.number)
        truth = understand(prediction, facts, rank=rank, label=label, none=none)
        giver = self._seal.user(user) if user else prediction.user
        if prediction.consent and not truth.is_confirmed:
            self._hurry(prediction.key)
        try:
            with self._ledger.writing() as rows:
                is_first = self._records.put(rows, prediction, facts.task, truth, giver)
                if not truth.is_confirmed:
                    self.photos.dispute(rows, prediction.key)
                has_photo = self.photos.is_kept(rows, prediction.key)
        except OutputError as error:
            raise OutputError(f"the feedback cannot be stored: {error}") from error
        if is_first:
            self._confirmed(prediction, truth.is_confirmed)
        return Stored(truth.is_confirmed, has_photo)

    def _facts(self, name: str, number: int) -> Facts:
        """Of a version that answered, also if it is gone."""
        found = self._records.facts(name, number)
        if found is not None:
            return found
        try:
            return self._describe(name, number)
        except MissingError as error:
            raise RequestError(
                f"the labels of {name}@{number} are not known any more, so feedback on its answers "
                "cannot be understood"
            ) from error

    def _hurry(self, key: str) -> None:
        """Have a photo written that may still be on its way to the disk."""
        if self.photos.has(key):
            return
        try:
            self.flush()
        except OutputError as error:  # the photo is lost; the feedback may find room yet
            _lost_photos.tell(f"photos: {error}")

    def flush(self) -> None:
        """Write down what was seen since the last time; a chore.

        Raises:
            OutputError: it could not be written. The photos are dropped, and counted as such.
        """
        with self._flushing:
            if not self._is_swept:
                self.photos.sweep()
                self._is_swept = True
            self._learn()
            taken = self._intake.take()
            try:
                photos = self._sorted(taken)
                if photos:
                    self.photos.keep(photos)
                self._tombs.clear()
            except OutputError:
                self._lost += len(taken)
                raise

    def close(self) -> None:
        """Write down what was seen last."""
        try:
            self.flush()
        except OutputError as error:
            _log.warning("photos: %s", error)

    def _learn(self) -> None:
        """Remember the labels of versions that have begun to answer."""
        if not self._unknown:
            return
        found = {}
        for name, number in tuple(self._unknown):
            try:
                found[name, number] = self._describe(name, number)
            except MissingError:
                _log.debug("%s@%s went away", name, number)
        self._records.know(found)
        for version in found:
            self._unknown.pop(version, None)

    def _sorted(self, taken: list[Answered]) -> list[Kept]:
        contents: dict[int, tuple[str, bytes]] = {}
        kept: list[Kept] = []
        for answered in taken:
            prediction = self._seal.open(answered.prediction)
            assert answered.inference is not None
            reason = self._reason(answered.inference)
            if reason == "waiting" and not self._bounds.waiting:
                continue
            content = contents.get(id(answered.photo))
            if content is None:
                content = contents[id(answered.photo)] = _content(answered.photo)
            kept.append(_kept(answered.inference, prediction, reason, *content))
        return kept

    def _reason(self, inference: Inference) -> Reason:
        if not inference.is_familiar:
            return "unfamiliar"
        if inference.is_measured or not len(inference.answers):
            return "waiting"
        unsure = float(inference.answers.max()) < self._bounds.low_confidence
        return "low_confidence" if unsure else "waiting"

    def forget(self, user: str) -> Mapping[str, int]:
        """Delete the photos of a user, waiting ones too, and all feedback from or for them.

        Nothing of it is left in the files of the host when this returns.

        Args:
            user: as the application calls them.

        Returns:
            How many `photos` and `feedback` there were.

        Raises:
            RequestError: no user is named.
            OutputError: it cannot be deleted.
        """
        if not user:
            raise RequestError("whose photos? Expected the key of a user, as requests name it")
        hashed = self._seal.user(user)
        with self._flushing:  # none of this worker's is on its way; others see the tomb
            with self.photos.forgetting(hashed) as (rows, num_photos):
                num_feedback = self._records.forget(rows, hashed)
                self._tombs.put(rows, hashed)
            self._ledger.settle()
        return {"photos": num_photos, "feedback": num_feedback}

    def stats(self) -> Mapping[str, object]:
        """How much there is; `photos_dropped` counts those of this process that found no room."""
        return {
            **self.photos.stats(),
            "photos_dropped": self._intake.dropped + self._lost,
            "versions": [asdict(count) for count in self.counts()],
        }

    def counts(self) -> tuple[Count, ...]:
        """How much feedback there is, by version."""
        return self._records.counts()


def _content(photo: PhotoSource) -> tuple[str, bytes]:
    """SHA-256 and bytes of a photo; pixels are kept as PNG."""
    if isinstance(photo, np.ndarray):
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(photo).save(file, "PNG")
        data = file.getvalue()
    else:
        assert isinstance(photo, bytes | bytearray)
        data = bytes(photo)
    return hashlib.sha256(data).hexdigest(), data


def _kept(
    inference: Inference, prediction: Prediction, reason: Reason, sha256: str, data: bytes
) -> Kept:
    label: Label | None = None
    if prediction.labels and prediction.labels[0] < len(inference.labels):
        label = inference.labels[prediction.labels[0]]
    return Kept(
        key=prediction.key,
        sha256=sha256,
        data=data,
        name=prediction.name,
        number=prediction.number,
        user=prediction.user,
        answered_at=prediction.seconds,
        reason=reason,
        label_id=label.id if label else "",
        label=label.name if label else "",
        score=float(inference.answers.max()) if len(inference.answers) else 0.0,
        unfamiliar=inference.unfamiliar,
    )
