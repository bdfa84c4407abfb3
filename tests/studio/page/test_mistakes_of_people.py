"""What people type, press and choose by mistake costs them nothing."""

import pytest

from tests.browsing import until
from tests.studio.page.conftest import bring, counts_of, go, labels_of, until_labels

SEEN_WHOLE = """() => {
    const cell = document.querySelector(".cell.cursor")?.getBoundingClientRect();
    const grid = document.getElementById("grid").getBoundingClientRect();
    return Boolean(cell) && cell.top >= grid.top && cell.bottom <= grid.bottom + 1; }"""


def test_enter_changes_labels_that_people_gave_only_among_the_doubtful(visit, studio, pets):
    studio.bring_folder(pets)
    ids = studio.get("/api/photos")["ids"]
    wrong = ids[:2]
    studio.post("/api/label", ids=wrong, label=2)
    studio.learnt(studio.learnt()["run"]["id"] - 1)
    told = studio.get("/api/photos")
    assert [told["suggested"][told["ids"].index(one)] for one in wrong] == [1, 1]
    page = visit(studio)
    page.wait_for_selector(".cell")
    before = counts_of(page)
    page.focus("#grid")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-place='1'].cursor")
    page.keyboard.press("Control+a")
    assert page.is_visible(".chosen-bar")
    assert page.locator(".chosen-bar >> text=Accept").count() == 0
    page.keyboard.press("Enter")
    assert counts_of(page) == before
    assert labels_of(page)[:2] == ["dog", "dog"]
    go(page, "label/errors")
    page.wait_for_selector(".cell .toward:has-text('→ cat?')")
    page.focus("#grid")
    page.keyboard.press("Enter")
    until(page, "() => document.querySelector('.label .count').textContent !== '0'")
    assert counts_of(page)["cat"] == before["cat"] + 1


def test_a_dialog_keeps_what_was_typed_until_it_worked(visit, studio, few_pets):
    page = visit(studio, expect=("status of 4",))
    bring(page, studio, few_pets)
    page.click("#add-photos")
    page.click("#pick-place")
    page.fill("#folder-path", "/no/such/folder")
    page.click("dialog >> text=Add the folder")
    page.wait_for_selector("dialog[open] .problem:not([hidden])")
    assert page.input_value("#folder-path") == "/no/such/folder"
    page.keyboard.press("Escape")
    page.click("#edit-1")
    page.fill("dialog input[type=text]", "dog")
    page.click("dialog >> text=Save")
    page.wait_for_selector("dialog[open] .problem:not([hidden])")
    page.fill("dialog input[type=text]", "puss")
    page.click("dialog >> text=Save")
    page.wait_for_selector(".label .name:text-is('puss')")
    page.wait_for_selector("dialog", state="hidden")


def test_a_problem_is_not_told_on_other_areas(visit, studio, few_pets):
    page = visit(studio, expect=("status of 4",))
    bring(page, studio, few_pets)
    page.fill("#new-label", "x" * 500)
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast.problem:has-text('100 characters')")
    go(page, "learn")
    page.wait_for_selector(".toast", state="detached")


def test_a_search_that_is_cleared_does_not_call_people_back(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.fill("#search", "dog0")
    page.wait_for_selector("text=12 photos with “dog0”.")
    page.fill("#search", "")
    page.click("#areas >> text=Learn")
    page.wait_for_timeout(600)
    assert page.evaluate("location.hash") == "#/learn"


def test_many_photos_are_taken_out_only_after_a_question(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.focus("#grid")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.click("dialog >> text=Cancel")
    assert len(labels_of(page)) == 24
    page.focus("#grid")
    page.keyboard.press("Delete")
    page.click("dialog >> text=Take out 24 photos")
    page.wait_for_selector(".empty h2")
    page.click(".toast >> text=Undo")
    page.wait_for_selector(".cell")
    until_labels(page, cat=12, dog=12)


def test_l_finds_a_label_by_a_part_of_its_name(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    studio.post("/api/labels", 201, name="label number 57")
    page.wait_for_selector(".label .name:text-is('label number 57')")
    for typed, name, number in (("number 57", "label number 57", 1), ("zebra", "zebra", 1)):
        page.focus("#grid")
        page.keyboard.press("l")
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        page.wait_for_selector("#find-label", state="detached")
        page.wait_for_selector(f".label .name:text-is('{name}')")
        page.wait_for_selector(f".cell .name:text-is('{name}')")
        assert counts_of(page)[name] == number
    assert len(counts_of(page)) == 4


def test_keys_label_right_after_two_labels_were_made_and_letters_go_on_with_a_third(
    visit, studio, few_pets
):
    page = visit(studio)
    bring(page, studio, few_pets, labels=False)
    page.focus("#new-label")
    for number, name in enumerate(("cat", "dog", "lynx"), 1):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#give-{number}")
        focused = "grid" if number > 1 else "new-label"
        page.wait_for_selector(f"#{focused}:focus")
    page.keyboard.press("3")
    until(page, "document.querySelector('[data-place=\"0\"] .name').textContent === 'lynx'")


def test_the_current_photo_stays_in_view_when_the_layout_changes(visit, studio, few_pets):
    page = visit(studio, viewport={"width": 900, "height": 700})
    bring(page, studio, few_pets)
    page.focus("#grid")
    page.keyboard.press("End")
    until(page, SEEN_WHOLE)
    for size in ((900, 620), (700, 900), (1280, 580), (900, 700)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        until(page, "height => innerHeight === height", size[1])
        until(page, SEEN_WHOLE)
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_selector(".chosen-bar:visible")
    until(page, SEEN_WHOLE)


def test_a_button_that_is_held_takes_photos_wherever_the_mouse_goes(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.click("#add-photos")
    page.click("#pick-webcam")
    page.wait_for_selector("dialog button.main:focus:not(:disabled)")
    box = page.locator("dialog button.main").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] - 200)
    until(page, "document.querySelectorAll('dialog .strip img').length >= 3")
    now = page.locator("dialog button.main").bounding_box()
    assert now == pytest.approx(box, abs=2)
    page.mouse.up()
    taken = page.locator("dialog .strip img").count()
    page.wait_for_timeout(700)
    assert page.locator("dialog .strip img").count() <= taken + 1
