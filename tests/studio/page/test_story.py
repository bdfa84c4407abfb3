"""The whole story, as somebody new goes through it: from photos without labels to a live brain."""

import shutil

import httpx
import pytest

from tests.browsing import until
from tests.studio.page.conftest import go

NUM_EACH = 30


@pytest.fixture
def unlabelled(shared, tmp_path):
    """Real photos of cats and dogs in one folder, under names that do not say which."""
    folder = tmp_path / "photos"
    folder.mkdir()
    truth = {}
    for kind in ("cat", "dog"):
        photos = sorted((shared / "data/classification/dogcat" / kind).iterdir())[:NUM_EACH]
        for number, photo in enumerate(photos):
            name = f"{number:02}{'ab'[kind == 'dog']}.jpg"
            shutil.copyfile(photo, folder / name)
            truth[name] = kind
    return folder, truth


def test_from_photos_without_labels_to_a_brain_that_answers(visit, studio, unlabelled):
    folder, truth = unlabelled
    page = visit(studio)
    page.set_input_files("#pick-files-input", sorted(folder.iterdir()))
    page.wait_for_selector("text=60 photos added.")
    for name in ("cat", "dog"):
        page.fill("#new-label", name)
        page.keyboard.press("Enter")
        page.wait_for_selector(f".label .name:text-is('{name}')")
    label_with_keys(page, studio, truth, "unlabelled", 24)
    page.wait_for_selector("#pill:has-text('%')", timeout=90_000)
    assert page.is_hidden(".guide")
    label_with_keys(page, studio, truth, "review", 36)
    assert page.inner_text(".pace") == "All 60 photos have a label."
    go(page, "learn")
    page.wait_for_selector("#headline:has-text('%')")
    studio.learnt()
    until(page, "document.querySelector('#learn-now') && document.querySelector('.advice')")
    go(page, "understand/confusion")
    page.wait_for_selector(".matrix")
    page.click(".matrix a >> nth=0")
    page.wait_for_selector(".view-line:has-text('rightly recognised')")
    go(page, "try")
    page.set_input_files("#try-file", folder / "00a.jpg")
    page.wait_for_selector(".answer h2")
    page.wait_for_selector(".try-frame .heat")
    export(page, folder.parent)
    serve(page, folder / "00a.jpg")


def label_with_keys(page, studio, truth, view, number):
    """Label photos of a view by what they show, a key each; Enter where the suggestion is right."""
    go(page, f"label/{view}")
    page.wait_for_selector(f"#view-{view}[aria-current]")
    page.wait_for_selector(".cell")
    page.focus("#grid")
    page.keyboard.press("Home")
    for _ in range(number):
        page.wait_for_selector(".cell.cursor:not(.labelled)")
        photo = page.get_attribute(".cell.cursor", "id").removeprefix("photo-")
        kind = truth[studio.get(f"/api/photos/{photo}")["name"]]
        suggested = page.inner_text(".cell.cursor .name")
        page.keyboard.press(
            "Enter" if suggested == f"{kind}?" else str(1 + ["cat", "dog"].index(kind))
        )
    until(page, "!document.querySelector('#offline:not([hidden])')")
    want = studio.get("/api/project")["counts"]["labelled"]
    assert want >= number


def export(page, folder):
    """Export to ONNX, and see the receipt and the file."""
    go(page, "ship")
    page.click("button:has-text('Export') >> nth=0", timeout=60_000)
    page.wait_for_selector("#export-target", timeout=120_000)
    page.select_option("#export-target", "onnx")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("a[href$='/receipt']", timeout=180_000)
    with page.expect_download() as found:
        page.click("a[href$='/zip']")
    found.value.save_as(folder / "export.zip")
    assert (folder / "export.zip").stat().st_size > 1_000_000


def serve(page, photo):
    """Start a host, put the brain live, and ask it as any program would."""
    page.click("#serve-start")
    page.wait_for_selector("#publish", timeout=120_000)
    page.click("#publish")
    page.wait_for_selector("#serving .flag:has-text('stable')", timeout=120_000)
    url = page.inner_text("#serving a")
    name = page.inner_text("#serving .row p").split("“")[1].split("”")[0]
    told = httpx.post(
        f"{url}/infer", params={"brains": name}, content=photo.read_bytes(), timeout=60
    ).json()
    assert told["photos"][0]["brains"][name]["error"] is None
    answers = "[...document.querySelectorAll('#serving tbody td')].some(c => c.textContent === '1')"
    until(page, answers)
    page.click("#serve-stop")
    page.click("dialog >> text=Stop it")
    page.wait_for_selector("#serve-start")
