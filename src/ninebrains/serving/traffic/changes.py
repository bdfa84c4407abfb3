"""What a route becomes: plain functions from one state to the next, and what changed in words."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from pydantic import ValidationError

from ninebrains.errors import RequestError
from ninebrains.serving.traffic.choosing import stable_of
from ninebrains.serving.traffic.gates import Gate
from ninebrains.serving.traffic.route import Route, Rule
from ninebrains.serving.traffic.states import State

_CONFLICT = 409
_MOST_SHOWN = 300
"""Of a value in the history and the log: a route may have rules without end."""


def changed(name: str, state: State, fields: Mapping[str, object], ready: Collection[int]) -> State:
    """The state with other fields of its route.

    Who gives a name its first canary or shadow while `stable` follows the newest version pins
    stable to the version that it is: otherwise the two could become one.

    Raises:
        RequestError: a field is none of a route's, or its value makes no sense.
    """
    old = state.route
    if "previous" in fields:
        raise RequestError("previous cannot be set; it is what stable was before, see roll_back")
    told = {field: getattr(old, field) for field in Route.model_fields} | dict(fields)
    if told["stable"] is None and (told["canary"] is not None or told["shadow"] is not None):
        told["stable"] = stable_of(state, ready)
    for alias in ("canary", "shadow"):
        if told["stable"] is not None and told[alias] == told["stable"]:
            raise RequestError(
                f"{name}@{told[alias]} is stable, so it cannot be {alias} as well; set another "
                "version as stable in the same change"
            )
    if told["canary"] is None and old.canary is not None:
        told["canary_percent"] = fields.get("canary_percent", 0.0)
    try:
        route = Route.model_validate(told)
    except ValidationError as error:
        raise RequestError(_said(error)) from error
    if route.stable != old.stable:
        was = stable_of(state, ready) if old.stable is None else old.stable
        if was is not None and was != route.stable:
            route = route.model_copy(update={"previous": was})
    return follow(state, route)


def promoted(name: str, state: State, number: int | None, ready: Collection[int]) -> State:
    """The state in which the canary, or that version, is stable, and nothing is being tried.

    Raises:
        RequestError: there is no canary, and no version was named.
    """
    new = state.route.canary if number is None else number
    if new is None:
        raise RequestError(
            f"{name} has no canary to promote; name the version that shall be stable", _CONFLICT
        )
    fields: dict[str, object] = {"stable": new, "canary": None}
    if state.route.shadow == new:
        fields["shadow"] = None
    return changed(name, state, fields, ready)


def rolled_back(name: str, state: State, ready: Collection[int]) -> State:
    """The state before the last step: without the canary, or with the stable version of before.

    Raises:
        RequestError: there is no canary, and stable was never anything else.
    """
    route = state.route
    if route.canary is not None:
        return changed(name, state, {"canary": None}, ready)
    if route.previous is None:
        raise RequestError(
            f"{name} has nothing to roll back: no canary, and no version was stable before",
            _CONFLICT,
        )
    fields: dict[str, object] = {"stable": route.previous}
    if route.shadow == route.previous:
        fields["shadow"] = None
    return changed(name, state, fields, ready)


def arrived(
    name: str, state: State, ready: Collection[int], known: Collection[int]
) -> tuple[State, str]:
    """What becomes of versions that are ready for the first time.

    Args:
        name: of the brain.
        state: its route, and which versions have arrived before.
        ready: versions that can be asked.
        known: versions that lie there, ready or not.

    Returns:
        The new state, and what changed; "" for nothing but what has been seen.
    """
    if state.seen is None:
        return state.model_copy(update={"seen": frozenset(known) | frozenset(ready)}), ""
    new = max(set(ready) - state.seen, default=None)
    seen = state.model_copy(update={"seen": state.seen | frozenset(ready)})
    route, before = state.route, [number for number in known if number in state.seen]
    was = route.stable or stable_of(state, before)
    if new is None or was is None or new in (was, route.canary, route.shadow):
        return seen, ""
    if route.arrival == "stable":
        if route.stable is not None or was > new:
            return seen, ""
        followed = route.model_copy(update={"previous": was})
        return follow(seen, followed), f"{new} arrived as stable, after {was}"
    fields: dict[str, object] = {"stable": was}
    if route.arrival == "canary":
        fields |= {"canary": new, "canary_percent": route.arrival_percent}
    elif route.arrival == "shadow":
        fields |= {"shadow": new}
    told = changed(name, state, fields, before)
    if told.route == route:
        return seen, ""
    told = told.model_copy(update={"seen": seen.seen})
    return told, f"{new} arrived as {route.arrival}; {difference(route, told.route)}"


def follow(state: State, route: Route) -> State:
    """The state with that route; a new trial where what is compared, or with what, is another."""
    old = state.route
    fields: dict[str, object] = {"route": route}
    if route.canary is not None and route.canary != old.canary:
        fields["salt"] = state.salt + 1
    if (route.canary, route.gate) != (old.canary, old.gate) or (
        route.canary is not None and route.stable != old.stable
    ):
        fields |= {
            "trial": state.trial + 1,
            "began": time.time(),
            "verdict": None,
            "decided": None,
        }
    return state.model_copy(update=fields)


def difference(old: Route, new: Route) -> str:
    """What changed, for people."""
    return ", ".join(
        f"{field}: {_shown(getattr(old, field))} → {_shown(getattr(new, field))}"
        for field in Route.model_fields
        if getattr(old, field) != getattr(new, field)
    )


def _shown(value: object) -> str:
    """A value of a route in words."""
    text = _in_words(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _in_words(value: object) -> str:
    if isinstance(value, tuple) and value:
        text = f"({'; '.join(map(_in_words, value))})"
    elif isinstance(value, Rule):
        text = _rule_in_words(value)
    elif isinstance(value, Gate):
        told = value.model_dump(exclude_defaults=True)
        text = f"({', '.join(f'{field} {_in_words(goal)}' for field, goal in told.items())})"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(value or "none")
    return text


def _rule_in_words(rule: Rule) -> str:
    if rule.at_least is not None:
        holds = f"is at least {rule.at_least}"
    else:
        holds = f"is {' or '.join(map(repr, rule.values))}" if rule.values else "is there"
    return f"{rule.header} {holds}: to {rule.to}"


def _said(error: ValidationError) -> str:
    """What is wrong with a route, in one line."""
    problems = []
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {what}, got {problem['input']!r:.80}" if where else what)
    return "; ".join(problems)
