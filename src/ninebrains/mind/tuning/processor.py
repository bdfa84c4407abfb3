"""Which processor this is, for remembering what was fastest on it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_NAMED_BY = ("model name", "CPU implementer", "CPU part", "Hardware", "uarch")


@cache
def model() -> str:
    """The processor's model, as the operating system names it."""
    fields = _fields()
    parts = [fields[name] for name in _NAMED_BY if name in fields]
    return " ".join(parts) or platform.processor() or platform.machine()


@cache
def features() -> frozenset[str]:
    """The instruction sets it has, as Linux names them; empty where that cannot be known."""
    fields = _fields()
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())


@cache
def _fields() -> dict[str, str]:
    """What Linux says about the first core."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}  # not Linux: there is no portable way to ask
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
