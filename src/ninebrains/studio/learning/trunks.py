"""The trunks that are there to choose from, with what each costs on this machine."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np

from ninebrains.trunks import CATALOG, list_trunks, load_trunk

_TIMED = 3


def told_trunks() -> list[dict[str, Any]]:
    """Every trunk that is kept: its size, and milliseconds for a photo on one core.

    Those that could be fetched come after them; nothing is fetched from here.
    """
    found: list[dict[str, Any]] = []
    for summary in list_trunks():
        if summary.record is None or summary.problem is not None:
            continue
        contract = summary.record.contract
        found.append(
            {
                "name": summary.name,
                "kept": True,
                "megabytes": summary.size_bytes / 1e6,
                "side": max(contract.height, contract.width),
                "features": summary.record.num_features,
                "ms": _milliseconds(summary.name, summary.record.hash),
            }
        )
    kept = {one["name"] for one in found}
    for listed in CATALOG:
        if listed.name not in kept:
            command = f"ninebrains trunk pull {listed.name}"
            size = listed.megabytes
            found.append(
                {"name": listed.name, "kept": False, "megabytes": size, "command": command}
            )
    return found


@cache
def _milliseconds(name: str, _hash: str) -> float:
    """The median of a few runs; measured once."""
    trunk = load_trunk(name)
    photo = np.zeros((1, *trunk.contract.shape), np.uint8)
    trunk.run(photo, threads=1)
    times = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        trunk.run(photo, threads=1)
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)[_TIMED // 2]
