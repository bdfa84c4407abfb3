"""A brain of a host, used like one that is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Unpack

from ninebrains.brains import Label
from ninebrains.brains.manifest import Metrics, Task
from ninebrains.connecting.facts import Facts
from ninebrains.connecting.inferences import RemoteInference
from ninebrains.connecting.options import Options
from ninebrains.errors import PhotoError
from ninebrains.images import Contract, PhotoSource

if TYPE_CHECKING:
    from ninebrains.connecting.host import RemoteHost


class RemoteBrain:
    """A brain of a host. `RemoteHost.get` makes it.

    What it says about itself is what the version said that would have answered when it was got;
    who answers is decided by the host for every photo, and told in the answer.
    """

    def __init__(self, host: RemoteHost, wish: str, facts: Facts) -> None:
        self._host = host
        self._wish = wish
        self._facts = facts

    def __repr__(self) -> str:
        return f"RemoteBrain({self._wish!r} at {self._host.url})"

    @property
    def name(self) -> str:
        """The name it is served under."""
        return self._facts.name

    @property
    def version(self) -> str:
        """The number of its version on the host."""
        return str(self._facts.version)

    @property
    def task(self) -> Task | None:
        """`classify`, `multilabel` or `regress`; None for a model without labels."""
        return self._facts.task

    @property
    def labels(self) -> Sequence[Label]:
        """What it can say, by index."""
        return self._facts.labels

    @property
    def contract(self) -> Contract:
        """How a photo becomes its input."""
        return self._facts.contract

    @property
    def metrics(self) -> Metrics | None:
        """How good it was on photos that training had not seen."""
        return self._facts.metrics

    def run(
        self, photo: PhotoSource, *, top: int | None = None, **options: Unpack[Options]
    ) -> RemoteInference:
        """Answer one photo.

        Args:
            photo: as in `RemoteHost.run`.
            top: keep only that many instances.
            options: as in `RemoteHost.run`.

        Raises:
            NinebrainsError: as `RemoteHost.run`.
        """
        return _kept(self._host.run(photo, self._wish, **options)[self._wish], top)

    async def answer(
        self, photo: PhotoSource, *, top: int | None = None, **options: Unpack[Options]
    ) -> RemoteInference:
        """As `run`, for asyncio."""
        return _kept((await self._host.answer(photo, self._wish, **options))[self._wish], top)

    def run_many(
        self,
        photos: Iterable[PhotoSource],
        *,
        on_error: Literal["raise", "yield"] = "raise",
        heatmaps: bool = False,
        top: int | None = None,
    ) -> Iterator[RemoteInference | PhotoError]:
        """Answer many photos, in their order, several of them at a time.

        Args:
            photos: as in `run`; may be endless.
            on_error: a photo that cannot be read raises its PhotoError after the answers before it
                (`raise`), or gives it in the answer's place and the rest goes on (`yield`).
            heatmaps: also get where the evidence lies.
            top: as in `run`.

        Raises:
            NinebrainsError: as `RemoteHost.run_many`.
        """
        told = self._host.run_many(photos, self._wish, heatmaps=heatmaps, on_error=on_error)
        return (one if isinstance(one, PhotoError) else _kept(one[self._wish], top) for one in told)


def _kept(inference: RemoteInference, top: int | None) -> RemoteInference:
    return inference if top is None else replace(inference, limit=top)
