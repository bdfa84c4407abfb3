"""Names and files of people who mean no good are shown, or refused, and never run."""

import zipfile

from tests.browsing import until
from tests.making import jpeg
from tests.studio.page.conftest import bring, go

MARKUP = "<img src=x onerror=alert(1)>"
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def test_names_with_markup_stay_text_everywhere(visit, studio, tmp_path):
    label = tmp_path / "photos" / "<b onclick=alert(2)>bold & 'quoted'"
    label.mkdir(parents=True)
    for number in range(12):
        (label / f"{MARKUP}{number}.jpg").write_bytes(jpeg("cat", number))
    other = tmp_path / "photos" / "dog"
    other.mkdir()
    for number in range(12):
        (other / f"{number}.jpg").write_bytes(jpeg("dog", number))
    page = visit(studio)
    page.on("dialog", lambda dialog: dialog.dismiss() or studio.asked.append(dialog.message))
    studio.asked = []
    page.set_input_files("#pick-folder-input", tmp_path / "photos")
    page.click("text=Add 24 photos")
    page.wait_for_selector("text=24 photos added.")
    page.wait_for_selector(f'.label .name:text-is("{label.name}")')
    go(page, "label/search:onerror")
    page.wait_for_selector("text=12 photos with “onerror”.")
    page.focus("#grid")
    page.keyboard.press("Space")
    page.wait_for_selector(".single summary")
    page.click(".single summary")
    assert MARKUP in page.inner_text(".single dl")
    page.wait_for_selector("#pill:has-text('%')", timeout=60_000)
    for place in ("learn", "understand/confusion", "understand/looks", "understand/slices", "try"):
        go(page, place)
        page.wait_for_timeout(400)
        assert page.locator("main b[onclick], main img[src=x]").count() == 0
    assert studio.asked == []


def test_files_that_are_no_photos_are_refused_with_the_reason(visit, studio, tmp_path):
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "page.html").write_bytes(b"<script>alert(1)</script>")
    (folder / "drawing.svg").write_bytes(SCRIPT)
    (folder / "drawing.png").write_bytes(SCRIPT)
    (folder / "good.jpg").write_bytes(jpeg("cat", 1))
    page = visit(studio)
    page.set_input_files("#pick-files-input", sorted(folder.iterdir()))
    page.wait_for_selector("text=1 photo added")
    page.click("text=Why?")
    told = page.inner_text("dialog ul")
    assert "drawing.png" in told
    page.click("dialog >> text=All right")
    until(page, "document.querySelectorAll('.cell').length === 1")


def test_a_zip_that_reaches_out_brings_only_what_is_inside(visit, studio, tmp_path):
    package = tmp_path / "photos.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("../../outside.jpg", jpeg("cat", 1))
        archive.writestr("cat/inside.jpg", jpeg("cat", 2))
        archive.writestr("page.html", "<script>alert(1)</script>")
    page = visit(studio)
    page.set_input_files("#pick-files-input", package)
    page.wait_for_selector(".toast")
    until(page, "document.querySelectorAll('.cell').length >= 1")
    assert not (studio.project.parent / "outside.jpg").exists()
    assert not (studio.project.parent.parent / "outside.jpg").exists()


def test_nothing_is_asked_from_elsewhere(visit, studio, few_pets):
    page = visit(studio)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    bring(page, studio, few_pets)
    for place in ("label/all", "learn", "understand", "try", "ship"):
        go(page, place)
        page.wait_for_timeout(300)
    strange = [url for url in asked if not url.startswith((studio.url, "blob:", "data:"))]
    assert asked
    assert strange == []
