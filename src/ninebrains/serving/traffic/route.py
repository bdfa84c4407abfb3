"""How the requests for one name are shared among its versions: plain values, kept in the ledger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ninebrains.serving.settings import Group

Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Number = Annotated[int, Field(ge=1)]
Alias = Literal["stable", "canary", "shadow"]


class Rule(Group):
    """Requests with this header go to that alias: the first rule that fits decides.

    `values`: the header is one of these. `at_least`: it is that version or a later one, such as
    `2.10.0`. Neither: it is there.
    """

    header: str = Field(min_length=1, max_length=100)
    values: tuple[str, ...] = ()
    at_least: str | None = None
    to: Literal["stable", "canary"]


class Route(Group):
    """How the requests for one name are shared.

    Attributes:
        stable: who answers; None: the newest version that is ready.
        canary: who is being tried.
        canary_percent: on that share of users, or of requests that name no user.
        shadow: who runs along unseen.
        shadow_percent: on that share of requests.
        rules: who is sent to stable or canary by a header.
        arrival: what a version becomes that appears.
        previous: what `stable` was before; a roll-back goes there.
    """

    stable: Number | None = None
    canary: Number | None = None
    canary_percent: Percent = 0.0
    shadow: Number | None = None
    shadow_percent: Percent = 100.0
    rules: tuple[Rule, ...] = ()
    arrival: Alias | Literal["nothing"] = "stable"
    previous: Number | None = None
