"""The page in a real browser, as people use it."""

import io
import zipfile

import pytest

from ninebrains.images import prepare
from ninebrains.photos import read_dataset
from tests.making import jpeg

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def ask(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector("#photo:visible")
    page.wait_for_selector(".card")


def as_file(data, name="photo.jpg", kind="image/jpeg"):
    return {"name": name, "mimeType": kind, "buffer": data}


def test_a_photo_gets_the_brains_answer(visit, one_site, small_brain, cat_file):
    page = visit(one_site)
    assert page.is_visible("text=Show it something")
    ask(page, cat_file)
    pixels = prepare(cat_file, small_brain.contract)[None]
    scores = small_brain.compute(pixels, ["scores"])["scores"][0]
    top = small_brain.labels[int(scores.argmax())].name
    assert page.inner_text(".verdict") == top
    assert page.locator(".bars li").count() == 2
    shown = page.inner_text(".bars li >> nth=0 >> .score")
    assert abs(int(shown.strip("<>%")) - 100 * scores.max()) < 2
    assert page.inner_text("#spoken").startswith(f"pets: {top}, ")


def test_a_heat_map_of_any_label_lies_exactly_over_the_photo(visit, one_site, cat_file):
    page = visit(one_site, **PHONE)
    ask(page, cat_file)
    assert page.is_hidden("#heat")
    page.click("#show-heat")
    assert page.is_visible("#heat")
    photo, heat = (page.locator(name).bounding_box() for name in ("#photo", "#heat"))
    assert all(abs(photo[side] - heat[side]) < 1.5 for side in ("x", "y", "width", "height"))
    first = page.evaluate("document.getElementById('heat').toDataURL()")
    page.click(".bar >> nth=1")
    other = page.inner_text(".bar >> nth=1 >> .name")
    assert page.inner_text("#caption") == f"Where pets sees: {other}"
    assert page.evaluate("document.getElementById('heat').toDataURL()") != first
    page.click(".bar >> nth=1")
    assert page.is_hidden("#heat")


def test_a_photo_of_something_else_is_none_of_these(visit, one_site):
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (90, 70), (255, 0, 255)).save(file, "PNG")
    page = visit(one_site)
    ask(page, as_file(file.getvalue(), "odd.png", "image/png"))
    assert page.inner_text(".verdict") == "None of these"
    assert "Unlike the photos it learnt from" in page.inner_text(".card")


def test_many_brains_answer_each_in_its_own_way(visit, many_site, small_regress_brain, cat_file):
    page = visit(many_site)
    ask(page, cat_file)
    assert page.locator(".card").count() == 3
    pixels = prepare(cat_file, small_regress_brain.contract)[None]
    value = float(small_regress_brain.compute(pixels, ["values"])["values"][0, 0])
    shown = float(page.inner_text(".value").replace(",", ""))
    assert shown == pytest.approx(value, abs=max(0.05 * abs(value), 1.0))
    assert "Each label stands for itself." in page.inner_text(
        "[aria-label=pairs]"
    ) or page.is_visible("[aria-label=pairs].strange")
    page.uncheck("label:has-text('level') input")
    page.wait_for_selector("[aria-label=level]", state="detached")
    assert page.locator(".card").count() == 2
    page.check("label:has-text('level') input")
    page.wait_for_selector("[aria-label=level]")


def test_the_camera_is_answered_live_held_and_let_go(visit, one_site):
    page = visit(one_site, **PHONE)
    page.click("#camera")
    page.wait_for_selector(".card")
    assert page.inner_text(".verdict") in ("cat", "None of these")
    assert page.is_visible("#video")
    page.click("#hold")
    assert page.is_visible("#photo")
    assert page.is_hidden("#video")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.click("#camera")
    page.wait_for_selector("#video:visible")
    page.click("#stop")
    assert page.is_visible("text=Show it something")


def test_a_camera_that_is_not_allowed_is_told_in_words(visit, one_site):
    page = visit(one_site)
    page.evaluate("""() => {
      const refuse = () => Promise.reject(new DOMException("no", "NotAllowedError"));
      navigator.mediaDevices.getUserMedia = refuse;
    }""")
    page.click("#camera")
    page.wait_for_selector("#problem:visible")
    assert "not allowed" in page.inner_text("#problem")
    assert page.is_visible("#camera")


def test_a_file_that_is_no_photo_is_told_in_words(visit, one_site, cat_file):
    page = visit(one_site)
    ask(page, cat_file)
    page.click("#show-heat")
    page.set_input_files("#file", as_file(b"no photo", "text.jpg"))
    page.wait_for_selector("#problem:visible")
    assert "cannot read" in page.inner_text("#problem")
    assert page.locator(".card").count() == 0  # what was there was said of another photo
    for gone in ("#photo", "#heat", "#timing", "#caption", "#show-heat"):
        assert page.is_hidden(gone)
    assert page.is_visible("text=Show it something")
    ask(page, cat_file)
    assert page.is_hidden("#problem")


def test_once_visited_it_works_without_a_network(chromium, one_site, cat_file):
    from ninebrains.exporting.web.serving import make_server, serving

    context = chromium.new_context()
    page = context.new_page()
    with serving(make_server(one_site)) as url:
        page.goto(url)
        page.wait_for_selector("html[data-offline=ready]")
    context.set_offline(True)  # and there is no server any more either
    page.reload()
    page.wait_for_selector("html[data-ready]")
    ask(page, cat_file)
    assert page.inner_text(".verdict")
    context.close()


def test_nothing_is_fetched_from_elsewhere_or_sent(visit, one_site, cat_file):
    page = visit(one_site)
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    ask(page, cat_file)
    page.click(".tick >> nth=0")
    page.wait_for_selector("#toast:visible")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    home = page.url
    assert asked
    assert [url for _, url in asked if not url.startswith((home, "blob:"))] == []
    assert {method for method, _ in asked} == {"GET"}


def kept_zip(page):
    page.click("#open-kept")
    with page.expect_download() as download:
        page.click("#kept >> text=/^Download/")
    return zipfile.ZipFile(download.value.path())


def test_right_answers_become_a_data_set_that_train_takes(visit, one_site, tmp_path):
    page = visit(one_site)
    for label in ("cat", "dog"):
        for number in range(300, 303):
            ask(page, as_file(jpeg(label, number), f"{label}{number}.jpg"))
            page.wait_for_selector(f".tick[aria-label='{label} is right']")
            page.click(f".tick[aria-label='{label} is right']")
            page.wait_for_selector(".tick[aria-pressed=true]")
    assert page.inner_text("#kept-count") == "6"
    kept_zip(page).extractall(tmp_path)
    dataset = read_dataset(tmp_path / "photos")
    assert sorted(dataset.labels) == ["cat", "dog"]
    assert len(dataset.photos) == 6
    table = read_dataset(tmp_path / "labels.csv")
    assert [photo.labels for photo in table.photos] == [("cat",)] * 3 + [("dog",)] * 3
    files = {photo.path.read_bytes() for photo in dataset.photos if photo.labels == ("cat",)}
    assert files == {jpeg("cat", number) for number in range(300, 303)}


def test_what_was_said_can_be_changed_taken_back_and_deleted(visit, one_site, cat_file):
    page = visit(one_site)
    ask(page, cat_file)
    page.click(".tick[aria-label='dog is right']")
    page.wait_for_selector(".tick[aria-label='dog is right'][aria-pressed=true]")
    page.click(".tick[aria-label='cat is right']")
    page.wait_for_selector(".tick[aria-label='cat is right'][aria-pressed=true]")
    assert page.inner_text("#kept-count") == "1"
    page.click(".tick[aria-label='cat is right']")
    page.wait_for_selector("#kept-count:text-is('0')")
    page.click("text=Something else is right")
    page.select_option(".teach select", "none")
    page.click(".teach button")
    page.wait_for_selector("#kept-count:text-is('1')")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.click("#open-kept")
    page.click("#kept-list >> text=Delete")
    page.wait_for_selector("#kept-empty:visible")
    assert page.inner_text("#kept-count") == "0"


def test_values_and_several_labels_become_tables_that_train_takes(visit, many_site, tmp_path):
    page = visit(many_site)
    page.uncheck("label:has-text('pets') input")
    for number in range(2):
        ask(page, as_file(jpeg("cat", number), f"{number}.jpg"))
        level, pairs = page.locator("[aria-label=level]"), page.locator("article[aria-label=pairs]")
        if number == 0:
            level.locator("summary").click()
        level.locator("input").fill(f"{number}.5")
        level.locator("text=Keep").click()
        for label in ("cat", "dog"):
            pairs.locator(f"[aria-label='{label} is right']").click()
            page.wait_for_selector(f"[aria-label='{label} is right'][aria-pressed=true]")
    assert page.inner_text("#kept-count") == "4"
    page.click("#open-kept")
    for name in ("level", "pairs"):
        with page.expect_download() as download:
            page.click(f"text=Download {name}")
        with zipfile.ZipFile(download.value.path()) as archive:
            archive.extractall(tmp_path / name)
    levels = read_dataset(tmp_path / "level/labels.csv")
    assert sorted(photo.target for photo in levels.photos) == [0.5, 1.5]
    pairs = read_dataset(tmp_path / "pairs/labels.csv", "multilabel")
    assert {photo.labels for photo in pairs.photos} == {("cat", "dog")}


def test_labels_are_text_whatever_they_hold(visit, hostile_site, hostile_brain, tmp_path):
    page = visit(hostile_site)
    page.evaluate("() => { window.alert = () => console.error('a label was run') }")
    names = [label.name for label in hostile_brain.labels]
    for number, name in enumerate(names):
        ask(page, as_file(jpeg("fish", number), f"{number}.jpg"))
        page.get_by_label(f"{name} is right").click()
        page.wait_for_selector(".tick[aria-pressed=true]")
    assert sorted(page.locator(".bar .name").all_inner_texts()) == sorted(names)
    page.click("#open-about")
    page.keyboard.press("Escape")
    archive = kept_zip(page)
    archive.extractall(tmp_path)
    inside = [name for name in archive.namelist() if name.startswith("photos/")]
    assert len({name.split("/")[1] for name in inside}) == 4
    assert all(len(name.split("/")) == 3 and ".." not in name for name in inside)
    assert len(read_dataset(tmp_path / "photos").labels) == 4
    table = read_dataset(tmp_path / "labels.csv", "classify")
    given = {photo.path.read_bytes(): photo.labels for photo in table.photos}
    assert given == {jpeg("fish", number): (name,) for number, name in enumerate(names)}
    said = (tmp_path / "feedback.csv").read_text()
    assert "'=HYPERLINK(1)" in said


def reach(page, selector):
    """Go there with the Tab key."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(style) != "none"
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_everything_can_be_done_with_the_keyboard(visit, one_site, cat_file):
    page = visit(one_site)
    page.on("filechooser", lambda chooser: chooser.set_files(cat_file))
    reach(page, "#choose")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    reach(page, "#show-heat")
    page.keyboard.press("Space")
    assert page.is_visible("#heat")
    reach(page, ".tick")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tick[aria-pressed=true]")
    reach(page, "#open-kept")
    page.keyboard.press("Enter")
    page.wait_for_selector("#kept[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#kept:not([open])", state="attached")
    reach(page, "#camera")
    page.keyboard.press("Enter")
    page.wait_for_selector("#video:visible")
    page.keyboard.press("Enter")  # the focus is on "Hold"
    page.wait_for_selector("#photo:visible")


def test_nothing_sticks_out_at_phone_size(visit, many_site, cat_file):
    page = visit(many_site, **{**PHONE, "viewport": {"width": 320, "height": 600}})
    wide = "document.documentElement.scrollWidth > window.innerWidth"
    assert not page.evaluate(wide)
    ask(page, cat_file)
    assert not page.evaluate(wide)
    sizes = page.eval_on_selector_all(
        "button:not([hidden])", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert all(size == 0 or size >= 40 for size in sizes)  # 0: inside what is folded


def test_a_browser_without_what_it_takes_is_told(chromium, one_site):
    from ninebrains.exporting.web.serving import make_server, serving

    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    with serving(make_server(one_site)) as url:
        page.goto(url)
        page.wait_for_selector("text=This browser lacks DecompressionStream")
        context.close()


def test_a_damaged_site_is_told(chromium, one_site, site_copy):
    from ninebrains.exporting.web.serving import make_server, serving

    folder = site_copy(one_site)
    trunk = next((folder / "brains").glob("trunk-*"))
    trunk.write_bytes(trunk.read_bytes()[:-200])
    context = chromium.new_context()
    page = context.new_page()
    with serving(make_server(folder)) as url:
        page.goto(url)
        page.wait_for_selector("text=Upload the whole export again")
        context.close()
