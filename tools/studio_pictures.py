"""Take the pictures of docs/studio.md: every area in light, dark and on a phone.

    python -m tools.studio_pictures [--folder docs] [--photos ../shared/data/classification/dogcat]

A project of real photos, two versions and a host of its own, in headless Chromium. Single pictures
are as wide as the page; one sheet for each look shows every area small.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from tests.browsing import launch, until
from tests.studio.making import Page

NUM_LABELLED, NUM_NEW = 180, 40
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "light": {"viewport": {"width": 1100, "height": 760}},
    "dark": {"viewport": {"width": 1100, "height": 760}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 760},
        "has_touch": True,
        "is_mobile": True,
    },
}
# Where each area is, what it waits for, and the single picture that the docs show of it.
AREAS = (
    ("label/all", ".cell img", ""),
    ("label/review", ".cell img", "label"),
    ("label/errors", ".cell img, .empty", ""),
    ("photo", ".single .bars", "photo"),
    ("learn", ".advice", "learn"),
    ("understand/confusion", ".matrix", "mixups"),
    ("understand/looks", ".pairs img", ""),
    ("understand/threshold", "#threshold", ""),
    ("understand/slices", ".groups", ""),
    ("understand/map", "#map", "map"),
    ("understand/compare", ".versus", ""),
    ("try", ".answer h2", "try"),
    ("ship", "#serving tbody tr", "ship"),
)
QUALITY, COLUMNS, SMALL = 82, {"light": 3, "dark": 3, "phone": 5}, {"phone": 290}
_PATHS = """root => { for (const code of document.querySelectorAll('code'))
    code.textContent = code.textContent.replaceAll(root, ''); }"""


def gather(photos: Path, folder: Path) -> tuple[Path, Path]:
    """Labelled photos and new ones in folders of their own; a few labels are wrong."""
    old, new = folder / "photos", folder / "new"
    new.mkdir()
    for kind, other in (("cat", "dog"), ("dog", "cat")):
        (old / kind).mkdir(parents=True, exist_ok=True)
        found = sorted((photos / kind).iterdir())
        for place, path in enumerate(found[:NUM_LABELLED]):
            name = other if place % 60 == 7 else kind
            (old / name).mkdir(exist_ok=True)
            shutil.copy(path, old / name / f"{kind}-{path.name}")
        for path in found[NUM_LABELLED : NUM_LABELLED + NUM_NEW]:
            shutil.copy(path, new / f"{kind}-{path.name}")
    return old, new


def prepare(studio: Page, old: Path, new: Path) -> None:
    """Two versions, exports, columns, a map, and a host on which one is tried."""
    studio.bring_folder(old)
    first = studio.learnt()["run"]["id"]
    studio.bring_folder(new)
    table = "\n".join(
        f"{path.name},{('garden', 'door', 'yard')[place % 3]}"
        for place, path in enumerate(sorted(old.rglob("*.jpg")))
    )
    studio.wait(studio.bring_raw("cameras.csv", f"path,camera\n{table}\n".encode()))
    while len(new_ones := studio.get("/api/photos", view="review")["ids"]) < 2 * NUM_NEW:
        time.sleep(0.2)
    studio.post("/api/accept", ids=new_ones[:NUM_NEW])
    run = studio.learnt(first)["run"]["id"]
    studio.wait(studio.post("/api/map", 202)["job"])
    export = studio.post(f"/api/brains/{run}/export", 202, target="onnx", precision="fp32")
    studio.wait(export["job"])


def go_live(page: Any, photo: Path) -> None:  # noqa: ANN401 - playwright's page
    """Start the host, put one version live, try the other, and ask both."""
    page.evaluate("location.hash = '#/ship'")
    page.click("#serve-start")
    page.wait_for_selector("#publish", timeout=120_000)
    page.select_option("#publish-brain", label=page.inner_text("#publish-brain option >> nth=1"))
    page.click("#publish")
    page.wait_for_selector("#serving .flag:has-text('stable')", timeout=120_000)
    page.click("#publish")
    page.wait_for_selector("#serving .flag:has-text('on trial')", timeout=120_000)
    url = page.inner_text("#serving a")
    data = photo.read_bytes()
    for turn in range(60):
        headers = {"X-User-Key": f"user {turn}"}
        httpx.post(f"{url}/infer?brains=pets", content=data, headers=headers, timeout=60)
        time.sleep(0.25)
    page.wait_for_timeout(3_000)


def picture(page: Any, place: str, shows: str, root: Path, photo: Path) -> Image.Image:  # noqa: ANN401
    """One area as it is."""
    if place == "photo":
        page.evaluate("location.hash = '#/label/review'")
        page.wait_for_selector(".cell img")
        page.focus("#grid")
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        page.wait_for_selector(shows)
        page.keyboard.press("h")
    else:
        page.evaluate("place => { location.hash = `#/${place}`; }", place)
        if place == "try":
            page.set_input_files("#try-file", photo)
        page.wait_for_selector(shows, timeout=60_000)
    page.wait_for_timeout(1_500)
    page.evaluate(_PATHS, f"{root}/")
    whole = place in ("ship", "learn") or place.startswith("understand/")
    taken = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    if place == "photo":
        page.keyboard.press("Escape")
    return taken


def sheet(pictures: list[Image.Image], columns: int, width: int) -> Image.Image:
    """Pictures side by side, each cut to the height of a screen."""
    small = [one.crop((0, 0, one.width, min(one.height, 760))) for one in pictures]
    small = [one.resize((width, round(one.height * width / one.width))) for one in small]
    height = max(one.height for one in small)
    rows = -(-len(small) // columns)
    whole = Image.new("RGB", (columns * (width + 12), rows * (height + 12)), "#888888")
    for place, one in enumerate(small):
        left, top = place % columns * (width + 12) + 6, place // columns * (height + 12) + 6
        whole.paste(one, (left, top))
    return whole


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--folder", type=Path, default=Path("docs"))
    options.add_argument(
        "--photos", type=Path, default=Path("../shared/data/classification/dogcat")
    )
    told = options.parse_args()
    playwright, browser = launch()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        old, new = gather(told.photos, root)
        studio = Page(root / "pets", root / "home").sign_in()
        try:
            prepare(studio, old, new)
            photo = sorted(new.iterdir())[3]
            for look, settings in LOOKS.items():
                context = browser.new_context(**settings)
                page = context.new_page()
                page.set_default_timeout(30_000)
                page.goto(studio.url + studio.post("/api/link")["path"].lstrip("/"))
                page.wait_for_selector("main > *")
                until(page, "document.querySelector('#pill')?.textContent.includes('%')")
                if look == "light":
                    go_live(page, photo)
                taken = []
                for place, shows, name in AREAS:
                    taken.append(picture(page, place, shows, root, photo))
                    if name and look == "light":
                        taken[-1].save(told.folder / f"studio-{name}.jpg", quality=QUALITY)
                whole = sheet(taken, COLUMNS[look], SMALL.get(look, 520))
                whole.save(told.folder / f"studio-all-{look}.jpg", quality=QUALITY)
                context.close()
        finally:
            studio.close()
            browser.close()
            playwright.stop()


if __name__ == "__main__":
    main()
