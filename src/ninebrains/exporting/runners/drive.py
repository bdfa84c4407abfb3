"""Asks an export for its answers on photos, in a process that knows nothing of Ninebrains.

python -I drive.py SCRIPTS FOLDER OUT.npz    photo paths on standard input, a zero byte after each

SCRIPTS holds run.py, runtime.py and contract.py. Not part of an export. Writes a row of every
output for each readable photo, the photo's place in the list, the milliseconds in the network, and
as JSON what failed, memory and versions.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

import numpy as np

scripts, folder, out = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
paths = [path for path in sys.stdin.buffer.read().split(b"\0") if path]
sys.dont_write_bytecode = True
sys.path.insert(0, scripts)

import contract  # noqa: E402 - the export's own
import run as runner  # noqa: E402

facts = json.loads((folder / "export.json").read_text("utf-8"))
ask = runner.open_model(folder, facts, None)
rows: dict[str, list[np.ndarray]] = {name: [] for name in facts["outputs"]}
places, times, failed = [], [], {}
for place, path in enumerate(paths):
    try:
        pixels = contract.prepare(os.fsdecode(path), facts["contract"])[None]
    except Exception as error:
        failed[place] = f"{type(error).__name__}: {error}"
        continue
    start = time.perf_counter()
    given = ask(pixels)
    times.append((time.perf_counter() - start) * 1000)
    places.append(place)
    for name, values in rows.items():
        values.append(np.asarray(given[name], np.float32)[0])
versions = {package: importlib.metadata.version(package) for package in runner.PACKAGES}
about = {"failed": failed, "memory_mib": runner.memory_and_heat()[0], "packages": versions}
np.savez(
    out,
    place=np.array(places, np.int64),
    ms=np.array(times),
    about=json.dumps(about),
    **{f"output_{name}": np.array(values) for name, values in rows.items()},
)
