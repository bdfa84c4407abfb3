"""`Host`: brains of many names and versions that answer requests; what every protocol speaks to.

request ─► traffic: which version? ─► mind ─► answers ─► prediction ids ─► watchers
                                                        (counts, drift, kept photos, gates)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ninebrains.errors import BrainError, ClosedError, MissingError, NinebrainsError
from ninebrains.images import Limits, PhotoSource
from ninebrains.mind import Inferences, Mind
from ninebrains.serving.asking import Answered, Answers, Asker, Chosen, Options
from ninebrains.serving.catalog import Catalog
from ninebrains.serving.chores import Chores
from ninebrains.serving.drift import Drift
from ninebrains.serving.feedback import Feedback
from ninebrains.serving.feedback.truths import facts_of
from ninebrains.serving.keys import Keys
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.measures import Exchange, Measures, own
from ninebrains.serving.predictions import NUM_LABELS, Seal, secret_of
from ninebrains.serving.reloading import Origin, Reloaded, Reloading
from ninebrains.serving.settings import Settings
from ninebrains.serving.state import state_file, state_folder
from ninebrains.serving.traffic.counts import Counts
from ninebrains.serving.traffic.judging import Judge
from ninebrains.serving.traffic.shadowing import Shadowing
from ninebrains.serving.traffic.traffic import Traffic

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from ninebrains.brains import Inference

_CHANGED_UNDERNEATH = 5
"""How often a request is sent anew when its version went away between choosing and asking."""

_NOT_READY = "the host is not ready: its brains are being loaded; try again in a moment"


class Watcher(Protocol):
    """Is told of every answer and every error, at once, in the thread that answers: be quick."""

    def saw(self, answered: Answered) -> None:
        """Take note of what one version made of one photo."""


class Host:
    """Brains of many names and versions that answer requests.

    Args:
        settings: see there.
        origin: where they came from, so that they can be read anew.

    Attributes:
        settings: as they are now.
        mind: where the versions run, called `name@number`.
        ledger: what is shared with other workers and outlives this one.
        keys: who may do what.
        catalog: which versions there are.
        traffic: who answers whom.
        counts: what became of the requests, by version.
        judge: decides on versions that are being tried, where they have a gate.
        shadowing: asks versions that run along unseen.
        feedback: takes what people say about answers, and keeps photos.
        drift: whether photos and answers still are as in training.
        measures: what this process counted and timed.
        exchange: what the other processes did.
        samples: give more metrics, as the metrics library has them.
        watchers: are told of every answer.
        timers: are told how long every photo took: milliseconds by step, and seconds in all.
        adopters: are told of settings that changed while serving, in a thread of the host's.
        is_ready: whether all that was there when it opened has been loaded and tried.
        is_draining: whether it is about to close.
        failure: why it could not be opened, if so.
    """

    def __init__(self, settings: Settings, origin: Origin | None = None) -> None:
        self.settings = settings
        limits = Limits(
            max_bytes=settings.limits.photo_bytes, max_pixels=settings.limits.photo_pixels
        )
        self.ledger = Ledger(state_file(settings))
        self.seal = Seal(secret_of(self.ledger))
        self.keys = Keys(self.ledger, settings)
        self.mind = Mind(
            threads=settings.mind.threads,
            decoders=settings.mind.decoders,
            max_pending=settings.mind.max_pending,
            max_memory=settings.mind.max_memory,
            limits=limits,
        )
        self.catalog = Catalog(self.mind, settings, self.ledger)
        self.traffic = Traffic(self.ledger, self.catalog)
        self.counts = Counts(self.ledger, self.traffic.state)
        self.judge = Judge(self.ledger, self.catalog, self.traffic)
        self.shadowing = Shadowing(self.mind, self.traffic, self.counts, settings.mind.max_pending)
        self.feedback = Feedback(
            self.ledger,
            self.seal,
            state_folder(settings) / "photos",
            settings.feedback,
            describe=lambda name, number: facts_of(self.catalog.find(name, number)),
            confirmed=self.counts.confirmed,
        )
        self.watchers: list[Watcher] = [self.counts, self.feedback]
        self.measures = Measures()
        run = "" if origin is None else origin.run
        folder = state_folder(settings) / "metrics" if settings.workers > 1 and run else None
        self.exchange = Exchange(folder, run)
        self.watchers.append(self.measures)
        self.drift = Drift(self.ledger, self.catalog)
        self.watchers.append(self.drift)
        self.samples: list[Callable[[], Iterable[Metric]]] = [self.drift.samples]
        self.timers: list[Callable[[Mapping[str, float], float], None]] = [self.measures.took]
        self.adopters: list[Callable[[Settings], None]] = [
            self.keys.adopt,
            self.catalog.adopt,
            lambda changed: self.feedback.adopt(changed.feedback),
        ]
        self._reloading = Reloading(self.ledger, settings, origin)
        self.is_ready = False
        self.is_draining = False
        self.failure = ""
        self._chores = Chores()

    def open(self) -> None:
        """Load what is there, and look after it from now on. Blocks until all is warm."""
        self._adopt()
        self.traffic.refresh()
        self.catalog.refresh()
        self._chores.start("routes", 0.05, self.traffic.refresh)
        self._chores.start("counts", 1.0, self.counts.flush)
        self._chores.start("gates", 1.0, self.judge.look)
        self._chores.start("keys", 0.05, self.keys.refresh)
        self._chores.start("metrics", 1.0, self._leave_measures)
        self._chores.start("settings", 0.25, self._adopt)
        self._chores.start("folders", self.settings.watch_seconds, self.catalog.refresh)
        self._chores.start("wishes", 0.05, self.catalog.follow)
        self._chores.start("photos", 0.2, self.feedback.flush)
        self._chores.start("drift", 0.5, self.drift.flush)
        self.is_ready = not self.is_draining

    def reload(self, settings: Settings | None = None) -> Reloaded:
        """Read the settings anew, or take these; every worker goes by them within a second.

        Raises:
            SettingsError: they make no sense; nothing changed then.
            OutputError: the workers cannot be told; nothing changed then.
        """
        return self._reloading.reload(settings)

    def _adopt(self) -> None:
        changed = self._reloading.refresh()
        if changed is not None:
            self.settings = changed
            logging.getLogger("ninebrains").setLevel(changed.log_level.upper())
            for adopt in self.adopters:
                adopt(changed)

    def _leave_measures(self) -> None:
        self.exchange.leave(own(self.measures, self.mind))

    def begin_drain(self) -> None:
        """From now on not ready, though still answering: the end is near."""
        self.is_draining = True
        self.is_ready = False

    def close(self) -> None:
        """Answer what had begun, and end."""
        self.is_ready = False
        self._chores.close()
        self.mind.close(drain=True, timeout=self.settings.drain_seconds)
        self.feedback.close()
        self.drift.close()
        self.counts.close()
        self.ledger.close()

    async def answer(
        self,
        photo: PhotoSource,
        wanted: Sequence[str | Chosen] | None = None,
        asker: Asker | None = None,
        options: Options | None = None,
    ) -> Answers:
        """Ask some brains about one photo. A brain that fails is told in its `Answered.error`.

        Args:
            photo: a file's bytes, or RGB `uint8[h, w, 3]`.
            wanted: names, `name@number` or `name@alias`, or versions that the traffic has chosen
                already, as one must answer several photos; None for the stable versions of all.
            asker: whose request it is.
            options: how to answer.

        Raises:
            PhotoError: the photo cannot be read.
            MissingError: there is no such brain or version.
            OverloadError: too many requests are waiting, or the deadline cannot be met.
            DeadlineError: there was no answer in time.
            ClosedError: the host is closing.
        """
        asker, options = asker or Asker(), options or Options()
        began = time.perf_counter()
        chosen, future = self._ask(photo, wanted, asker, options)
        try:
            inferences = await asyncio.wrap_future(future)
        except NinebrainsError as error:
            self._tell_failed(chosen, error, time.perf_counter() - began, asker)
            raise
        seconds = time.perf_counter() - began
        answered = tuple(self._answered(one, inferences, seconds, asker, photo) for one in chosen)
        for item in answered:
            self._tell(item)
        self.shadowing.follow(photo, answered)
        for timer in self.timers:
            timer(inferences.timings, seconds)
        return Answers(answered, inferences.photo_size, inferences.timings)

    def _ask(
        self,
        photo: PhotoSource,
        wanted: Sequence[str | Chosen] | None,
        asker: Asker,
        options: Options,
    ) -> tuple[tuple[Chosen, ...], Future[Inferences]]:
        """Send a request off; a version may go away just then, and another one take its place."""
        names = self.catalog.names if wanted is None else tuple(dict.fromkeys(wanted))
        for left in reversed(range(_CHANGED_UNDERNEATH)):
            chosen = self._choose(names, asker)
            try:
                return chosen, self.mind.submit(
                    photo,
                    [one.member for one in chosen],
                    heatmaps=options.heatmaps,
                    deadline_ms=options.deadline_ms or self.settings.limits.deadline_ms,
                    priority=options.priority,
                    on_error="keep",
                )
            except BrainError:
                if not left or all(one.member in self.mind for one in chosen):
                    raise
            except NinebrainsError as error:
                self._tell_failed(chosen, error, 0.0, asker)  # refused at once
                raise
        raise AssertionError("the last try raises")

    def choose(self, wanted: str, asker: Asker) -> Chosen:
        """The version that answers a request; see `Traffic.choose`.

        Raises:
            MissingError: no such brain, version or alias is ready.
            ClosedError: nor could it be: the host is not ready yet.
        """
        try:
            return self.traffic.choose(wanted, asker)
        except MissingError:
            if self.is_ready or self.is_draining:
                raise
            raise ClosedError(_NOT_READY) from None

    def shown(self, wanted: str) -> Chosen:
        """The version that is described when a name is looked up: a trial does not change it.

        Raises:
            MissingError: no such brain, version or alias is ready.
            ClosedError: nor could it be: the host is not ready yet.
        """
        return self.choose(wanted if "@" in wanted else f"{wanted}@stable", Asker())

    def _choose(self, names: Sequence[str | Chosen], asker: Asker) -> tuple[Chosen, ...]:
        if not names and (self.is_ready or self.is_draining):
            raise MissingError("there is no brain here yet")
        if not names:
            raise ClosedError(_NOT_READY)
        return tuple(
            name if isinstance(name, Chosen) else self.choose(name, asker) for name in names
        )

    def _answered(
        self,
        chosen: Chosen,
        inferences: Inferences,
        seconds: float,
        asker: Asker,
        photo: PhotoSource,
    ) -> Answered:
        error = inferences.errors.get(chosen.member)
        if error is not None:
            return Answered(chosen, None, error, seconds, "", asker, b"")
        inference = inferences[chosen.member]
        prediction = self.seal.make(
            chosen.name,
            chosen.number,
            chosen.variant,
            labels=best_labels(inference),
            user=asker.user,
            is_rejected=not inference.is_familiar,
            consent=asker.consent,
        )
        return Answered(chosen, inference, None, seconds, prediction, asker, photo)

    def _tell_failed(
        self, chosen: Sequence[Chosen], error: NinebrainsError, seconds: float, asker: Asker
    ) -> None:
        for one in chosen:
            self._tell(Answered(one, None, error, seconds, "", asker, b""))

    def _tell(self, answered: Answered) -> None:
        for watcher in self.watchers:
            watcher.saw(answered)


def best_labels(inference: Inference) -> tuple[int, ...]:
    """Indices of the labels that a prediction id remembers, the surest first."""
    if inference.is_measured or not len(inference.answers):
        return ()
    scores = inference.answers
    if len(scores) <= NUM_LABELS:
        return tuple(np.argsort(-scores, kind="stable").tolist())
    some = np.argpartition(-scores, NUM_LABELS)[:NUM_LABELS]
    return tuple(some[np.argsort(-scores[some], kind="stable")].tolist())
