"""Answers a second: our server beside FastAPI by hand, LitServe, BentoML, MLServer, Ray, PyTriton.

    python -m benchmarks.serving.throughput [--quick] [--trunks octo] [--folder ...]

JPEG in, JSON labels out. Four loads: one brain with web photos (50 to 400 KB), one brain with
24-megapixel phone photos, and sixteen brains on one trunk, each request asking for one of them at
random or for all. Peers hold the same networks as plain ONNX files and decode with Pillow as their
own examples do; FastAPI also with our decoding, which shows what the server alone costs.

Each repeat runs all of them one after the other in fresh processes, wrk in a process of its own on
the same cores. In the first one each tries its settings (processes, threads of a network) and
numbers of connections; it keeps those with the most answers a second whose 99th percentile is at
most 100 ms, or the fewest connections where none is. Figures are medians over the repeats, ratios
the medians of each repeat's ratio.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mind.brains import make_brains
from benchmarks.mind.measuring import Asked, in_process, ratio, rounded, start
from benchmarks.running import median
from benchmarks.serving import bare
from benchmarks.serving.load import Load, Prepared, need_wrk, send, write_requests
from benchmarks.serving.photos import phone_photos, web_photos
from benchmarks.serving.servers import Given, Server, present, serving

MOST_P99_MS = 100.0
NUM_BRAINS = 16
CONNECTIONS = {"web": (4, 8, 16), "phone": (1, 2, 4), "random": (4, 8, 16), "all": (2, 4, 8)}
_REQUESTS = 96

measure = bare.measure


@dataclass(frozen=True)
class Way:
    """How a server is asked: (processes, threads of a network), and connections by load."""

    setting: tuple[int, int]
    connections: Mapping[str, int]


Found = dict[tuple[str, str], list[Load]]
"""What every repeat found, by server and load."""


def main(asked: Asked) -> None:
    need_wrk()
    rows: list[dict[str, object]] = []
    for trunk in asked.trunks:
        rows += _Comparison(asked, trunk).rows()
    asked.report("serving_throughput", rows)


class _Comparison:
    """All servers on one trunk."""

    def __init__(self, asked: Asked, trunk: str) -> None:
        self._asked = asked
        self._trunk = trunk
        self._brains = make_brains(trunk, NUM_BRAINS, asked.folder)
        self._servers = present()
        self._seconds = asked.quickly(4, 3)
        self._found: Found = {}
        self._bare: dict[str, list[float]] = {"web": [], "phone": []}
        self._ways: dict[str, Way] = {}

    def rows(self) -> list[dict[str, object]]:
        """Measure, and say what was found."""
        repeats = int(self._asked.quickly(3, 1))
        for repeat in range(repeats):
            for kind, rates in self._bare.items():
                rates.append(self._bare_rate(kind))
            for server in self._servers:
                if repeat == 0:
                    self._ways[server.title] = self._tried(server)
                for load, done in self._measured(server, self._ways[server.title]).items():
                    self._found.setdefault((server.title, load), []).append(done)
                print(self._trunk, f"repeat {repeat + 1} of {repeats}", server.title, flush=True)
        return [self._row(server, load) for load in CONNECTIONS for server in self._servers]

    def _bare_rate(self, kind: str) -> float:
        found = in_process(
            "throughput",
            self._asked.folder,
            "serving",
            brain=self._brains[0],
            where=self._asked.folder,
            kind=kind,
            seconds=self._seconds,
        )
        return float(found["rate"])

    def _given(self, count: int) -> Given:
        return Given(self._brains[:count], self._asked.folder)

    def _requests(self, server: Server, load: str) -> Path:
        given = self._given(1 if load in ("web", "phone") else NUM_BRAINS)
        photos = phone_photos(self._asked.folder) if load == "phone" else web_photos()
        rng = random.Random(5)
        prepared: list[Prepared] = []
        for number in range(_REQUESTS if load == "random" else len(photos)):
            one = rng.choice(given.names) if load == "random" else given.names[0]
            prepared.append(
                server.prepare(photos[number % len(photos)], "" if load == "all" else one)
            )
        return write_requests(prepared, self._asked.folder / "requests" / server.title / load)

    def _tried(self, server: Server) -> Way:
        """The fastest way to ask it."""
        rates: dict[tuple[int, int], Load] = {}
        for setting in server.settings:
            with serving(server, self._given(1), setting) as (port, _):
                listed = self._requests(server, "web")
                rates[setting] = send(listed, port, connections=8, seconds=self._seconds)
        setting = max(rates, key=lambda tried: rates[tried].rate)
        chosen: dict[str, int] = {}
        for count, loads in ((1, ("web", "phone")), (NUM_BRAINS, ("random", "all"))):
            with serving(server, self._given(count), setting) as (port, _):
                for load in loads:
                    listed = self._requests(server, load)
                    tried = {
                        number: send(listed, port, connections=number, seconds=self._seconds)
                        for number in CONNECTIONS[load]
                    }
                    chosen[load] = _best(tried)
        return Way(setting, chosen)

    def _measured(self, server: Server, way: Way) -> dict[str, Load]:
        found: dict[str, Load] = {}
        for count, loads in ((1, ("web", "phone")), (NUM_BRAINS, ("random", "all"))):
            with serving(server, self._given(count), way.setting) as (port, _):
                for load in loads:
                    listed = self._requests(server, load)
                    connections = way.connections[load]
                    send(listed, port, connections=connections, seconds=1)
                    found[load] = send(listed, port, connections=connections, seconds=self._seconds)
                    if found[load].errors:
                        raise SystemExit(f"{server.title}: {found[load].errors} errors, {load}")
        return found

    def _row(self, server: Server, load: str) -> dict[str, object]:
        here, way = self._found[server.title, load], self._ways[server.title]
        ours = [one.rate for one in self._found["ninebrains", load]]
        bare_rates = self._bare.get(load)
        return rounded(
            {
                "trunk": self._trunk,
                "load": load,
                "server": server.title,
                "version": server.version() if server.package else "",
                "processes": way.setting[0],
                "threads": way.setting[1] or "",
                "connections": way.connections[load],
                "repeats": len(here),
                "answers_per_s": median(one.rate for one in here),
                "p50_ms": median(one.p50_ms for one in here),
                "p99_ms": median(one.p99_ms for one in here),
                "ours_times_faster": ratio(ours, [one.rate for one in here]),
                "of_bare_loop": (
                    ratio([one.rate for one in here], bare_rates) if bare_rates else None
                ),
            }
        )


def _best(tried: Mapping[int, Load]) -> int:
    """The number of connections with the most answers a second among those quick enough."""
    quick: Sequence[int] = [n for n, load in tried.items() if load.p99_ms <= MOST_P99_MS]
    return max(quick, key=lambda n: tried[n].rate) if quick else min(tried)


if __name__ == "__main__":
    start(main, measure)
