"""What a request says besides the photo, and what came of it: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ninebrains.brains import Inference
from ninebrains.errors import NinebrainsError
from ninebrains.images import PhotoSource
from ninebrains.mind.scheduling.tickets import Priority

Variant = Literal["stable", "canary", "shadow", "version"]
"""Why a version answers: it is the stable one, the one being tried, one that runs along unseen, or
it was asked for by number."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    Attributes:
        user: the key of a user, as the application calls them, or "": who always gets the same
            version, and whose photos are deleted together.
        headers: of the request, names in lower case, for rules.
        consent: whether the photo may be kept.
    """

    user: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    consent: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer.

    Attributes:
        heatmaps: also compute where the evidence lies.
        deadline_ms: fail if there is no answer by then.
        priority: `interactive` goes before `bulk`.
    """

    heatmaps: bool = False
    deadline_ms: float | None = None
    priority: Priority = "interactive"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version of a brain that answers a request.

    Attributes:
        name: of the brain.
        number: of the version.
        variant: why this one.
    """

    name: str
    number: int
    variant: Variant

    @property
    def member(self) -> str:
        """What the mind calls it."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What one version made of one photo.

    Attributes:
        chosen: who answered.
        inference: the answer; None where there is an error.
        error: why there is none.
        seconds: from asking to the answer.
        prediction: the id that feedback refers to; "" where there is no answer.
        asker: who asked.
        photo: as it was sent.
    """

    chosen: Chosen
    inference: Inference | None
    error: NinebrainsError | None
    seconds: float
    prediction: str
    asker: Asker
    photo: PhotoSource


@dataclass(frozen=True, slots=True)
class Answers:
    """What the versions asked made of one photo.

    Attributes:
        answered: in the order asked.
        photo_size: (width, height) of the upright photo.
        timings: milliseconds by step.
    """

    answered: tuple[Answered, ...]
    photo_size: tuple[int, int]
    timings: Mapping[str, float]
