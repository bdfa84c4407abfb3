"""What a lone request costs above decoding and the network.

    python -m benchmarks.serving.overhead [--quick] [--trunks octo] [--folder ...]

One connection, one web photo after the other, over a plain socket in a process of its own. The
overhead of a request is the time from its first byte sent to its answer's last byte, less what the
reply says that decoding and the network took.
"""

from __future__ import annotations

import http.client
import json
import time

from benchmarks.mind.brains import make_brains
from benchmarks.mind.measuring import Asked, Measured, in_process, rounded, start
from benchmarks.running import median
from benchmarks.serving.photos import web_photos
from benchmarks.serving.servers import SERVERS, Given, serving

_WARM = 50


def main(asked: Asked) -> None:
    rows: list[dict[str, object]] = []
    count, repeats = int(asked.quickly(500, 100)), int(asked.quickly(3, 1))
    for trunk in asked.trunks:
        given = Given(make_brains(trunk, 1, asked.folder), asked.folder)
        found: dict[str, list[Measured]] = {}
        for _ in range(repeats):
            for server in SERVERS[:1]:
                with serving(server, given) as (port, _process):
                    told = {"port": port, "name": given.names[0], "count": count}
                    once = in_process("overhead", asked.folder, "serving", **told)
                    found.setdefault(server.title, []).append(once)
        rows += [
            rounded(
                {
                    "trunk": trunk,
                    "server": title,
                    "requests": count,
                    "repeats": repeats,
                    **{key: median(one[key] for one in runs) for key in runs[0]},
                }
            )
            for title, runs in found.items()
        ]
    asked.report("serving_overhead", rows)


def measure(port: int, name: str, count: int) -> Measured:
    """Medians over the requests, in milliseconds."""
    photos = web_photos()
    line = http.client.HTTPConnection("127.0.0.1", port)
    rows = [_ask(line, name, photos[number % len(photos)]) for number in range(_WARM + count)]
    return {key: median(row[key] for row in rows[_WARM:]) for key in rows[0]}


def _ask(line: http.client.HTTPConnection, name: str, photo: bytes) -> dict[str, float]:
    began = time.perf_counter()
    line.request("POST", f"/infer?brains={name}", photo, {"Content-Type": "image/jpeg"})
    reply = line.getresponse()
    body = reply.read()
    whole = 1e3 * (time.perf_counter() - began)
    timings = json.loads(body)["photos"][0]["timings"]
    work = timings["decode_ms"] + timings["network_ms"]
    return {"request_ms": whole, "decode_and_network_ms": work, "overhead_ms": whole - work}


if __name__ == "__main__":
    start(main, measure)
