"""Answers a second: our server beside FastAPI by hand, LitServe, BentoML, MLServer, Ray, PyTriton.

    python -m benchmarks.serving.throughput [--quick] [--trunks octo] [--folder ...]

JPEG in, JSON labels out. Four loads: one brain with web photos (50 to 400 KB), one brain with
24-megapixel phone photos, and sixteen brains on one trunk, each request asking for one of them at
random or for all. Peers hold the same networks as plain ONNX files and decode with Pillow as their
own examples do; FastAPI also with our decoding, which shows what the server alone costs.

Peers run as their documentation advises: a process a core, each with a thread of the network. Each
repeat runs all of them one after the other in fresh processes, wrk in a process of its own on the
same cores, with so many connections that nobody idles. Figures are medians over the repeats, ratios
the medians of each repeat's ratio. A peer that does not start is left out, and said so.
"""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.mind.brains import make_brains
from benchmarks.mind.measuring import Asked, in_process, ratio, rounded, start
from benchmarks.running import median
from benchmarks.serving import bare
from benchmarks.serving.load import Load, Prepared, need_wrk, send, write_requests
from benchmarks.serving.photos import phone_photos, web_photos
from benchmarks.serving.servers import Given, Server, present, serving

NUM_BRAINS = 16
CONNECTIONS = {"web": 8, "phone": 2, "random": 8, "all": 4}
_REQUESTS = 96

measure = bare.measure


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
        self._seconds = 3.0
        self._found: Found = {}
        self._bare: dict[str, list[float]] = {"web": [], "phone": []}

    def rows(self) -> list[dict[str, object]]:
        """Measure, and say what was found."""
        repeats = int(self._asked.quickly(3, 1))
        for repeat in range(repeats):
            for kind, rates in self._bare.items():
                rates.append(self._bare_rate(kind))
            for server in self._servers:
                try:
                    measured = self._measured(server)
                except SystemExit as error:
                    print(f"{server.title}: left out of this repeat: {str(error)[:300]}")
                    continue
                for load, done in measured.items():
                    self._found.setdefault((server.title, load), []).append(done)
                    told = f"{done.rate:.1f} a second, p99 {done.p99_ms:.1f} ms"
                    print(self._trunk, repeat + 1, server.title, load, told, flush=True)
        return [
            self._row(server, load)
            for load in CONNECTIONS
            for server in self._servers
            if (server.title, load) in self._found
        ]

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

    def _measured(self, server: Server) -> dict[str, Load]:
        found: dict[str, Load] = {}
        for count, loads in ((1, ("web", "phone")), (NUM_BRAINS, ("random", "all"))):
            with serving(server, self._given(count)) as (port, _):
                for load in loads:
                    listed = self._requests(server, load)
                    connections = CONNECTIONS[load]
                    send(listed, port, connections=connections, seconds=1)
                    found[load] = send(listed, port, connections=connections, seconds=self._seconds)
                    if found[load].errors:
                        raise SystemExit(f"{server.title}: {found[load].errors} errors, {load}")
        return found

    def _row(self, server: Server, load: str) -> dict[str, object]:
        here = self._found[server.title, load]
        ours = [one.rate for one in self._found["ninebrains", load]][: len(here)]
        bare_rates = self._bare.get(load, [])[: len(here)]
        return rounded(
            {
                "trunk": self._trunk,
                "load": load,
                "server": server.title,
                "version": server.version() if server.package else "",
                "processes": server.setting[0],
                "connections": CONNECTIONS[load],
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


if __name__ == "__main__":
    start(main, measure)
