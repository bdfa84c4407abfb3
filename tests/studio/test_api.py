"""The page's side of a studio: real requests to a real process, with real files."""

import io
import threading
import zipfile

import httpx
import pytest
from PIL import Image

from tests.making import jpeg, write_photos
from tests.studio.making import Page


@pytest.fixture(scope="module")
def page(tmp_path_factory, studio_home):
    opened = Page(tmp_path_factory.mktemp("api") / "project", studio_home)
    opened.sign_in().post("/api/learn", learns=False)
    yield opened
    opened.close()


def saved(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def newest(page, num=1):
    return page.get("/api/photos", sort="newest")["ids"][:num]


def test_photos_are_added_labelled_and_taken_back(page):
    report = page.bring(*[(f"a{n}.jpg", jpeg("cat", n)) for n in range(4)])
    assert (report["added"], report["num_refused"]) == (4, 0)
    ids = report["ids"]
    cat = page.post("/api/labels", 201, name="Cat <b>&</b>")["id"]
    done = page.post("/api/label", ids=ids, label=cat)
    assert done["changed"] == {"ids": ids, "labels": [cat] * 4}
    assert done["undo"] == "label 4 photos Cat <b>&</b>"
    assert page.get("/api/photos", view=f"label:{cat}")["ids"] == ids
    assert page.post("/api/undo")["changed"] == {"ids": ids, "labels": [0] * 4}
    assert page.post("/api/redo")["changed"] == {"ids": ids, "labels": [cat] * 4}
    split = page.post("/api/labels/split", 201, ids=ids[:1], name="kitten")
    assert page.post("/api/labels/merge", **{"from": split["id"], "into": cat})["structure"]
    page.http.patch(f"/api/labels/{cat}", json={"name": "cat", "color": "#123456"})
    told = page.get("/api/project")
    assert [(one["key"], one["name"], one["count"]) for one in told["labels"]] == [
        ("cat-b-b", "cat", 4)
    ]
    page.post("/api/photos/remove", ids=ids[3:])
    assert page.get("/api/project")["counts"]["photos"] == told["counts"]["photos"] - 1
    page.post("/api/undo")


def test_a_label_for_all_that_are_sent_together(page):
    label = page.post("/api/labels", 201, name="burst")["id"]
    frames = [(f"frame{n}.jpg", jpeg("fish", n)) for n in range(3)]
    report = page.bring(*frames, label=label, source="webcam")
    assert report["labelled"] == 3
    told = page.get(f"/api/photos/{report['ids'][0]}")
    assert (told["label"], told["source"]) == (label, "webcam")


def test_a_zip_is_sent_as_it_is(page):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bird/1.jpg", jpeg("bird", 1))
        archive.writestr("bird/2.jpg", jpeg("bird", 2))
    report = page.wait(page.bring_raw("birds.zip", file.getvalue(), folders=1))["result"]
    assert (report["added"], report["labelled"]) == (2, 2)
    failed = page.wait(page.bring_raw("cut.zip", file.getvalue()[:200]), "failed")
    assert "cannot be read" in failed["error"]


def test_svg_html_and_hidden_pages_are_refused_and_never_sent_back(page):
    report = page.bring(
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
        ("photo.jpg", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("<script>alert(1)</script>.jpg", jpeg("dog", 70) + b"<script>alert(1)</script>"),
    )
    assert (report["added"], report["num_refused"]) == (1, 2)
    reply = page.http.get(f"/photo/{report['ids'][0]}")
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/jpeg"), ("PPM", "image/jpeg")],
)
def test_every_kind_of_photo_can_be_shown(page, kind, shown):
    data = saved(Image.new("RGB", (40, 30), ("red", "green", "blue", "white")[len(kind) % 4]), kind)
    photo = page.bring((f"x.{kind}", data))["ids"][0]
    reply = page.http.get(f"/photo/{photo}")
    assert reply.headers["content-type"] == shown
    assert Image.open(io.BytesIO(reply.content)).size == (40, 30)
    thumb = page.http.get(f"/thumb/{photo}?s=1")
    assert Image.open(io.BytesIO(thumb.content)).format == "JPEG"
    assert "immutable" in thumb.headers["cache-control"]


def test_a_photo_that_is_cut_off_is_marked_and_told(page):
    photo = page.bring(("cut.jpg", jpeg("cat", 40, size=(300, 300))[:3000]))["ids"][0]
    reply = page.http.get(f"/thumb/{photo}")
    assert reply.status_code == 400
    assert "damaged" in reply.json()["error"]
    assert photo in page.get("/api/photos", view="trouble")["ids"]


def test_pages_hear_what_others_do_and_catch_up(page):
    heard = []
    listening = threading.Thread(target=lambda: heard.extend(page.events(2)))
    listening.start()
    while not any("listening" in str(one) for one in heard) and listening.is_alive():
        page.http.get("/api/project")
        page.post("/api/labels", 201, name=f"news {len(page.get('/api/project')['labels'])}")
        listening.join(0.3)
    listening.join()
    assert heard[0][1] == "reset"
    last = heard[-1][0]
    page.post("/api/undo")
    page.post("/api/redo")
    missed = [one for one in page.events(2, last) if one[1] == "revision"]
    assert [one[2]["structure"] for one in missed] == [True, True]
    assert page.events(1, "00000000-5")[0][1] == "reset"


def test_what_is_not_there_is_told(page):
    assert "no photo" in page.http.get("/api/photos/12345").json()["error"]
    assert page.http.get("/api/runs/12345").status_code == 404
    assert page.http.get("/heat/1").status_code == 404
    assert page.http.get("/api/jobs/nothing").status_code == 404
    assert page.http.get("/api/photos", params={"view": "nothing"}).status_code == 422
    assert page.http.get("/api/photos", params={"sort": "'; DROP TABLE"}).status_code == 422
    assert page.http.delete("/api/labels/9999").status_code == 404
    assert page.http.get("/api/nothing").json() == {"error": "there is nothing here"}
    assert "0 photos" in page.refused("/api/label", 422, ids=[], label=None)


def test_a_folder_in_place_is_neither_copied_nor_changed(page, tmp_path):
    folder = write_photos(tmp_path / "mine", {"horse": 3})
    before = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    report = page.bring_folder(folder)
    assert (report["added"], report["labelled"]) == (3, 3)
    told = page.get(f"/api/photos/{report['ids'][0]}")
    assert told["columns"] == {"folder": "horse"}
    assert {path: path.read_bytes() for path in folder.rglob("*.jpg")} == before
    next(folder.rglob("*.jpg")).unlink()
    page.get(f"/api/photos/{report['ids'][0]}")
    gone = [page.http.get(f"/photo/{photo}") for photo in report["ids"]]
    assert sorted(reply.status_code for reply in gone) == [200, 200, 404]
    failed = page.post("/api/import/folder", 202, path=str(tmp_path / "nowhere"))
    assert "there is no" in page.wait(failed["job"], "failed")["error"]


def test_two_pages_label_at_once_and_both_are_right(page):
    ids = newest(page, 6)
    one, other = (page.post("/api/labels", 201, name=f"two {n}")["id"] for n in (1, 2))
    replies = []

    def label(photos, name):
        with httpx.Client(base_url=page.url, cookies=page.http.cookies, timeout=60) as client:
            for photo in photos:
                replies.append(client.post("/api/label", json={"ids": [photo], "label": name}))

    threads = [
        threading.Thread(target=label, args=(some, name))
        for some, name in ((ids[:3], one), (ids[3:], other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.json()["revision"] for reply in replies}) == 6
    listed = page.get("/api/photos", sort="newest")
    assert listed["labels"][:6] == [one] * 3 + [other] * 3
