"""The receipt: the stored proof that an exported artefact gives the brain's answers on photos."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ninebrains.brains.fields import Count, LongText, Share, Size, Text, safe_text
from ninebrains.brains.manifest import Estimate, Part, Sha256, ShareEstimate, Task
from ninebrains.exporting.target import Precision
from ninebrains.photos import printable

Verdict = Literal["agrees", "too few photos to tell", "not run here", "differs"]
Measure = Literal["accuracy", "right decisions", "mean absolute error"]
_LONGEST = 2000


def shown(text: str) -> str:
    r"""A text of the user's machine, such as a file's name, as a receipt can hold it.

    >>> shown("\u200eIMG\n1.jpg")
    '\ufffdIMG\\x0a1.jpg'
    """
    return safe_text(printable(text))[:_LONGEST]


class Subject(Part):
    """The brain that was exported; `graph` is the SHA-256 of its graph, weights included."""

    name: Text
    version: Text
    graph: Sha256
    task: Task
    num_labels: Count


class Photos(Part):
    """What the artefact was held against.

    `fingerprint` is the SHA-256 of the photos' contents. `failed` tells which photos one of the
    two could not read, or neither.
    """

    source: LongText
    asked: Count
    compared: Count
    fingerprint: Sha256
    failed: dict[LongText, LongText] = Field(default={})


class Quality(Part):
    """How right both are, where photos have labels, and what the export loses.

    `measure` is `accuracy` (classify), `right decisions` (multilabel: of all labels of all photos,
    at a score of 0.5) or `mean absolute error` (regress). `lost` is the brain's minus the export's,
    in the same photos; for regress the growth of the error as a share of the brain's.
    """

    measure: Measure
    brain: Estimate
    export: Estimate
    lost: Estimate
    calibration_brain: Share | None = None
    calibration_export: Share | None = None


class Disagreement(Part):
    """A photo on which the two part, and what each says."""

    photo: LongText
    brain: Text
    brain_score: float
    export: Text
    export_score: float
    given: LongText | None = None


class Agreement(Part):
    """How closely the export follows the brain.

    `same` is the share of photos with the same top label (classify), the same labels at a score of
    0.5 (multilabel), or a value within a twentieth of what the brain's own errors are (regress).
    Differences are of scores, or of values. `heatmap_*` are correlations of the two heat maps of
    the brain's top label; `unfamiliar_same` is the share of photos on which both agree whether it
    is none of the labels.
    """

    same: ShareEstimate
    largest_difference: Size
    mean_difference: Size
    heatmap_mean: float | None = None
    heatmap_lowest: float | None = None
    unfamiliar_same: Share | None = None
    disagreements: list[Disagreement] = Field(default=[])
    num_disagreements: Count


class Cost(Part):
    """What a photo takes on the machine that made the receipt; sizes are of files.

    Milliseconds are medians in the network alone, one photo at a time, without decoding.
    """

    brain_ms: Size | None = None
    export_ms: Size | None = None
    export_ms_90: Size | None = None
    memory_mib: Size | None = None
    model_bytes: Count
    brain_bytes: Count


class Receipt(Part):
    """Everything that is known about how an artefact answers. Plain data; see its parts.

    `files` holds the SHA-256 of every file of the export but each brain's `receipt.json`. `step`
    says what made an int8 export hold, `steps` what was tried before it and how each did.
    """

    schema_version: Literal[1] = 1
    brain: Subject
    target: Text
    precision: Precision
    step: Text | None = None
    steps: list[LongText] = Field(default=[])
    outputs: list[Text]
    runner: LongText
    packages: dict[Text, Text] = Field(default={})
    machine: dict[Text, Text] = Field(default={})
    photos: Photos
    agreement: Agreement | None = None
    quality: Quality | None = None
    cost: Cost
    verdict: Verdict
    reasons: list[LongText]
    notes: list[LongText] = Field(default=[])
    not_run: list[LongText] = Field(default=[])
    files: dict[Text, Sha256] = Field(default={})
