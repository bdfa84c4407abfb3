"""Runs this export: python run.py PHOTO ... or, without Pillow, python run.py --bench 250."""

import argparse
import json
import os
import pathlib
import platform
import sys
import time
from importlib.metadata import version

import numpy as np

sys.dont_write_bytecode = True  # the folder stays as its receipt says
from runtime import PACKAGES, open_model  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def answer(given, labels):
    """What people want to know of one photo: the five best labels, or the value."""
    if "values" in given:
        return {"value": float(np.ravel(given["values"])[0])}
    scores, far = np.ravel(given["scores"]), given.get("unfamiliar")
    best = {labels[i]["name"]: float(scores[i]) for i in np.argsort(-scores, kind="stable")[:5]}
    is_known = far is None or float(np.ravel(far)[0]) <= 1.0
    return {"answer": next(iter(best)) if is_known else None, "scores": best}


def memory_and_heat():
    """The most MiB this process held and the hottest degrees Celsius, where they can be read."""
    zones = pathlib.Path("/sys/class/thermal").glob("thermal_zone*/temp")
    heats = [int(zone.read_text()) / 1000 for zone in zones if os.access(zone, os.R_OK)]
    peak, status = None, pathlib.Path("/proc/self/status")
    if status.exists():  # Linux, whose ru_maxrss counts what the process that started this one held
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        peak = int(lines["VmHWM"].split()[0]) / 2**10 if "VmHWM" in lines else None
    elif sys.platform == "darwin":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return peak and round(peak, 1), max(heats, default=None)


def measure(run, facts, runs):
    """Milliseconds of each of so many runs, on noise: what is in a photo does not matter here."""
    shape = (1, facts["contract"]["height"], facts["contract"]["width"], 3)
    pixels, times = np.random.default_rng(0).integers(0, 256, shape, np.uint8), []
    for _ in range(runs):
        start = time.perf_counter()
        run(pixels)
        times.append((time.perf_counter() - start) * 1000)
    return times


def figures(facts, times, threads):
    """One row: photos a second, percentiles in ms, memory, temperature, and what measured it."""
    cuts = np.percentile(times, (50, 90, 99)).round(3).tolist()
    row = {key: facts[key] for key in ("name", "version", "target", "precision")}
    row |= {"runs": len(times), "threads": threads, "fps": round(1000 * len(times) / sum(times), 2)}
    row |= dict(zip(("p50_ms", "p90_ms", "p99_ms"), cuts, strict=True))
    row |= dict(zip(("memory_mib", "celsius"), memory_and_heat(), strict=True))
    row |= {"host": platform.node(), "machine": platform.machine(), "cores": os.cpu_count()}
    row |= {"system": platform.system(), "python": platform.python_version()}
    row |= {"runtime": ", ".join(f"{package} {version(package)}" for package in PACKAGES)}
    return row | {"date": time.strftime("%Y-%m-%d", time.gmtime())}


def tell(run, facts, path):
    """The answer on a photo, or why there is none, as a line of JSON."""
    from contract import prepare

    try:
        given = run(prepare(path, facts["contract"])[None])
    except Exception as error:  # one bad photo does not end the others
        print(json.dumps({"photo": path, "error": str(error)}))
        return False
    print(json.dumps({"photo": path} | answer(given, facts["labels"])))
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*")
    parser.add_argument("--bench", type=int, metavar="RUNS", help="measure how fast it is here")
    parser.add_argument("--threads", type=int, help="that the runtime uses; its own choice if not")
    asked = parser.parse_args()
    if min(asked.bench or 1, asked.threads or 1) < 1 or not (asked.photos or asked.bench):
        parser.error("give photos, or a number of runs with --bench; numbers are 1 or more")
    facts = json.loads((HERE / "export.json").read_text("utf-8"))
    run = open_model(HERE, facts, asked.threads)
    if asked.bench:
        measure(run, facts, max(5, asked.bench // 10))  # to be warm
        times = measure(run, facts, asked.bench)
        print(json.dumps(figures(facts, times, asked.threads)))
    told = [tell(run, facts, path) for path in asked.photos]
    sys.exit(0 if all(told) else 1)
