"""Learning by itself, to the numbers of `train`; what is known of photos; out into the world."""

import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest

from ninebrains.brains import load
from ninebrains.studio.learning.advice import before_learning
from ninebrains.studio.learning.examples import Situation
from ninebrains.studio.store.photos import part_of
from ninebrains.training.training import fit
from ninebrains.trunks import add_trunk
from tests.making import jpeg, write_photos
from tests.studio.making import Page


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), {"cat": 45, "dog": 45, "bird": 20})


@pytest.fixture(scope="module")
def page(tmp_path_factory, studio_home, photos):
    """A project that has learnt once."""
    opened = Page(tmp_path_factory.mktemp("learning") / "pets", studio_home).sign_in()
    opened.bring_folder(photos)
    opened.learnt()
    yield opened
    opened.close()


def run_of(page):
    return page.get(f"/api/runs/{page.get('/api/project')['run']['id']}")


def test_the_numbers_are_those_of_train(page, photos, tmp_path, studio_home, monkeypatch):
    monkeypatch.setenv("NINEBRAINS_HOME", str(studio_home))
    listed = {one["name"]: one for one in (page.get(f"/api/photos/{n}") for n in range(1, 111))}
    for name, told in listed.items():
        path = photos / name
        assert told["part"] == part_of(told["sha256"])
        target = tmp_path / "split" / told["part"] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    trained = fit(tmp_path / "split", name="pets").brain
    told = run_of(page)["metrics"]
    assert trained.metrics.model_dump(mode="json") == told
    brain = load(page.project / "brains" / "pets@1.brain")
    assert brain.graph.hash == trained.graph.hash
    assert [label.id for label in brain.labels] == ["bird", "cat", "dog"]


def test_suggestions_come_a_moment_after_labels_and_can_be_accepted(page):
    told = page.get("/api/project")
    before = told["run"]["id"]
    new = page.bring(*[(f"new{n}.jpg", jpeg("cat", 700 + n)) for n in range(6)])["ids"]
    some = page.get("/api/photos", view="label:2")["ids"][:2]
    page.post("/api/label", ids=some, label=None)
    page.learnt(before)
    queue = page.get("/api/photos", view="review")
    assert set(new) <= set(queue["ids"])
    assert queue["sure"] == sorted(queue["sure"])
    one = page.get(f"/api/photos/{new[0]}")
    assert one["suggestions"][0]["score"] == max(item["score"] for item in one["suggestions"])
    assert sum(item["score"] for item in one["suggestions"]) == pytest.approx(1.0, abs=0.01)
    accepted = page.post("/api/accept", ids=new)
    assert accepted["changed"]["labels"] == [
        queue["suggested"][queue["ids"].index(photo)] for photo in accepted["changed"]["ids"]
    ]
    page.post("/api/undo")
    page.post("/api/undo")
    page.learnt(before)


def test_a_wrong_label_is_suspected_until_it_is_changed(page):
    before = page.get("/api/project")["run"]["id"]
    cat, dog = (
        next(one["id"] for one in page.get("/api/project")["labels"] if one["name"] == name)
        for name in ("cat", "dog")
    )
    wrong = [
        photo
        for photo in page.get("/api/photos", view=f"label:{cat}")["ids"]
        if page.get(f"/api/photos/{photo}")["suggestions"][0]["score"] > 0.9
    ][:2]
    page.post("/api/label", ids=wrong, label=dog)
    told = page.learnt(before)
    errors = page.get("/api/photos", view="errors")
    assert set(wrong) <= set(errors["ids"])
    assert any(one["kind"] == "errors" for one in told["run"]["advice"])
    page.post("/api/label", ids=wrong, label=cat)
    assert not set(wrong) & set(page.get("/api/photos", view="errors")["ids"])
    page.post("/api/undo")
    page.post("/api/undo")
    page.learnt(before)


def test_renaming_keeps_the_id_that_others_refer_to(page):
    before = page.get("/api/project")["run"]["id"]
    dog = next(one for one in page.get("/api/project")["labels"] if one["name"] == "dog")
    page.http.patch(f"/api/labels/{dog['id']}", json={"name": "Hund"})
    page.post("/api/learn", now=True)
    run = page.learnt(before)["run"]
    brain = load(page.project / "brains" / run["file"])
    assert brain.version == str(run["version"])
    assert {label.id: label.name for label in brain.labels}["dog"] == "Hund"
    page.post("/api/undo")


def test_cancelling_rests_until_something_changes(page):
    before = page.get("/api/project")["run"]["id"]
    new = page.bring(*[(f"c{n}.jpg", jpeg("dog", 800 + n)) for n in range(3)])["ids"]
    label = page.get("/api/project")["labels"][0]["id"]
    page.post("/api/label", ids=new, label=label)
    page.post("/api/learn", cancel=True)
    for _ in range(20):
        told = page.get("/api/project")
        assert told["run"]["id"] == before
        assert told["learning"]["stopped"]
    page.post("/api/undo")
    page.learnt()


def test_a_run_tells_everything_that_was_measured(page):
    run = run_of(page)
    num = len(run["labels"])
    assert [len(row) for row in run["metrics"]["confusion"]] == [num] * num
    table = run["thresholds"]
    assert table["rejected"] == sorted(table["rejected"])
    assert table["recall"][0] <= run["metrics"]["accuracy"]["value"] + 1e-9
    assert run["history"][-1]["id"] == run["id"]
    kept = [one for one in page.get("/api/trunks")["trunks"] if one["kept"]]
    assert kept[0]["name"] == "octo"
    assert kept[0]["ms"] > 0
    assert "no trunk" in page.refused("/api/learn", 422, trunk="nonsense")


def test_near_duplicates_are_found_together(page, tmp_path):
    from PIL import Image

    source = next(page.project.glob("photos/*/*.jpg"))
    Image.open(source).save(tmp_path / "again.jpg", quality=60)
    new = page.bring(("again.jpg", (tmp_path / "again.jpg").read_bytes()))["ids"][0]
    while new not in page.get("/api/photos", view="duplicates")["ids"]:
        pass
    listed = page.get("/api/photos", view="duplicates")
    group = listed["groups"][listed["ids"].index(new)]
    assert listed["groups"].count(group) == 2
    assert len(page.get(f"/api/photos/{new}")["duplicates"]) == 1
    page.post("/api/photos/remove", ids=[new])


def test_heat_maps_have_the_photos_proportions_and_nothing_behind_them(page):
    import io

    from PIL import Image

    told = page.get("/api/photos/1")
    run = page.get("/api/project")["run"]["id"]
    reply = page.http.get("/heat/1", params={"run": run, "label": told["label"]})
    image = Image.open(io.BytesIO(reply.content))
    assert image.mode == "RGBA"
    assert image.width / image.height == pytest.approx(told["width"] / told["height"], rel=0.02)
    assert page.http.get("/heat/1", params={"run": 999}).status_code == 404


def test_a_map_puts_photos_of_one_label_together(page):
    page.wait(page.post("/api/map", 202)["job"])
    drawn = page.get("/api/map")
    labels = dict(zip(*(page.get("/api/photos")[key] for key in ("ids", "labels")), strict=True))
    places = np.stack([drawn["x"], drawn["y"]], axis=1)
    gaps = ((places[:, None] - places[None]) ** 2).sum(axis=2) + 9 * np.eye(len(places))
    near = gaps.argmin(axis=1)
    same = [labels[drawn["ids"][i]] == labels[drawn["ids"][j]] for i, j in enumerate(near)]
    assert np.mean(same) > 0.7
    assert np.abs(places).max() <= 1.0


def test_groups_that_are_served_worse_are_flagged(page):
    columns = {one["name"]: one["values"] for one in page.get("/api/slices")["columns"]}
    assert columns["folder"] == 3
    told = page.get("/api/slices", by="folder")
    assert sum(group["photos"] for group in told["groups"]) == told["photos"]
    assert all(group["low"] <= group["accuracy"] <= group["high"] for group in told["groups"])
    first = told["groups"][0]["value"]
    assert page.get("/api/photos", view=f"slice:folder={first}")["ids"]
    assert page.http.get("/api/slices", params={"by": "nothing"}).status_code == 404


def test_two_runs_are_compared_photo_by_photo(page):
    runs = [one["id"] for one in page.get("/api/runs")["runs"]]
    told = page.get("/api/compare", a=runs[-1], b=runs[0])
    parts = ("both_right", "only_a", "only_b", "both_wrong")
    assert sum(told[part] for part in parts) == told["labelled"]
    assert len(told["ids"]) == len(told["a_top"]) == len(told["b_sure"])
    assert told["verdict"]


def test_several_brains_are_tried_at_once(page):
    runs = [one["id"] for one in page.get("/api/runs")["runs"]][:2]
    reply = page.http.post(
        "/api/try",
        params={"brains": ",".join(map(str, runs)), "heat": 1},
        content=jpeg("cat", 900),
        headers={"content-type": "image/jpeg"},
    ).json()["photos"][0]
    assert [one["run"] for one in reply["brains"]] == runs
    for one in reply["brains"]:
        assert one["heat"].startswith("data:image/png;base64,")
        assert len(one["top"]) == 3
    bad = page.http.post("/api/try", content=b"no photo").json()["photos"][0]
    assert "not a photo" in bad["error"]
    assert page.http.post("/api/try", params={"brains": "x"}).status_code == 400


def test_a_studio_that_starts_again_goes_on_without_a_new_run(page, open_page, studio_home):
    before = page.learnt()
    page.close()
    again = Page(page.project, studio_home)
    page.__dict__.update(again.__dict__)
    page.sign_in()
    while not page.get("/api/project")["learning"]["up_to_date"]:
        pass
    after = page.learnt()
    assert after["run"]["id"] == before["run"]["id"]
    assert page.get("/api/photos", view="all")["suggested"]


def test_an_export_comes_with_its_receipt(page):
    run = page.get("/api/project")["run"]["id"]
    targets = {one["name"]: one for one in page.get("/api/targets")["targets"]}
    assert targets["onnx"]["missing"] is None
    loaded = Path(f"/proc/{page.process.pid}/maps")
    assert not loaded.exists() or "tensorflow" not in loaded.read_text()
    job = page.post(f"/api/brains/{run}/export", 202, target="onnx")["job"]
    made = page.wait(job)["result"]
    assert made["receipts"][0]["verdict"] in ("agrees", "too few photos to tell")
    name = made["folder"]
    assert page.http.get(f"/api/exports/{name}/zip").content.startswith(b"PK")
    receipt = page.http.get(f"/api/exports/{name}/receipt")
    assert "sandbox" in receipt.headers["content-security-policy"]
    wrong = page.post(f"/api/brains/{run}/export", 202, target="nonsense")["job"]
    assert "no target" in page.wait(wrong, "failed")["error"]
    assert page.http.get("/api/exports/..%2f..%2fbrains/zip").status_code == 404
    assert page.http.delete(f"/api/exports/{name}").status_code == 200
    assert page.get("/api/exports")["exports"] == []


def test_a_brain_goes_live_is_promoted_and_rolled_back(page):
    runs = [one["id"] for one in page.get("/api/brains")["brains"] if one["has_brain"]]
    assert "no host" in page.refused("/api/serve", 404, action="promote")
    told = page.post("/api/serve", action="start", port=0)
    assert told["state"] == "on"
    first = page.post("/api/serve", action="upload", run=runs[-1])["number"]
    second = page.post("/api/serve", action="upload", run=runs[0], role="canary", percent=50)[
        "number"
    ]
    told = page.get("/api/serve")
    assert (told["route"]["stable"], told["route"]["canary"]) == (first, second)
    reply = httpx.post(
        told["url"] + "/infer",
        content=jpeg("cat", 901),
        headers={"content-type": "image/jpeg"},
        timeout=60,
    )
    assert reply.status_code == 200
    assert page.post("/api/serve", action="promote")["route"]["stable"] == second
    assert page.post("/api/serve", action="rollback")["route"]["stable"] == first
    while not sum(one["answered"] for one in page.get("/api/serve")["counts"]):
        pass
    assert page.get("/api/serve")["series"]
    assert "percent" in page.refused(
        "/api/serve", 400, action="split", number=first, role="canary", percent=200
    )
    assert page.post("/api/serve", action="stop")["state"] == "off"
    with pytest.raises(httpx.ConnectError):
        httpx.get(told["url"] + "/livez")


def test_what_is_missing_before_learning_is_said_in_words():
    assert before_learning(Situation(1, (), (), ())) == "Add photos to begin."


def test_a_label_with_too_few_photos_is_left_out_and_told(tmp_path, open_page):
    page = open_page(tmp_path / "few")
    assert page.get("/api/project")["learning"]["waiting_for"] in ("", "Add photos to begin.")
    files = [(f"{label}/{n}.jpg", jpeg(label, n)) for label in ("cat", "dog") for n in range(12)]
    page.bring(*files, ("fish/1.jpg", jpeg("fish", 1)), folders=1)
    told = page.learnt()
    assert told["run"]["num_labels"] == 2
    assert any("fish is not learnt yet" in one["text"] for one in told["run"]["advice"])
    assert told["run"]["low"] is None or "Too few photos" in told["run"]["verdict"]


def test_queues_are_as_long_as_they_are_counted(page):
    told = page.get("/api/project")["queues"]
    for queue in ("review", "errors", "duplicates", "strangers"):
        assert told[queue] == len(page.get("/api/photos", view=queue)["ids"]), queue


def test_a_label_that_was_confirmed_is_in_doubt_no_longer(page):
    doubted = page.get("/api/photos", view="errors")
    if not doubted["ids"]:  # make one
        ids = page.get("/api/photos", view="labelled")
        before = page.get("/api/project")["run"]["id"]
        other = next(label for label in ids["labels"] if label != ids["labels"][0])
        page.post("/api/label", ids=ids["ids"][:1], label=other)
        page.learnt(before)
        doubted = page.get("/api/photos", view="errors")
    photo, label = doubted["ids"][0], doubted["labels"][0]
    page.post("/api/label", ids=[photo], label=label)
    assert photo not in page.get("/api/photos", view="errors")["ids"]
    assert page.get("/api/project")["undo"].startswith("confirm 1 photo as")
    page.post("/api/undo")
    assert photo in page.get("/api/photos", view="errors")["ids"]


def test_suggestions_are_accepted_as_they_were_shown(page):
    some = page.get("/api/photos", view="labelled")
    page.post("/api/accept", ids=some["ids"][:2], labels=some["labels"][:2][::-1])
    assert page.get(f"/api/photos/{some['ids'][0]}")["label"] == some["labels"][1]
    page.post("/api/undo")
    assert "as many" in page.refused("/api/accept", 400, ids=some["ids"][:2], labels=[1])


def test_another_trunk_is_learnt_with_and_told(page, small_trunk, studio_home, monkeypatch):
    monkeypatch.setenv("NINEBRAINS_HOME", str(studio_home))
    add_trunk(small_trunk)
    before = page.get("/api/project")["run"]
    page.post("/api/learn", trunk="small")
    after = page.learnt(before["id"])
    assert (before["trunk"], after["run"]["trunk"]) == ("octo", "small")
    assert load(page.project / "brains" / after["run"]["file"]).manifest.trunk.name == "small"
    assert after["settings"]["trunk"] == "small"
    assert len(page.get("/api/photos", view="review")["ids"]) == after["counts"]["unlabelled"]


def test_a_host_outlives_a_studio_that_is_killed_and_is_found_again(page, studio_home):
    told = page.post("/api/serve", action="start", port=0)
    page.kill()
    assert httpx.get(told["url"] + "/livez", timeout=60).status_code == 200
    page.__dict__.update(Page(page.project, studio_home).sign_in().__dict__)
    while (found := page.get("/api/serve"))["state"] != "on":
        pass
    assert (found["url"], found["is_own"]) == (told["url"], True)
    kept = page.project / "host" / "studio.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert page.post("/api/serve", action="stop")["state"] == "off"
    assert not kept.exists()


def test_a_label_whose_photos_cannot_be_read_is_left_out_and_told(tmp_path, open_page):
    page = open_page(tmp_path / "odd")
    files = [(f"{label}/{n}.jpg", jpeg(label, n)) for label in ("cat", "dog") for n in range(12)]
    cut = [(f"fish/{n}.jpg", jpeg("fish", n, size=(300, 300))[:3000]) for n in range(8)]
    page.bring(*files, *cut, folders=1)
    told = page.learnt()
    assert told["run"]["num_labels"] == 2
    assert told["counts"]["troubled"] == 8
    advice = [one["text"] for one in told["run"]["advice"] if "fish" in one["text"]]
    assert len(advice) == 1
    assert "8 photos of it cannot be read" in advice[0]
