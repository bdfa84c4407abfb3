"""The answer of one brain on one photo. The same type whether the brain ran here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Label, Manifest, find_label
from ninebrains.errors import BrainError
from ninebrains.images import Contract

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Instance:
    """One thing that a brain says about a photo.

    Attributes:
        label: the label's name, for people.
        label_id: the label's id, which never changes.
        index: the label's place in the network's output.
        score: calibrated probability, 0 to 1; 1.0 for a measured value.
        value: what a regression brain measured, in the unit it was trained on.
    """

    label: str
    label_id: str
    index: int
    score: float
    value: float | None = None


@dataclass(frozen=True, eq=False)
class Inference:
    """What a brain answers about one photo.

    Attributes:
        brain: the brain's name and version, `name@version`.
        answers: what the network gave for each label, by index: scores, or measured values for a
            regression brain. Empty where a network from elsewhere has no labels.
        unfamiliar: how unlike the training photos this one is; above 1.0 trust no label. None for
            brains that do not measure it.
        photo_size: (width, height) of the upright photo.
        timings: milliseconds by step: `decode_ms`, `run_ms`.
        features: the trunk's feature vector, float32[D].
        outputs: by name, what a network from elsewhere gave that is none of the above.
        limit: how many instances are kept; all where None.
    """

    brain: str
    answers: Floats = field(repr=False)
    unfamiliar: float | None
    photo_size: tuple[int, int]
    timings: Mapping[str, float]
    contract: Contract = field(repr=False)
    labels: Sequence[Label] = field(default=(), repr=False)
    is_measured: bool = field(default=False, repr=False)
    features: Floats | None = field(default=None, repr=False)
    heatmaps: Floats | None = field(default=None, repr=False)
    outputs: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict, repr=False)
    limit: int | None = field(default=None, repr=False)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """One for each label, the surest first (in label order for regression).

        Made when first asked for: most callers only want the top one of each of many brains.
        """
        if self.is_measured:
            return tuple(self._instance(index) for index in range(len(self.answers)))
        # Stable: among equal scores the lower index comes first, on every machine.
        order = np.argsort(-self.answers, kind="stable")
        shown = order if self.limit is None else order[: max(self.limit, 1)]
        return tuple(self._instance(int(index)) for index in shown)

    def _instance(self, index: int) -> Instance:
        label, answer = self.labels[index], float(self.answers[index])
        if self.is_measured:
            return Instance(label.name, label.id, index, 1.0, answer)
        return Instance(label.name, label.id, index, answer)

    @property
    def top(self) -> Instance:
        """The surest instance.

        Raises:
            BrainError: it is the answer of a network from elsewhere that has no labels.
        """
        if not len(self.answers):
            raise BrainError(
                f"{self.brain} has no labels; its answer is in `outputs`: "
                f"{', '.join(self.outputs) or 'nothing'}"
            )
        return self._instance(0 if self.is_measured else int(self.answers.argmax()))

    @property
    def is_familiar(self) -> bool:
        """Whether the photo is like those the brain was trained on."""
        return self.unfamiliar is None or self.unfamiliar <= 1.0

    @property
    def answer(self) -> str | None:
        """The top label's name, or None for "none of these"."""
        return self.top.label if len(self.answers) and self.is_familiar else None

    def at_least(self, threshold: float) -> tuple[Instance, ...]:
        """The instances whose score reaches `threshold`, the surest first."""
        return tuple(instance for instance in self.instances if instance.score >= threshold)

    def heatmap(self, label: str | int | None = None) -> Floats:
        """Where in the photo the evidence for a label lies.

        This is the class activation map of Zhou et al. (2016), exact for a linear head.

        Args:
            label: a label's name, id or index; the top one by default.

        Returns:
            float32[h, w] over the part of the photo that the network saw (`images.seen_box`). The
            mean over all places, plus the head's bias, is the label's raw score.

        Raises:
            BrainError: the brain has no heat maps, or no such label.
        """
        if self.heatmaps is None:
            raise BrainError(
                f"this answer of {self.brain} has no heat maps: it was asked for without "
                "(`heatmaps=True` asks for them), or the brain computes none"
            )
        if label is None:
            return np.asarray(self.heatmaps[self.top.index])
        try:
            return np.asarray(self.heatmaps[find_label(self.labels, label).index])
        except KeyError as error:
            raise BrainError(str(error.args[0])) from error

    def to_dict(self, top: int | None = None, threshold: float = 0.0) -> dict[str, Any]:
        """Plain values for JSON: everything but features and heat maps.

        Args:
            top: at most that many instances.
            threshold: only instances whose score reaches it.
        """
        return {
            "brain": self.brain,
            "answer": self.answer,
            "unfamiliar": self.unfamiliar,
            "instances": [
                {
                    "label": instance.label,
                    "label_id": instance.label_id,
                    "score": instance.score,
                    **({"value": instance.value} if instance.value is not None else {}),
                }
                for instance in self.at_least(threshold)[:top]
            ],
            "photo_size": list(self.photo_size),
            "timings": dict(self.timings),
        }


def make_inference(
    manifest: Manifest,
    values: Mapping[str, Floats],
    *,
    photo_size: tuple[int, int],
    timings: Mapping[str, float],
    top: int | None = None,
) -> Inference:
    """The answer on one photo from what the network gave for it.

    Args:
        manifest: of the brain.
        values: one photo's row of each output: `scores` [C] or `values` [1], and whichever of
            `features` [D], `heatmap` [C, h, w] and `unfamiliar` [] there are.
        photo_size: (width, height) of the upright photo.
        timings: milliseconds by step.
        top: keep only that many instances, one at least.
    """
    unfamiliar = values.get("unfamiliar")
    is_measured = manifest.task == "regress"
    return Inference(
        brain=f"{manifest.name}@{manifest.version}",
        answers=values["values" if is_measured else "scores"],
        unfamiliar=None if unfamiliar is None else float(unfamiliar),
        photo_size=photo_size,
        timings=timings,
        contract=manifest.contract,
        labels=manifest.labels,
        is_measured=is_measured,
        features=values.get("features"),
        heatmaps=values.get("heatmap"),
        limit=top,
    )
