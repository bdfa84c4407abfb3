"""Load: prepared requests, sent by wrk in a process of its own over so many connections.

wrk (Debian: `apt install wrk`) keeps each connection busy: it sends the next request when the
answer to the last is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local requests, at = {}, 0
function init(args)
  for line in io.lines("%(list)s") do
    local path, kind, length, name = line:match("([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)")
    local file = io.open(name, "rb")
    local headers = {["Content-Type"] = kind}
    if length ~= "" then headers["Inference-Header-Content-Length"] = length end
    requests[#requests + 1] = wrk.format("POST", path, headers, file:read("*a"))
    file:close()
  end
  math.randomseed(%(seed)d)
  at = math.random(#requests)
end
request = function()
  at = at %% #requests + 1
  return requests[at]
end
done = function(summary, latency, requests)
  io.write(string.format("FOUND %%d %%d %%d %%f %%f %%f\\n", summary.requests,
    summary.duration, summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout, latency:percentile(50),
    latency:percentile(90), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Prepared:
    """One request, ready to be sent.

    Attributes:
        path: with its query.
        kind: of the content.
        body: as it is sent.
        header_bytes: length of the JSON before binary tensors, where the protocol has that.
    """

    path: str
    kind: str
    body: bytes
    header_bytes: int | None = None


@dataclass(frozen=True)
class Load:
    """What came of a load; times in milliseconds.

    Attributes:
        rate: answers a second.
        errors: answers other than 200, and requests without any.
    """

    rate: float
    errors: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


def need_wrk() -> None:
    """Stop with a reason where wrk is absent."""
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk (Debian: apt install wrk)")


def write_requests(requests: Sequence[Prepared], folder: Path) -> Path:
    """Write what `send` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, request in enumerate(requests):
        file = folder / f"{number:04}.body"
        file.write_bytes(request.body)
        length = "" if request.header_bytes is None else str(request.header_bytes)
        lines.append("\t".join((request.path, request.kind, length, str(file))))
    listed = folder / "requests.txt"
    listed.write_text("\n".join(lines) + "\n")
    return listed


def send(listed: Path, port: int, *, connections: int, seconds: float, seed: int = 1) -> Load:
    """Send prepared requests in turn over so many connections for a while."""
    script = listed.with_name("send.lua")
    script.write_text(_SCRIPT % {"list": listed, "seed": seed})
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    done = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{port}/"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"FOUND (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(f"wrk said:\n{done.stdout}\n{done.stderr}")
    count, microseconds, errors, *percentiles = map(float, found.groups())
    p50, p90, p99 = (value / 1000 for value in percentiles)
    return Load(count / microseconds * 1e6, int(errors), p50, p90, p99)
