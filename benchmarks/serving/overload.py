"""Three times more requests than there is capacity, for a minute.

    python -m benchmarks.serving.overload [--quick] [--trunks octo] [--folder ...]

Capacity is what wrk gets from the host over eight connections. Then hey (Debian: `apt install hey`)
sends three times as many a second for a minute, each of many workers at a fixed pace, and writes
down every answer. Who is answered and how many a second, how fast the others are refused, and how
long after the end a lone request takes as long as before: within half again of the median.
"""

from __future__ import annotations

import csv
import http.client
import io
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.mind.brains import make_brains
from benchmarks.mind.figures import percentile
from benchmarks.mind.measuring import Asked, command_line, rounded
from benchmarks.running import median
from benchmarks.serving.load import Prepared, need_wrk, send, write_requests
from benchmarks.serving.photos import web_photos
from benchmarks.serving.servers import SERVERS, Given, serving

TIMES = 3
WORKERS = 800
_REFUSED = ("429", "503")


def main(asked: Asked) -> None:
    need_wrk()
    if shutil.which("hey") is None:
        raise SystemExit("this benchmark needs hey (Debian: apt install hey)")
    asked.report("serving_overload", [_on_trunk(asked, trunk) for trunk in asked.trunks])


def _on_trunk(asked: Asked, trunk: str) -> dict[str, object]:
    given = Given(make_brains(trunk, 1, asked.folder), asked.folder)
    photos = web_photos()
    photo = sorted(photos, key=len)[len(photos) // 2]
    path = f"/infer?brains={given.names[0]}"
    listed = write_requests([Prepared(path, "image/jpeg", photo)], asked.folder / "requests/one")
    file = asked.folder / "one.jpg"
    file.write_bytes(photo)
    ours = SERVERS[0]
    with serving(ours, given) as (port, _):
        send(listed, port, connections=8, seconds=2)
        capacity = send(listed, port, connections=8, seconds=asked.quickly(10, 3)).rate
        quiet = median(_lone(port, path, photo) for _ in range(30))
        seconds = int(asked.quickly(60, 6))
        rows = _hey(file, f"http://127.0.0.1:{port}{path}", TIMES * capacity, seconds)
        recovery = _recovery(port, path, photo, 1.5 * quiet)
    return {"trunk": trunk, **_told(rows, capacity, seconds), "recovery_s": round(recovery, 2)}


def _hey(photo: Path, url: str, rate: float, seconds: int) -> list[dict[str, str]]:
    """A row an answer."""
    pace = rate / WORKERS
    command = ["hey", "-z", f"{seconds}s", "-c", str(WORKERS), "-q", f"{pace:.3f}", "-o", "csv"]
    command += ["-m", "POST", "-T", "image/jpeg", "-D", str(photo), "-t", "30", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def _told(rows: Sequence[dict[str, str]], capacity: float, seconds: int) -> dict[str, object]:
    by_status: dict[str, list[float]] = {}
    for row in rows:
        by_status.setdefault(row["status-code"], []).append(1e3 * float(row["response-time"]))
    served = by_status.pop("200", [])
    refused = [taken for status in _REFUSED for taken in by_status.pop(status, [])]
    return rounded(
        {
            "capacity_per_s": capacity,
            "offered_of_capacity": len(rows) / seconds / capacity,
            "served_of_capacity": len(served) / seconds / capacity,
            "served_p50_ms": percentile(served, 50),
            "served_p99_ms": percentile(served, 99),
            "refused": len(refused),
            "refused_p50_ms": percentile(refused, 50) if refused else None,
            "refused_p99_ms": percentile(refused, 99) if refused else None,
            "other_answers": sum(map(len, by_status.values())),
        }
    )


def _recovery(port: int, path: str, photo: bytes, at_most_ms: float) -> float:
    """Seconds until three lone requests in a row take no longer than that."""
    began, quick = time.monotonic(), 0
    while quick < 3 and time.monotonic() - began < 30:
        quick = quick + 1 if _lone(port, path, photo) <= at_most_ms else 0
    return time.monotonic() - began


def _lone(port: int, path: str, photo: bytes) -> float:
    """Milliseconds that a request over a new connection takes."""
    began = time.perf_counter()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request("POST", path, photo, {"Content-Type": "image/jpeg"})
    line.getresponse().read()
    line.close()
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    with command_line("benchmarks.serving.overload") as asked_for:
        main(asked_for)
