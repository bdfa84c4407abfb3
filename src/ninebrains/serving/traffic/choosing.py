"""Who answers a request, given a route and which versions are ready: plain functions.

The order in which it is decided: a version or alias that was asked for; the first rule that fits;
the canary's share; stable. Where the one decided on is not ready, stable answers; where stable is
not, what it was before, or else the newest version that is. A name fails only when nothing of it is
ready, or when another version or alias was asked for that is not.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from ninebrains.serving.asking import Asker, Chosen
from ninebrains.serving.traffic.route import Rule
from ninebrains.serving.traffic.states import State

_ALL = 2.0**64


@dataclass(frozen=True, slots=True)
class Plan:
    """How the requests for a name are shared just now.

    Attributes:
        stable: who answers by default.
        canary: who is being tried and can be asked.
        bound: users whose hash is below get the canary, and that part of nobody's requests.
        salt: goes before the user in the hash.
        rules: sent by a header.
        shadow: who runs along unseen and can be asked.
        shadow_share: on that share of stable's requests, 0 to 1.
        compared_share: that share of the canary's requests is sent to stable as well, 0 to 1.
    """

    stable: Chosen
    canary: Chosen | None = None
    bound: float = 0.0
    salt: bytes = b""
    rules: tuple[Rule, ...] = ()
    shadow: Chosen | None = None
    shadow_share: float = 0.0
    compared_share: float = 0.0

    def choose(self, asker: Asker) -> Chosen:
        """Who answers."""
        if self.canary is None:
            return self.stable
        for rule in self.rules:
            if rule.fits(asker.headers.get(rule.header)):
                return self.canary if rule.to == "canary" else self.stable
        if asker.user:
            user = asker.user.encode("utf-8", "surrogatepass")
            place = float(int.from_bytes(blake2b(self.salt + user, digest_size=8).digest(), "big"))
        else:
            place = random.random() * _ALL  # noqa: S311 - a share of requests, no secret
        return self.canary if place < self.bound else self.stable

    def unseen(self, chosen: Chosen) -> tuple[Chosen, ...]:
        """Who is asked as well, without anyone waiting for it."""
        if chosen.variant == "stable" and self.shadow is not None:
            other, share = self.shadow, self.shadow_share
        elif chosen == self.canary and self.compared_share:
            other, share = self.stable, self.compared_share
        else:
            return ()
        if other.number == chosen.number or random.random() >= share:  # noqa: S311 - as above
            return ()
        return (Chosen(other.name, other.number, "shadow"),)


def plan(name: str, state: State, ready: Sequence[int]) -> Plan:
    """What holds while neither the route changes nor what is ready.

    Args:
        name: of the brain.
        state: its route.
        ready: numbers that can be asked, the newest last; one at least.
    """
    route, stable = state.route, stable_of(state, ready)
    assert stable is not None
    canary = route.canary if route.canary in ready and route.canary != stable else None
    is_compared = route.gate is not None and route.gate.agreement is not None
    return Plan(
        stable=Chosen(name, stable, "stable"),
        canary=None if canary is None else Chosen(name, canary, "canary"),
        bound=route.canary_percent / 100 * _ALL,
        salt=f"{name}\0{state.salt}\0".encode(),
        rules=route.rules,
        shadow=None
        if route.shadow is None or route.shadow not in ready
        else Chosen(name, route.shadow, "shadow"),
        shadow_share=route.shadow_percent / 100,
        compared_share=route.gate.agreement_percent / 100 if is_compared and route.gate else 0.0,
    )


def stable_of(state: State, numbers: Collection[int]) -> int | None:
    """Who of `numbers` is stable: the version that was set, or what comes nearest to it.

    Where the newest is to be stable, a version that did not arrive yet is not, if arriving makes it
    something else; nor is one that is being tried, as long as there are others.
    """
    route = state.route
    for number in (route.stable, route.previous if route.stable is not None else None):
        if number is not None and number in numbers:
            return number
    tried = {route.canary, route.shadow}
    known = [number for number in numbers if number not in tried]
    if route.arrival != "stable" and state.seen is not None:
        known = [number for number in known if number in state.seen] or known
    return max(known or numbers, default=None)
