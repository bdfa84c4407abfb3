"""Labelling in the page, with the mouse and without."""

from tests.browsing import until
from tests.studio.page.conftest import bring, counts_of, go, labels_of


def test_an_empty_project_says_what_to_do(visit, studio):
    page = visit(studio)
    assert page.inner_text(".empty h2") == "Drop your photos here"
    assert page.inner_text(".guide [aria-current=step] b") == "Add photos"
    assert page.is_disabled("#undo")


def test_a_chosen_folder_becomes_photos_with_its_folders_as_labels(visit, studio, few_pets):
    page = visit(studio)
    page.set_input_files("#pick-folder-input", few_pets)
    page.click("text=Add 24 photos")
    page.wait_for_selector("text=24 photos added.")
    assert counts_of(page) == {"cat": 12, "dog": 12}
    until_number(page, ".cell", 24)
    page.set_input_files("#pick-folder-input", few_pets)
    page.click("text=Add 24 photos")
    page.wait_for_selector("text=24 were here already")


def test_dropped_files_are_added_without_labels(visit, studio, few_pets):
    page = visit(studio)
    data = (few_pets / "cat" / "cat000.jpg").read_bytes()
    transfer = page.evaluate_handle(
        """bytes => { const transfer = new DataTransfer();
           transfer.items.add(new File([new Uint8Array(bytes)], "a cat.jpg"));
           transfer.items.add(new File(["x"], "notes.txt"));
           return transfer; }""",
        list(data),
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    assert page.is_visible("#drop")
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("text=1 photo added, 1 other file left out.")
    page.wait_for_selector(".cell")
    assert page.is_hidden("#drop")
    assert labels_of(page) == [""]


def test_photos_can_be_labelled_with_the_keyboard_alone(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets, labels=False)
    press = page.keyboard.press
    tab_to(page, "#new-label")
    for name in ("cat", "dog"):
        page.keyboard.type(name)
        press("Enter")
        page.wait_for_selector(f".label .name:text-is('{name}')")
    tab_to(page, "#grid")
    press("1")
    press("2")
    assert labels_of(page)[:3] == ["cat", "dog", ""]
    press("Control+z")
    until_number(page, ".cell.labelled", 1)
    press("Control+y")
    until_number(page, ".cell.labelled", 2)
    press("ArrowRight")
    press("Shift+ArrowRight")
    assert page.inner_text(".chosen-bar b") == "2 photos chosen"
    press("2")
    assert page.is_hidden(".chosen-bar")
    assert counts_of(page) == {"cat": 1, "dog": 3}
    press("Backspace")
    assert counts_of(page) == {"cat": 1, "dog": 2}
    press("Home")
    press("Space")
    page.wait_for_selector(".single .verdict:has-text('cat')")
    press("ArrowRight")
    page.wait_for_selector(".single .verdict:has-text('dog')")
    press("Escape")
    page.wait_for_selector("#grid:focus")
    press("/")
    page.keyboard.type("dog0")
    page.wait_for_selector("text=12 photos with “dog0”.")
    press("Escape")
    press("?")
    assert page.is_visible("#help")
    press("Escape")
    assert page.is_hidden("#help")


def until_number(page, selector, number):
    """Wait until there are so many elements."""
    counting = "([selector, n]) => document.querySelectorAll(selector).length === n"
    until(page, counting, [selector, number])


def tab_to(page, selector):
    """Go on with the Tab key alone until an element has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the Tab key")


def test_l_gives_a_label_by_name_and_makes_new_ones(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.focus("#grid")
    page.keyboard.press("l")
    page.keyboard.type("hamster")
    page.keyboard.press("Enter")
    page.wait_for_selector(".label .name:text-is('hamster')")
    until(page, "document.querySelector('#give-3 ~ .count')?.textContent === '1'")
    assert labels_of(page)[0] == "hamster"


def test_a_frame_that_is_drawn_chooses_what_it_touches(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    box = page.locator("#grid").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 60, steps=5)
    page.mouse.up()
    assert page.inner_text(".chosen-bar b") == "2 photos chosen"
    page.locator(".cell").nth(4).click(modifiers=["Control"])
    assert page.inner_text(".chosen-bar b") == "3 photos chosen"


def test_labels_are_renamed_coloured_merged_split_and_removed(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.click("#edit-1")
    page.fill("dialog input[type=text]", "kitten")
    page.check("dialog input[value='#9c36b5']")
    page.click("dialog >> text=Save")
    page.wait_for_selector(".cell .name:text-is('kitten')")
    color = page.eval_on_selector(".label", "row => row.style.getPropertyValue('--class')")
    assert color == "#9c36b5"
    page.focus("#grid")
    page.keyboard.press("Shift+End")
    page.click("text=New label for these")
    page.fill("dialog input[type=text]", "all of them")
    page.click("dialog >> text=Make the label")
    page.wait_for_selector(".label .name:text-is('all of them')")
    assert counts_of(page) == {"kitten": 0, "dog": 0, "all of them": 24}
    page.click("#undo")
    until_number(page, ".label", 2)
    page.click("#edit-2")
    page.select_option("dialog select >> nth=1", label="Merge into kitten")
    page.click("dialog >> text=Save")
    until_number(page, ".label", 1)
    assert counts_of(page) == {"kitten": 24}
    page.click("#edit-1")
    page.select_option("dialog select >> nth=1", "remove")
    page.click("dialog >> text=Save")
    until_number(page, ".label", 0)
    assert set(labels_of(page)) == {""}
    for _ in range(2):
        page.click("#undo:not(:disabled)")
        page.wait_for_timeout(200)
    until_number(page, ".label", 2)
    assert counts_of(page) == {"kitten": 12, "dog": 12}


def test_photos_that_are_taken_out_come_back_by_undo(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.focus("#grid")
    page.keyboard.press("Delete")
    until_number(page, ".cell", 23)
    page.keyboard.press("u")
    until_number(page, ".cell", 24)


def test_a_webcam_gives_photos_with_a_label(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    page.click("#add-photos")
    page.click("#pick-webcam")
    page.wait_for_selector("dialog button.main:focus:not(:disabled)")
    page.select_option("dialog select", label="dog")
    page.focus("dialog button.main")
    page.keyboard.down("Enter")
    until(page, "document.querySelectorAll('dialog .strip img').length >= 3")
    page.keyboard.up("Enter")
    page.click("text=Add them")
    page.wait_for_selector("text=photos added")
    assert counts_of(page)["dog"] > 13


def test_the_page_fits_a_phone(visit, studio, pets):
    studio.bring_folder(pets)
    studio.learnt()
    page = visit(studio, viewport={"width": 360, "height": 720}, has_touch=True)
    shown = (
        ("label/all", ".cell"),
        ("learn", ".chart"),
        ("understand/confusion", ".matrix"),
        ("understand/slices", ".groups"),
        ("understand/threshold", "#threshold"),
        ("try", "#try-choose"),
        ("ship", ".versions"),
    )
    for place, shows in shown:
        go(page, place)
        page.wait_for_selector(shows)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, place
