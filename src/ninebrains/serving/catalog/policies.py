"""What policies speak of and is not there: mostly a mistake, though it may be yet to come."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from ninebrains.serving.repository import Problem, Shelf
from ninebrains.serving.settings import Policy, Settings

_MOST_SHOWN = 8


def unmet(settings: Settings, shelf: Shelf) -> tuple[Problem, ...]:
    """Names and versions that the settings have policies for, and that do not lie there."""
    return tuple(_unmet(settings, shelf))


def _unmet(settings: Settings, shelf: Shelf) -> Iterator[Problem]:
    others = [there for name, there in shelf.items() if name not in settings.policies]
    if others:
        missing = _missing(settings.policy, {number for there in others for number in there})
        if missing:
            yield Problem("policy", f"wants {missing}, which no name has here")
    for name, policy in sorted(settings.policies.items()):
        if name not in shelf:
            close = get_close_matches(name, shelf, 1)
            hint = f"; is {close[0]} meant?" if close else ""
            yield Problem(f"policies.{name}", f"is for a name that does not lie here{hint}")
            continue
        missing = _missing(policy, shelf[name])
        if missing:
            yield Problem(f"policies.{name}", f"wants {missing}, which does not lie here")


def _missing(policy: Policy, there: Collection[int]) -> str:
    """The versions that a policy names in vain; "" where there are none."""
    if policy.load != "these":
        return ""
    numbers = [str(number) for number in sorted(set(policy.numbers).difference(there))]
    shown = ", ".join(numbers[:_MOST_SHOWN]) + (" …" if len(numbers) > _MOST_SHOWN else "")
    return f"version {shown}" if numbers else ""
