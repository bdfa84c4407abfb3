"""What a process holds in memory, from Linux's own books."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_KB = 1024


@dataclass(frozen=True)
class Held:
    """Bytes of this process.

    Attributes:
        resident: all of its pages in memory (RSS).
        proportional: the same, pages shared with other processes counted in parts (PSS).
        private: pages that no other process has (USS).
        peak: the most that `resident` has been.
    """

    resident: int
    proportional: int
    private: int
    peak: int


def held() -> Held:
    """What this process holds now."""
    facts = _facts("smaps_rollup")
    return Held(
        resident=facts["Rss"],
        proportional=facts["Pss"],
        private=facts["Private_Clean"] + facts["Private_Dirty"],
        peak=_facts("status")["VmHWM"],
    )


def resident_bytes() -> int:
    """RSS alone, cheap enough to be asked often."""
    return _facts("status")["VmRSS"]


def _facts(file: str) -> dict[str, int]:
    found = {}
    for line in Path("/proc/self", file).read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[name] = int(value.split()[0]) * _KB
    return found
