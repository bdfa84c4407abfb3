"""Putting a brain live on a host: a trial stays a trial, and its number stays that of the brain.

A host whose route names no stable version is answered for by its newest. So whoever tries a brain
there names what answers now as stable first, before the brain is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ninebrains.errors import MissingError, NinebrainsError, RequestError
from ninebrains.studio.shipping.client import HostClient

_ROLES = ("stable", "canary", "shadow")
_WHY = "from the studio"
_TAKEN = 409


@dataclass(frozen=True)
class _Name:
    """A name on a host as it is now.

    Attributes:
        route: how its requests are shared; empty where the host does not know the name.
        numbers: of its versions.
        serving: the version that answers whoever is not part of a trial, or None.
    """

    route: dict[str, Any]
    numbers: frozenset[int]
    serving: int | None


def path_of(name: str, what: str = "") -> str:
    """Where a host tells of a name, or of something about it."""
    return f"/admin/brains/{quote(name)}" + (f"/{what}" if what else "")


def put_live(
    client: HostClient, name: str, brain: Path, number: int, role: str, percent: float
) -> int:
    """Give a host a brain, and a part in answering.

    Args:
        client: of the host.
        name: of the brain there.
        brain: its file.
        number: that its version is to have there, if that is free; else it is the next one.
        role: `stable` (answers everybody), `canary` (answers a share) or `shadow` (runs along). The
            first of a name answers everybody in any case.
        percent: the share of a canary or shadow.

    Returns:
        The number of the version.

    Raises:
        HostError: or any other error of a host. What answered before goes on to do so.
    """
    _check(role, percent)
    before = _look(client, name)
    held, undo = _held(before, role)
    if held:
        _change(client, name, held)
    try:
        got = _upload(client, name, brain, number, before.numbers)
        fields = {"stable": got} if before.serving is None else _part(got, role, percent, before)
        undo.pop("stable", None)
        _change(client, name, {**undo, **fields})
    except NinebrainsError:
        if undo:
            _change(client, name, undo)
        raise
    return got


def split(client: HostClient, name: str, number: int, role: str, percent: float) -> None:
    """Give a version that is there a part in answering; see `put_live`.

    Raises:
        RequestError: it answers everybody, so that it cannot be tried.
        HostError: or any other error of a host.
    """
    _check(role, percent)
    before = _look(client, name)
    if role != "stable" and before.serving == number:
        raise RequestError(
            f"version {number} answers everybody now, so it cannot be tried on some. Put another "
            "version live for everybody first; nothing was changed.",
            _TAKEN,
        )
    _change(client, name, _part(number, role, percent, before))


def _check(role: str, percent: float) -> None:
    if role not in _ROLES or not 0.0 <= percent <= 100.0:
        raise RequestError("a version is stable, canary or shadow, on 0 to 100 percent")


def _look(client: HostClient, name: str) -> _Name:
    try:
        told = client.get(path_of(name))
    except MissingError:
        return _Name({}, frozenset(), None)
    versions = told["versions"]
    serving = [int(one["number"]) for one in versions if "stable" in one["aliases"]]
    numbers = frozenset(int(one["number"]) for one in versions)
    return _Name(told["route"], numbers, serving[0] if serving else None)


def _held(before: _Name, role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is to hold while a brain arrives, so that it takes no part by itself; and the way back.

    Without that it would answer everybody, or take the place of another that is being tried.
    """
    held: dict[str, Any] = {}
    if role != "stable" and before.serving is not None and before.route["stable"] is None:
        held["stable"] = before.serving
    if before.route and before.route["arrival"] not in ("stable", "nothing"):
        held["arrival"] = "nothing"
    return held, {field: before.route[field] for field in held}


def _upload(client: HostClient, name: str, brain: Path, number: int, taken: frozenset[int]) -> int:
    """Give a host a brain, under its own number if that can be; the number that it got."""
    if number not in taken:
        try:
            return int(client.upload(name, brain, number)["number"])
        except RequestError as error:
            if error.status != _TAKEN:  # by a file that is no version, or since we looked
                raise
    return int(client.upload(name, brain)["number"])


def _part(number: int, role: str, percent: float, before: _Name) -> dict[str, Any]:
    """The fields of a route that give a version a part, and only that one."""
    fields: dict[str, Any] = {role: number}
    if role != "stable":
        fields[f"{role}_percent"] = percent
    others = [key for key in ("canary", "shadow") if key != role]
    return fields | {key: None for key in others if before.route.get(key) == number}


def _change(client: HostClient, name: str, fields: dict[str, Any]) -> None:
    client.send("PATCH", path_of(name, "route"), {**fields, "why": _WHY})
