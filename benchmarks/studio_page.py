"""The studio's page at 20,000 photos, in headless Chromium: label key, scrolling, search.

    python -m benchmarks.studio_page [--repeats 40]

A real studio, a real browser. Times are the page's own, from the key's event to the frame in which
the change is painted; on a shared machine the medians of the slower half tell about the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.browsing import launch, until
from tests.studio.making import Page
from tests.studio.page.large import write_large_project

from benchmarks.running import write_results

NUM_PHOTOS = 20_000

# From the event to what it changed, and to the frame after the one that paints it.
LABEL = """async repeats => {
    const grid = document.getElementById("grid");
    const painted = () => new Promise((resolve) =>
        requestAnimationFrame(() => { const channel = new MessageChannel();
            channel.port1.onmessage = resolve; channel.port2.postMessage(0); }));
    const [changed, shown] = [[], []];
    for (let turn = 0; turn < repeats; turn++) {
        const name = document.querySelector(".cell.cursor .name");
        const before = performance.now();
        const key = String(1 + turn % 2);
        grid.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        if (!name.textContent) throw new Error("the label is not shown");
        changed.push(performance.now() - before);
        await painted();
        shown.push(performance.now() - before);
        await new Promise((resolve) => setTimeout(resolve, 60));
    }
    return { changed, shown };
}"""
SCROLL = """async () => {
    const grid = document.getElementById("grid");
    const [frames, work] = [[], []];
    let last = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 240; step++) {
        grid.scrollTop += 400;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    return { frames, cells: grid.querySelectorAll(".cell").length };
}"""
SEARCH = """async text => {
    const field = document.getElementById("search");
    const before = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    const said = () => document.querySelector(".view-line").textContent;
    while (!said().includes(`“${text}”`)) await new Promise((resolve) => setTimeout(resolve, 2));
    return performance.now() - before;
}"""


def measure(page: Any, repeats: int) -> list[dict[str, object]]:  # noqa: ANN401 - of playwright
    """Everything, in one window."""
    page.focus("#grid")
    label = page.evaluate(LABEL, repeats)
    scroll = page.evaluate(SCROLL)
    page.evaluate("document.getElementById('grid').scrollTop = 0")
    searches = [page.evaluate(SEARCH, f"photo-{number:04}") for number in range(repeats // 4)]
    return [
        row("label key to changed page", label["changed"]),
        row("label key to painted frame", label["shown"]),
        row("frame while scrolling", scroll["frames"]),
        row("search, with 180 ms after the last key", searches),
        {"what": "photos in the document", "median": scroll["cells"], "90_percent": ""},
    ]


def row(what: str, times_ms: list[float]) -> dict[str, object]:
    """Median and nine of ten, in ms."""
    return {
        "what": f"{what}, ms",
        "median": round(statistics.median(times_ms), 1),
        "90_percent": round(statistics.quantiles(times_ms, n=10)[-1], 1),
    }


def first_page(page: Any, studio: Page) -> float:  # noqa: ANN401 - of playwright
    """Milliseconds from the address to photos on the page."""
    before = time.perf_counter()
    page.goto(studio.url)
    page.wait_for_selector(".cell")
    return (time.perf_counter() - before) * 1000


def main() -> None:
    """Measure and write `results/studio_page.csv`."""
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=40)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = write_large_project(folder, NUM_PHOTOS)
        studio = Page(project, folder / "home").sign_in()
        studio.post("/api/learn", learns=False)
        playwright, browser = launch()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(studio.url + studio.post("/api/link")["path"].lstrip("/"))
        until(
            page, "document.querySelector('#view-all .tally')?.textContent === '20,000'", None, 300
        )
        page.wait_for_selector(".cell")
        opened = [first_page(page, studio) for _ in range(max(3, chosen.repeats // 8))]
        rows = [row("page opened, photos seen", opened), *measure(page, chosen.repeats)]
        browser.close()
        playwright.stop()
        studio.close()
    print(json.dumps(rows, indent=1))
    write_results("studio_page", rows)


if __name__ == "__main__":
    main()
