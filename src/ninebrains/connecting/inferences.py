"""Answers that came from a host: the same types as local ones, and where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ninebrains.brains import Inference
from ninebrains.errors import NinebrainsError


@dataclass(frozen=True, eq=False)
class RemoteInference(Inference):
    """An inference that a host made.

    Attributes:
        prediction_id: what feedback on this answer refers to.
        version: number of the version that answered.
        variant: why that one: it is the `stable` one, a `canary` on trial, a `shadow`, or the
            `version` that was asked for.
    """

    prediction_id: str = field(default="", repr=False)
    version: int = 0
    variant: str = ""


class RemoteInferences(Mapping[str, RemoteInference]):
    """The answers of several brains of a host on one photo, by the names that were asked for.

    Attributes:
        errors: by name, why a brain has no answer; looking it up raises it.
        photo_size: (width, height) of the upright photo.
        timings: milliseconds by step, as the host measured them: `queue_ms`, `decode_ms`,
            `network_ms`, `head_ms`, `total_ms`.
        request_id: names the request in the host's log.
    """

    def __init__(
        self,
        made: Mapping[str, RemoteInference],
        errors: Mapping[str, NinebrainsError],
        photo_size: tuple[int, int],
        timings: Mapping[str, float],
        request_id: str,
    ) -> None:
        self._made = made
        self.errors = errors
        self.photo_size = photo_size
        self.timings = timings
        self.request_id = request_id

    @property
    def answers(self) -> dict[str, str | None]:
        """What each brain says: the name of a label, or None for "none of these".

        Brains that failed and models without labels are left out.
        """
        return {name: made.answer for name, made in self._made.items() if len(made.answers)}

    def __getitem__(self, name: str) -> RemoteInference:
        if name in self.errors:
            raise self.errors[name]
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        """Whether a brain was asked; also if it failed."""
        return name in self._made or name in self.errors

    def __iter__(self) -> Iterator[str]:
        yield from self._made
        yield from self.errors

    def __len__(self) -> int:
        return len(self._made) + len(self.errors)

    def __repr__(self) -> str:
        return f"RemoteInferences({', '.join(self)})"
