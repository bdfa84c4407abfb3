"""The studio's server at size: start, label, list, search, learn again, map.

    python -m benchmarks.studio [--repeats 5]

Photos are drawn: 20,000 to label, 5,000 of which 2,000 have one of 20 labels to learn from. A real
studio process answers over HTTP; times are those of its client, CPU seconds those of its process
(a shared machine makes the first longer, not the second). What the browser adds is measured by the
page's own benchmark.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from tests.studio.making import Page

from benchmarks.running import write_results

NUM_LABELS, NUM_LABELLED, NUM_MAPPED, NUM_LISTED = 20, 2_000, 5_000, 20_000
TICKS = os.sysconf("SC_CLK_TCK")


def draw(label: int, number: int, side: int) -> bytes:
    """A photo of a label: a patch of its own place and colour on a background of noise."""
    random = np.random.default_rng([label, number])
    pixels = random.integers(0, 140, (12, 12, 3)).astype(float)
    pixels[:, :, label % 3] += 60 + 30 * random.normal()
    place = label // 3
    pixels[place : place + 5, 2 * place % 7 : 2 * place % 7 + 4] += 80
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def write(folder: Path, numbers: range, side: int) -> Path:
    """Photos in folders by label."""
    for number in numbers:
        label = number % NUM_LABELS
        target = folder / f"label{label:02}" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(draw(label, number, side))
    return folder


def cpu_seconds(page: Page) -> float:
    """That the studio's process has used."""
    fields = Path(f"/proc/{page.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def timed(page: Page, work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds and CPU seconds of a piece of work."""
    seconds, spent = [], []
    for _ in range(repeats):
        before, used = time.perf_counter(), cpu_seconds(page)
        work()
        seconds.append(time.perf_counter() - before)
        spent.append(cpu_seconds(page) - used)
    return statistics.median(seconds), statistics.median(spent)


def start(project: Path, home: Path) -> tuple[float, float]:
    """Seconds and CPU seconds from the command to a browser that is in and has the state."""
    before = time.perf_counter()
    page = Page(project, home)
    page.sign_in().http.get("/")
    page.get("/api/project")
    seconds, spent = time.perf_counter() - before, cpu_seconds(page)
    page.close()
    return seconds, spent


def large(folder: Path, home: Path, repeats: int) -> list[dict[str, object]]:
    """A project of 20,000 photos: starting, labelling, listing, searching."""
    page = Page(folder / "large", home).sign_in()
    page.post("/api/learn", learns=False)
    page.bring_folder(write(folder / "many", range(NUM_LISTED), 24), labels=False)
    label = page.post("/api/labels", 201, name="cat")["id"]
    turn = iter(range(1, NUM_LISTED))
    found = {
        "label one photo": timed(
            page, lambda: page.post("/api/label", ids=[next(turn)], label=label), 50
        ),
        "list all photos": timed(page, lambda: page.get("/api/photos"), repeats),
        "search by name": timed(page, lambda: page.get("/api/photos", search="123"), repeats),
        "state of the project": timed(page, lambda: page.get("/api/project"), repeats),
    }
    page.close()
    starts = [start(folder / "large", home) for _ in range(repeats)]
    found["command to first page"] = (
        statistics.median(seconds for seconds, _ in starts),
        statistics.median(spent for _, spent in starts),
    )
    return [row(what, NUM_LISTED, *took) for what, took in found.items()]


def until_answers(page: Page, ids: list[int], label: int) -> float:
    """Label photos and wait for the suggestions that follow; seconds."""
    options = {"base_url": page.url, "cookies": page.http.cookies, "timeout": 600}
    with httpx.Client(**options) as client, client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        while next(lines) != "event: reset":
            pass
        before = time.perf_counter()
        page.post("/api/label", ids=ids, label=label)
        while next(lines) != "event: answers":
            pass
        return time.perf_counter() - before


def learning(folder: Path, home: Path, repeats: int) -> list[dict[str, object]]:
    """A project of 5,000 photos, 2,000 of them labelled: learning again, and the map."""
    page = Page(folder / "learning", home).sign_in()
    page.bring_folder(write(folder / "rest", range(NUM_LABELLED, NUM_MAPPED), 96), labels=False)
    page.bring_folder(write(folder / "labelled", range(NUM_LABELLED), 96))
    settle(page)
    labels = [one["id"] for one in page.get("/api/project")["labels"]]
    ids = page.get("/api/photos", view=f"label:{labels[0]}")["ids"]
    quick, spent = [], []
    for turn in range(repeats):
        used = cpu_seconds(page)
        quick.append(until_answers(page, [ids[turn]], labels[1]))
        spent.append(cpu_seconds(page) - used)
        settle(page)
    run = page.get("/api/project")["run"]
    mapped = timed(page, lambda: page.wait(page.post("/api/map", 202)["job"]), repeats)
    page.close()
    return [
        row(
            "label to new suggestions",
            NUM_LABELLED,
            statistics.median(quick),
            statistics.median(spent),
        ),
        row("full run, saved", NUM_LABELLED, run["seconds"], None),
        row("map", NUM_MAPPED, *mapped),
    ]


def settle(page: Page) -> None:
    """Wait until there is nothing left to learn, however long the first features take."""
    while True:
        told = page.get("/api/project")["learning"]
        if told["up_to_date"] and told["stage"] == "idle":
            return
        assert told["error"] is None, told
        time.sleep(0.1)


def row(what: str, photos: int, seconds: float, spent: float | None) -> dict[str, object]:
    """A line of the results."""
    cpu = "" if spent is None else round(spent, 3)
    return {"what": what, "photos": photos, "seconds": round(seconds, 3), "cpu_seconds": cpu}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    from tests.studio import making

    making.PATIENCE_SECONDS = 1_800
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = large(folder, folder / "home", chosen.repeats)
        rows += learning(folder, folder / "home", chosen.repeats)
    write_results("studio", rows)


if __name__ == "__main__":
    main()
