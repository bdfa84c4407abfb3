"""What requests to `/admin` hold, and what replies do."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ninebrains.serving.catalog import State, Version
from ninebrains.serving.keys import MOST_AT_ONCE, MOST_PER_SECOND
from ninebrains.serving.settings import Group, Scope
from ninebrains.serving.traffic.gates import GateStatus, Verdict
from ninebrains.serving.traffic.route import Number, Route
from ninebrains.serving.traffic.states import Happening
from ninebrains.serving.traffic.summaries import Summary

Why = Annotated[str, Field(max_length=500, description="Stands in the history.")]


class Told(BaseModel):
    """A reply."""

    model_config = ConfigDict(frozen=True)


class VersionTold(Told):
    """One version of one name."""

    name: str
    number: int
    state: State
    reason: str = Field(description="Why it cannot be asked, or what its newer files lack.")
    own_name: str | None = Field(description="As it is called in its own file, once loaded.")
    own_version: str | None
    digest: str = Field(description="Of all it holds, once loaded.")
    aliases: list[str] = Field(description="Which of stable, canary and shadow it is.")

    @classmethod
    def of(cls, version: Version, route: Route, stable: int | None) -> VersionTold:
        """A version as the catalog knows it, with the aliases that a route gives it."""
        aliases = {"stable": stable, "canary": route.canary, "shadow": route.shadow}
        return cls(
            name=version.name,
            number=version.number,
            state=version.state,
            reason=version.reason,
            own_name=version.facts.name if version.facts else None,
            own_version=version.facts.version if version.facts else None,
            digest=version.digest,
            aliases=[alias for alias, number in aliases.items() if number == version.number],
        )


class NameTold(Told):
    """One name, its versions and how requests are shared among them."""

    name: str
    route: Route
    versions: list[VersionTold]


class NamesTold(Told):
    """All names that lie in the folders, and what lies there and is no version."""

    names: list[NameTold]
    problems: list[str]


class RouteChange(Route):
    """Some fields of a route; those that are missing stay as they are."""

    why: Why = ""


class Promotion(Group):
    """What to promote: the canary, or that version."""

    number: Number | None = None
    why: Why = ""


class RollBack(Group):
    """Why to roll back."""

    why: Why = ""


class CountsTold(Told):
    """What became of the requests for a name."""

    versions: list[Summary]


class HistoryTold(Told):
    """What happened to a route, the latest first."""

    history: list[Happening]


class TrialTold(Told):
    """How a trial stands."""

    verdict: Verdict | None = Field(description="What the gate decided, once it did.")
    gate: GateStatus | None = Field(description="null where no trial has a gate.")


class KeyTold(Told):
    """A key, without its secret."""

    name: str
    scopes: list[Scope]
    requests_per_second: float | None
    at_once: int | None
    source: str = Field(description="`ledger`, or `settings`, where it cannot be removed.")
    seconds: int | None = Field(description="When it was added, since 1970.")


class KeysTold(Told):
    """All keys."""

    keys: list[KeyTold]


class NewKey(Group):
    """A key to make."""

    name: str = Field(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["shop"]
    )
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)] = ("infer", "feedback")
    requests_per_second: Annotated[float, Field(gt=0.0, le=MOST_PER_SECOND)] | None = None
    at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] | None = None


class SecretTold(Told):
    """A key that was made. The secret is told this once."""

    name: str
    secret: str


class Forgotten(Told):
    """What was deleted."""

    photos: int
    feedback: int


class ReloadTold(Told):
    """What came of reading the settings anew."""

    changed: list[str] = Field(description="Settings that all workers take over in a moment.")
    needs_restart: list[str] = Field(description="Settings that count from the next start on.")
