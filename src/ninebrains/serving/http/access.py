"""What each route needs: which scope of a key, and how much may be sent.

What changes something and is not named here needs the scope `admin`; what only reads needs `infer`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ninebrains.serving.settings import Scope

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What a request needs.

    Attributes:
        scopes: any of which is enough; none are needed where it is empty.
        is_page: about the host itself: open to all where only this machine can reach it.
        asks: wants answers, which waits in the mind.
        uploads: may bring a brain.
        is_probe: comes again and again, and says nothing in a log.
    """

    scopes: tuple[Scope, ...]
    is_page: bool = False
    asks: bool = False
    uploads: bool = False
    is_probe: bool = False


_PROBE = Rule((), is_probe=True)
_ASK = Rule(("infer",), asks=True)
_READ = Rule(("infer",))
_FEEDBACK = Rule(("feedback",))
_ADMIN = Rule(("admin",), uploads=True)
_METRICS = Rule(("infer", "admin"), is_page=True, is_probe=True)
_PAGE = Rule(("infer", "feedback", "admin"), is_page=True)
_OUTLOOK = Rule(("infer", "admin"), is_page=True)

_ANY_METHOD = {
    "livez": _PROBE,
    "readyz": _PROBE,
    "infer": _ASK,
    "metrics": _METRICS,
    "openapi.json": _PAGE,
    "docs": _PAGE,
    "admin": _ADMIN,
}


def rule_of(method: str, path: str) -> Rule:
    """What a request needs, by its method and path."""
    family, _slash, rest = path[1:].partition("/")
    found = _ANY_METHOD.get(family)
    if found is not None:
        return found
    reads = method in _READING
    if family == "v1":
        return _READ if reads else _ASK
    if family == "v2":
        return _of_inference(rest, reads=reads)
    if family == "feedback":
        return _ADMIN if rest else _FEEDBACK
    if family == "drift" and reads:
        return _OUTLOOK
    return _READ if reads else _ADMIN


def _of_inference(rest: str, *, reads: bool) -> Rule:
    """Of the Open Inference Protocol, where `rest` is the path after `/v2/`."""
    if reads:
        return _PROBE if rest in {"health/live", "health/ready"} else _READ
    if rest.startswith("models/") and rest.endswith(("/infer", "/generate", "/explain")):
        return _ASK
    return _READ if rest == "repository/index" else _ADMIN
