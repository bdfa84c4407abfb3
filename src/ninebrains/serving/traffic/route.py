"""How the requests for one name are shared among its versions: plain values, kept in the ledger."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ninebrains.serving.settings import Group
from ninebrains.serving.traffic.gates import Gate

Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Number = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
Alias = Literal["stable", "canary", "shadow"]
AppVersion = tuple[tuple[int, ...], int]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_APP_VERSION = re.compile(r"\s*v?(\d{1,9}(?:\.\d{1,9}){0,9})(?!\d)(-?)", re.ASCII)


class Rule(Group):
    """Requests with this header go to that alias: the first rule that fits decides.

    `values`: the header is one of these. `at_least`: it is that version or a later one, such as
    `2.10.0`. Neither: it is there.
    """

    header: str = Field(min_length=1, max_length=100)
    values: tuple[str, ...] = ()
    at_least: str | None = None
    to: Literal["stable", "canary"]

    @field_validator("header")
    @classmethod
    def _lower(cls, header: str) -> str:
        if _HEADER.fullmatch(header) is None:
            raise ValueError("no header can be called so; expected a name such as x-app-version")
        return header.lower()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.values and self.at_least is not None:
            raise ValueError("a rule has `values` or `at_least`, not both; write two rules")
        if self.at_least is not None and app_version(self.at_least) is None:
            raise ValueError(f"at_least is {self.at_least!r}; expected a version such as 2.10.0")
        return self

    def fits(self, header: str | None) -> bool:
        """Whether the rule holds for what a request says in that header; None: nothing."""
        if header is None:
            return False
        if self.at_least is None:
            return not self.values or header in self.values
        least, got = app_version(self.at_least), app_version(header)
        return least is not None and got is not None and got >= least


class Route(Group):
    """How the requests for one name are shared.

    Attributes:
        stable: who answers; None: the newest version that is ready.
        canary: who is being tried.
        canary_percent: on that share of users, or of requests that name no user. 0 again when the
            trial ends.
        shadow: who runs along unseen.
        shadow_percent: on that share of the requests that stable answers.
        rules: who is sent to stable or canary by a header.
        arrival: what a version becomes that appears. `stable` moves `stable` along only while that
            is None; `canary` and `shadow` take the place of the one there was.
        arrival_percent: on what share a canary begins that arrives.
        gate: what a canary has to reach; None: nobody decides but people.
        previous: what `stable` was before; a roll-back goes there.
    """

    stable: Number | None = None
    canary: Number | None = None
    canary_percent: Percent = 0.0
    shadow: Number | None = None
    shadow_percent: Percent = 100.0
    rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    arrival: Alias | Literal["nothing"] = "stable"
    arrival_percent: Percent = 10.0
    gate: Gate | None = None
    previous: Number | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.canary is not None and self.canary == self.stable:
            raise ValueError(f"version {self.canary} cannot be canary and stable at once")
        return self


@lru_cache(1024)
def app_version(text: str) -> AppVersion | None:
    """A version as something that can be compared; None where there is none.

    `2.10.0` is later than `2.9` and the same as `2.10`; `2.10.0-beta` is earlier than both.
    """
    found = _APP_VERSION.match(text)
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), 0 if found[2] else 1
