"""Groups and the map in the page."""

from tests.browsing import until
from tests.studio.page.conftest import go


def test_a_table_gives_groups_and_says_what_it_told_of(visit, studio, pets):
    studio.bring_folder(pets)
    studio.learnt()
    page = visit(studio)
    go(page, "understand/slices")
    page.wait_for_selector("#add-table")
    ids = studio.get("/api/photos")["ids"]
    names = [studio.get(f"/api/photos/{number}")["name"] for number in ids[:4]]
    lines = [f"{name},{'ab'[place % 2]}" for place, name in enumerate(names)]
    table = "\n".join(["path,camera", *lines, "no-such.jpg,a"])
    page.set_input_files(
        "#table-file",
        {"name": "cameras.csv", "mimeType": "text/csv", "buffer": table.encode()},
    )
    page.wait_for_selector(".toast:has-text('columns are now with 4 photos')")
    assert "1 line of it name no photo" in page.inner_text(".toast")
    page.select_option("#slice-by", "camera")
    page.wait_for_selector(".groups th:has-text('a')")
    transfer = page.evaluate_handle(
        """() => { const transfer = new DataTransfer();
           transfer.items.add(new File(["path,x\\nnobody.jpg,1"], "odd.csv"));
           return transfer; }"""
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector(".toast.problem:has-text('odd.csv: 1 refused')")


def test_photos_are_chosen_on_the_map_by_drawing_around_them(visit, studio, pets):
    studio.bring_folder(pets)
    studio.learnt()
    page = visit(studio, viewport={"width": 1280, "height": 1100})
    go(page, "understand/map")
    until(page, "Number(document.querySelector('#map')?.dataset.points ?? 0) > 0", seconds=60)
    total = studio.get("/api/project")["counts"]["photos"]
    page.click("#lasso")
    draw_around(page, 1.0)
    assert page.inner_text(".part .chosen-bar b") == f"{total} photos chosen"
    draw_around(page, 0.5)
    number = int(page.inner_text(".part .chosen-bar b").split()[0])
    assert 0 < number < total
    page.click("#show-chosen")
    page.wait_for_selector(f".view-line:has-text('{number} photos, chosen on the map.')")


def draw_around(page, share):
    """Draw a line around the left part of the map, clear of its round corners."""
    box = page.locator("#map").bounding_box()
    left, top = box["x"] + 14, box["y"] + 14
    right, bottom = left + share * (box["width"] - 28), top + box["height"] - 28
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
