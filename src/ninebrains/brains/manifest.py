"""`brain.json`: what a brain says about itself. Plain data, checked strictly, no code.

Nothing in it depends on the clock or on where files lie, so the same training gives the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ninebrains.brains.fields import Count, LongText, Share, Size, Text
from ninebrains.brains.reference import NUM_DIRECTIONS, NUM_STEPS
from ninebrains.images import Contract

Task = Literal["classify", "multilabel", "regress"]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A frozen piece of the manifest that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Label(Part):
    """One thing the brain can say.

    `id` never changes and is what other systems refer to; `index` is the network's output; `name`
    is for people and may be changed at any time.
    """

    id: Text = Field(min_length=1)
    index: int = Field(ge=0)
    name: Text = Field(min_length=1)


class Estimate(Part):
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"the value {self.value:g} is outside its interval {self.low:g} to {self.high:g}"
            )
        return self


def _check_share(estimate: Estimate) -> Estimate:
    if estimate.low < 0.0 or estimate.high > 1.0:
        raise ValueError(
            f"the interval {estimate.low:g} to {estimate.high:g} is that of no share; expected 0 "
            "to 1"
        )
    return estimate


def _check_size(estimate: Estimate) -> Estimate:
    if estimate.low < 0.0:
        raise ValueError(f"an error cannot be {estimate.low:g}; expected 0 or more")
    return estimate


ShareEstimate = Annotated[Estimate, AfterValidator(_check_share)]
SizeEstimate = Annotated[Estimate, AfterValidator(_check_size)]


class LabelQuality(Part):
    """How one label did on the test photos. `average_precision` is for multi-label brains."""

    label_id: Text
    support: Count
    precision: Share | None = None
    recall: Share | None = None
    f1: Share | None = None
    average_precision: Share | None = None


class CalibrationBin(Part):
    """Photos whose top score lies in (low, high]: their mean score and the share that was right."""

    low: Share
    high: Share
    count: Count
    confidence: Share
    accuracy: Share


class Calibration(Part):
    """Whether a score of 0.8 is right 8 times in 10 (calibration error, Guo et al. 2017)."""

    temperature: float = Field(gt=0.0)
    ece_before: Share | None = None
    ece_after: Share
    bins: list[CalibrationBin] = []


class CurvePoint(Part):
    """Out-of-sample quality after training on `photos` photos."""

    photos: Count
    value: float = Field(le=1.0 + 1e-6)
    spread: Size


class LearningCurve(Part):
    """What more photos would bring, from fits on nested subsets of the training photos.

    `measure` is `accuracy` (classify), `mean_average_precision` (multilabel) or `r2` (regress).
    `verdict` is one sentence for people.
    """

    measure: Text
    points: list[CurvePoint] = []
    forecast: list[CurvePoint] = []
    verdict: LongText


class Familiarity(Part):
    """How `unfamiliar` was set: 1.0 is the threshold, above it a photo is answered "none of these".

    `rejected_train` is the share of training photos above it out-of-sample, `rejected_test` the
    share of the test photos.
    """

    rejected_train: Share
    rejected_test: Share | None = None
    num_train: Count


class Candidate(Part):
    """One head that was tried, with its out-of-sample loss (lower is better).

    `mean` is the mean of the best ridge and the logistic head: a linear head as well, without a
    penalty of its own.
    """

    head: Literal["ridge", "logistic", "mean"]
    penalty: float | None = None
    flipped: bool = False
    loss: float


class Metrics(Part):
    """What was measured on photos that training never saw, unless a field says otherwise.

    Classify: accuracy, balanced_accuracy, top5 (more than 5 labels), log_loss, confusion
    [given][answered], labels, calibration. Multilabel: mean_average_precision, labels, log_loss.
    Regress: mae, rmse, r2, residual_90 (half-width that holds 90 % of the out-of-sample errors).
    `verdict` says in one sentence how far the figures can be trusted.
    """

    num_test: Count
    verdict: LongText
    accuracy: ShareEstimate | None = None
    balanced_accuracy: Share | None = None
    top5: ShareEstimate | None = None
    log_loss: Size | None = None
    mean_average_precision: Share | None = None
    mae: SizeEstimate | None = None
    rmse: Size | None = None
    r2: float | None = Field(default=None, le=1.0 + 1e-6)
    residual_90: Size | None = None
    labels: list[LabelQuality] = []
    confusion: list[list[Count]] | None = None
    calibration: Calibration | None = None
    out_of_sample_accuracy: ShareEstimate | None = None
    out_of_sample_loss: float | None = None
    familiarity: Familiarity | None = None
    learning_curve: LearningCurve | None = None
    num_suspected_label_errors: Count | None = None


class TrunkReference(Part):
    """The trunk that the brain stands on; `hash` is the SHA-256 of its graph."""

    name: Text
    hash: Sha256
    num_features: int = Field(ge=1)


class Spread(Part):
    """Mean and standard deviation of a figure over photos."""

    mean: float
    deviation: Size


class Reference(Part):
    """The training photos in few numbers, which photos of later days are held against.

    All from fits that had not seen the photo. `answers`: how many had each label on top, by index.
    `unfamiliar`: how many had a score in each step of 0.02; the last is for all from 2 on.
    `features`: unit features along fixed directions (`brains.reference`). `values`: what a
    regression brain measured. `num_different` counts copies of a photo once.
    """

    num_photos: Count
    num_different: Count
    answers: list[Count] = Field(default=[], max_length=100_000)
    unfamiliar: list[Count] = Field(min_length=NUM_STEPS, max_length=NUM_STEPS)
    features: list[Spread] = Field(min_length=NUM_DIRECTIONS, max_length=NUM_DIRECTIONS)
    values: Spread | None = None


class Training(Part):
    """Where the brain comes from."""

    data_fingerprint: Sha256
    num_train: Count
    num_test: Count
    num_skipped: Count
    num_per_label: dict[Text, Count] = {}
    split: Literal["given", "random"]
    seed: int
    balanced: bool
    head: Candidate
    candidates: list[Candidate] = []
    packages: dict[Text, Text] = {}
    reference: Reference | None = None


class Manifest(Part):
    """The whole of `brain.json`.

    `files` holds the SHA-256 of graph.onnx and card.md; the graph names every weight by its own
    hash, so the manifest's hash stands for the whole brain.
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(default="1", pattern=NAME_PATTERN)
    task: Task
    contract: Contract
    trunk: TrunkReference
    labels: list[Label] = Field(min_length=1, max_length=100_000)
    metrics: Metrics | None = None
    training: Training | None = None
    receipts: list[dict[Text, LongText]] = []
    files: dict[Literal["graph.onnx", "card.md"], Sha256] = {}

    @model_validator(mode="after")
    def _labels_are_consistent(self) -> Self:
        if [label.index for label in self.labels] != list(range(len(self.labels))):
            raise ValueError("label indices must run 0, 1, 2, … in order")
        for kind, values in (
            ("id", [label.id for label in self.labels]),
            ("name", [label.name for label in self.labels]),
        ):
            repeated = next((value for value, count in Counter(values).items() if count > 1), None)
            if repeated is not None:
                raise ValueError(f"label {kind} {repeated!r} is used twice")
        return self

    @model_validator(mode="after")
    def _metrics_are_of_these_labels(self) -> Self:
        if self.metrics is None:
            return self
        known = {label.id for label in self.labels}
        measured = [quality.label_id for quality in self.metrics.labels]
        strange = next((label_id for label_id in measured if label_id not in known), None)
        if strange is not None:
            raise ValueError(f"metrics.labels speaks of {strange!r}, which is no label's id")
        if len(set(measured)) < len(measured):
            raise ValueError("metrics.labels has two entries for one label")
        rows = self.metrics.confusion
        size = len(self.labels)
        if rows is not None and [len(row) for row in rows] != [size] * size:
            raise ValueError(
                f"metrics.confusion is no table of {size} rows of {size} counts, one for each label"
            )
        return self

    @model_validator(mode="after")
    def _reference_is_of_these_labels(self) -> Self:
        reference = self.training.reference if self.training else None
        if reference is None or len(reference.answers) in (0, len(self.labels)):
            return self
        raise ValueError(
            f"training.reference counts the answers of {len(reference.answers)} labels; there are "
            f"{len(self.labels)}"
        )

    def label(self, wanted: str | int) -> Label:
        """The label with this name, id or index (see `find_label`)."""
        return find_label(self.labels, wanted)


def find_label(labels: Sequence[Label], wanted: str | int) -> Label:
    """The label with this name; where no label has it, the one with this id, then this index.

    Raises:
        KeyError: there is none; the message lists the names.
    """
    for key in ("name", "id", "index"):
        for label in labels:
            if getattr(label, key) == wanted and not isinstance(wanted, bool):
                return label
    names = ", ".join(label.name for label in labels[:20])
    raise KeyError(f"there is no label {wanted!r}; this brain knows {names}")


def name_from(text: str) -> str:
    """A valid brain name from any text, such as a file's stem."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100]
    return cleaned or "brain"
