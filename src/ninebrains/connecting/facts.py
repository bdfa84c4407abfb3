"""What brains of a host say about themselves, remembered, so that it is asked for once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from ninebrains.brains import Label
from ninebrains.brains.manifest import Metrics, Task
from ninebrains.images import Contract


@dataclass(frozen=True)
class Facts:
    """A version of a brain, as its host describes it.

    Attributes:
        name: of the brain.
        version: its number on the host.
        labels: what it can say, by index.
        contract: how a photo becomes its input.
        task: None for a model from elsewhere without labels.
        metrics: how good it was; None where it was not measured, or in a list of all brains.
        digest: of all it holds.
    """

    name: str
    version: int
    labels: tuple[Label, ...] = field(repr=False)
    contract: Contract = field(repr=False)
    task: Task | None
    metrics: Metrics | None = field(repr=False)
    digest: str = field(repr=False)

    @classmethod
    def read(cls, plain: object) -> Facts:
        """From JSON.

        Raises:
            ValueError: or KeyError, TypeError, AssertionError: it is of another form.
        """
        assert isinstance(plain, dict)
        contract, metrics, task = dict(plain["contract"]), plain["metrics"], plain["task"]
        contract["pad_color"] = tuple(contract["pad_color"])
        assert task in ("classify", "multilabel", "regress", None)
        return cls(
            str(plain["name"]),
            int(plain["version"]),
            tuple(Label.model_validate(label) for label in plain["labels"]),
            Contract(**contract),
            task,
            None if metrics is None else Metrics.model_validate(metrics),
            str(plain["digest"]),
        )


_MOST_KNOWN = 4096


class Known:
    """The facts that a client has seen; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_version: dict[tuple[str, int], Facts] = {}
        self._by_wish: dict[str, Facts] = {}
        self._has_all = False

    def keep(self, facts: Facts, wish: str | None = None) -> None:
        """Remember facts, and that they answer a wish (`pets`, `pets@canary`)."""
        with self._lock:
            self._by_version[facts.name, facts.version] = facts
            self._by_wish[wish or facts.name] = facts
            if len(self._by_version) > _MOST_KNOWN:  # versions come and go for years
                del self._by_version[next(iter(self._by_version))]
            if len(self._by_wish) > _MOST_KNOWN:
                del self._by_wish[next(iter(self._by_wish))]

    def keep_all(self, many: Iterable[Facts]) -> None:
        """Remember what a host says of all its brains."""
        for facts in many:
            self.keep(facts)
        self._has_all = True

    def find(self, name: str, version: int) -> Facts | None:
        """The facts of a version, if they are known."""
        return self._by_version.get((name, version))

    def wished(self, brains: Iterable[str] | None) -> list[Facts] | None:
        """Those who probably answer; None where one is not known.

        It may be another version by now: then the reply says so, and one asks again.
        """
        with self._lock:
            if brains is None:
                return list(self._by_wish.values()) if self._has_all else None
            found = [self._by_wish.get(name) for name in brains]
        known = [facts for facts in found if facts is not None]
        return known if len(known) == len(found) else None

    def forget(self, name: str, version: int) -> None:
        """Another brain stands under this number now."""
        with self._lock:
            self._by_version.pop((name, version), None)
            for wish in [wish for wish, facts in self._by_wish.items() if facts.name == name]:
                del self._by_wish[wish]
