"""Tables about photos that are in the project already: by name or path, alone or with photos."""

import pytest

from tests.making import jpeg, write_photos
from tests.studio.making import Page


@pytest.fixture
def page(tmp_path, studio_home):
    opened = Page(tmp_path / "project", studio_home).sign_in()
    opened.post("/api/learn", learns=False)
    yield opened
    opened.close()


def columns(page):
    told = (page.get(f"/api/photos/{one}") for one in page.get("/api/photos")["ids"])
    return {one["name"]: one["columns"] for one in told}


def counts(result):
    return result.get("described"), result.get("undescribed")


def test_a_table_that_is_sent_alone_describes_photos_that_are_there(page):
    page.bring(*[(f"{label}/{n}.jpg", jpeg(label, n)) for label in ("cat", "dog") for n in (1, 2)])
    table = (
        "path,camera,light\ncat/1.jpg,north,dim\n/data/dog/2.jpg,south,\n1.jpg,both,\nx.jpg,a,\n"
    )
    result = page.bring(("more.csv", table.encode()))
    assert counts(result) == (2, 2)  # 1.jpg is the name of two
    told = columns(page)
    assert (told["cat/1.jpg"]["camera"], told["dog/2.jpg"]["camera"]) == ("north", "south")
    assert "camera" not in told["cat/2.jpg"]
    other = "Filename;Weather\ndog/1.jpg;rain\n".encode("utf-16")
    assert counts(page.bring(("weather.csv", other))) == (1, 0)
    assert columns(page)["dog/1.jpg"]["Weather"] == "rain"


def test_a_table_that_names_no_photo_is_told_and_spoils_no_photos(page):
    job = page.bring_raw("more.csv", b"path,camera\nnobody.jpg,north\n")
    assert "names a photo of this project" in page.wait(job, "failed")["error"]
    assert (
        "says nothing of photos"
        in page.wait(page.bring_raw("a.csv", b"x,y\n1,2\n"), "failed")["error"]
    )
    both = page.bring(("cat.jpg", jpeg("cat", 1)), ("more.csv", b"path,camera\nnobody.jpg,north\n"))
    assert (both["added"], both["num_refused"]) == (1, 1)
    assert both["refused"][0]["name"] == "more.csv"


def test_a_table_in_place_tells_how_many_photos_it_described(page, tmp_path):
    folder = write_photos(tmp_path / "mine", {"cat": 3, "dog": 3})
    page.bring_folder(folder)
    labelled = "path,label,camera\n" + "".join(f"cat/cat00{n}.jpg,cat,c{n}\n" for n in range(3))
    (folder / "labelled.csv").write_text(labelled)
    result = page.bring_folder(folder / "labelled.csv")
    assert (result["added"], result["known"], *counts(result)) == (0, 3, 3, 0)
    (folder / "plain.csv").write_text("path,light\ndog/dog000.jpg,dim\nnobody.jpg,dim\n")
    result = page.bring_folder(folder / "plain.csv")
    assert (result["added"], result["known"], *counts(result)) == (0, 0, 1, 1)
    (tmp_path / "elsewhere.csv").write_text("path,label,wind\ncat/cat001.jpg,cat,strong\n")
    assert counts(page.bring_folder(tmp_path / "elsewhere.csv")) == (1, 0)
    told = columns(page)
    assert {key: told["cat/cat001.jpg"][key] for key in ("camera", "wind")} == {
        "camera": "c1",
        "wind": "strong",
    }
    assert told["dog/dog000.jpg"]["light"] == "dim"
    (folder / "bare.csv").write_text("path,label\ncat/cat000.jpg,cat\n")
    assert counts(page.bring_folder(folder / "bare.csv")) == (None, None)
