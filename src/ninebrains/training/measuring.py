"""The numbers that are reported, each with what is needed to see how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Estimate, Label, LabelQuality, Metrics, Task
from ninebrains.training.basis import Floats

_Z_95 = 1.959963984540054
FEW_PHOTOS = 30
WIDE_INTERVAL = 0.2
_FEW_OF_A_LABEL = 5


def wilson(num_right: float, num: int) -> Estimate:
    """A share with its 95 % interval (Wilson 1927): sound also near 0 and 1 and for few photos.

    >>> wilson(10, 10).low > 0.72
    True
    """
    if num == 0:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share, square = num_right / num, _Z_95**2
    centre = (share + square / (2 * num)) / (1 + square / num)
    half = _Z_95 * np.sqrt(share * (1 - share) / num + square / (4 * num**2)) / (1 + square / num)
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Estimate(value=share, low=min(low, share), high=max(high, share))


@dataclass(frozen=True)
class Background:
    """What must be known about the photos that something is measured on.

    Attributes:
        clause: how they relate to training, such as "that training never saw"; follows "Measured on
            n photos" in the verdict.
        num_different: how many they are when copies count once; decides the intervals.
    """

    clause: str
    num_different: int


def measure(
    task: Task, answers: Floats, targets: Floats, labels: Sequence[Label], background: Background
) -> Metrics:
    """Metrics of answers [n, K] against targets [n, K], by task; none without photos."""
    if not len(targets):
        return Metrics(
            num_test=0,
            verdict="All photos were needed for training and none was held out: nothing can be "
            "said about quality. Add more photos.",
        )
    if task == "classify":
        return measure_labels(answers, targets, labels, background)
    if task == "multilabel":
        return measure_multilabel(answers, targets, labels, background)
    return measure_values(answers[:, 0], targets[:, 0], background)


def measure_labels(
    probabilities: Floats, targets: Floats, labels: Sequence[Label], background: Background
) -> Metrics:
    """Metrics of a classifier: probabilities [n, C] against one-hot targets [n, C]."""
    num, num_labels = targets.shape
    given, answered = targets.argmax(axis=1), probabilities.argmax(axis=1)
    confusion = np.zeros((num_labels, num_labels), np.int64)
    np.add.at(confusion, (given, answered), 1)
    different = background.num_different
    accuracy = wilson(float((given == answered).mean()) * different, different)
    support, right = confusion.sum(axis=1), confusion.diagonal()
    own = probabilities[np.arange(num), given]
    top5 = None
    if num_labels > 5:
        better = (probabilities > own[:, None]).sum(axis=1)
        top5 = wilson(float((better < 5).mean()) * different, different)
    return Metrics(
        num_test=num,
        verdict=" ".join(_accuracy_verdict(accuracy, num, background, support, labels)),
        accuracy=accuracy,
        balanced_accuracy=float((right[support > 0] / support[support > 0]).mean()),
        top5=top5,
        log_loss=float(-np.log(np.maximum(own, 1e-15)).mean()),
        labels=[_label_quality(label.id, confusion, label.index) for label in labels],
        confusion=confusion.tolist() if num_labels <= 200 else None,
    )


def _label_quality(label_id: str, confusion: npt.NDArray[np.int64], index: int) -> LabelQuality:
    right = int(confusion[index, index])
    return _quality(label_id, right, int(confusion[index].sum()), int(confusion[:, index].sum()))


def _quality(
    label_id: str, right: int, support: int, answered: int, average: float | None = None
) -> LabelQuality:
    return LabelQuality(
        label_id=label_id,
        support=support,
        precision=right / answered if answered else None,
        recall=right / support if support else None,
        f1=2 * right / (support + answered) if support + answered else None,
        average_precision=average,
    )


def _accuracy_verdict(
    accuracy: Estimate,
    num: int,
    background: Background,
    support: npt.NDArray[np.int64],
    labels: Sequence[Label],
) -> Iterator[str]:
    """Sentences on how far an accuracy can be trusted."""
    low, high = f"{accuracy.low:.1%}", f"{accuracy.high:.1%}"
    different = background.num_different
    copies = "" if different == num else f" ({different} different ones)"
    if different < FEW_PHOTOS or accuracy.high - accuracy.low > WIDE_INTERVAL:
        yield (
            f"Too few photos to tell: with {num} test photos{copies} the accuracy is somewhere "
            f"between {low} and {high}. Add photos before you rely on it."
        )
    yield (
        f"Measured on {num} photos{copies} {background.clause}: with 95 % certainty the accuracy "
        f"is between {low} and {high}."
    )
    share = support.max() / num
    if accuracy.low <= share and num > 1:
        name = labels[int(support.argmax())].name
        yield f"That is not clearly better than always guessing {name!r} ({share:.1%})."
    rare = [label.name for label in labels if support[label.index] < _FEW_OF_A_LABEL]
    if rare and len(rare) < len(labels):
        names = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        yield f"Tested on fewer than {_FEW_OF_A_LABEL} photos, so hardly at all: {names}."


def average_precision(scores: Floats, given: Floats) -> float | None:
    """Area under the precision-recall steps, ties taken together; None without a positive photo."""
    if not given.any():
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(given[order])
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    precision = (hits / np.arange(1, len(hits) + 1))[last_of_tie]
    recall = hits[last_of_tie] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def mean_average_precision(scores: Floats, targets: Floats) -> float | None:
    """Mean over the labels that have a positive photo, or None without any."""
    found = [average_precision(scores[:, k], targets[:, k]) for k in range(targets.shape[1])]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def measure_multilabel(
    probabilities: Floats, targets: Floats, labels: Sequence[Label], background: Background
) -> Metrics:
    """Metrics of independent labels: probabilities [n, K] against multi-hot targets [n, K]."""
    num = len(targets)
    qualities = []
    for label in labels:
        given = targets[:, label.index] > 0.5
        answered = probabilities[:, label.index] >= 0.5
        average = average_precision(probabilities[:, label.index], targets[:, label.index])
        right = int((given & answered).sum())
        qualities.append(_quality(label.id, right, int(given.sum()), int(answered.sum()), average))
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    losses = -(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped))
    rarest = min((quality.support for quality in qualities), default=0)
    verdict = f"Measured on {num} photos {background.clause}."
    if background.num_different < FEW_PHOTOS or rarest < 10:
        verdict += (
            f" Too few photos to tell: {num} test photos, and the rarest label is on {rarest} of "
            "them. Add photos before you rely on single labels."
        )
    return Metrics(
        num_test=num,
        verdict=verdict,
        mean_average_precision=mean_average_precision(probabilities, targets),
        log_loss=float(losses.mean()),
        labels=qualities,
    )


def measure_values(values: Floats, targets: Floats, background: Background) -> Metrics:
    """Metrics of a regression: values [n] against targets [n]; MAE's interval by bootstrap."""
    num = len(targets)
    errors = np.abs(values - targets)
    drawn = np.random.default_rng(0).integers(0, num, (1000, num))
    low, high = np.quantile(errors[drawn].mean(axis=1), [0.025, 0.975])
    mean = float(errors.mean())
    spread = float(((targets - targets.mean()) ** 2).sum())
    verdict = f"Measured on {num} photos {background.clause}."
    if background.num_different < FEW_PHOTOS:
        verdict += f" Too few photos to tell: {num} test photos. Add some before you rely on them."
    return Metrics(
        num_test=num,
        verdict=verdict,
        mae=Estimate(value=mean, low=min(float(low), mean), high=max(float(high), mean)),
        rmse=float(np.sqrt(((values - targets) ** 2).mean())),
        r2=1.0 - float(((values - targets) ** 2).sum()) / spread if spread > 0 else None,
    )
