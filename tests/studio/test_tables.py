"""Labels leave a project as a table that `train` takes, to the same brain."""

import csv
from pathlib import Path

import pytest

from ninebrains.brains import load
from ninebrains.errors import DataError
from ninebrains.studio.tables import write_labels
from ninebrains.training.training import fit
from tests.making import jpeg, write_photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), {"cat": 20, "dog": 20})


def rows_of(table):
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_a_studio_begins_with_photos_and_its_table_trains_the_same_brain(
    open_page, photos, tmp_path, studio_home, monkeypatch, ninebrains
):
    page = open_page(tmp_path / "pets", "--add", str(photos))
    page.learnt()
    (some, *_) = page.bring(("a, b.jpg", jpeg("cat", 900)))["ids"]
    page.post("/api/label", ids=[some], label=1)
    told = page.learnt(1)
    sent = page.http.get("/api/labels.csv")
    assert sent.headers["content-disposition"] == 'attachment; filename="labels.csv"'
    page.close()
    done = ninebrains("studio", "labels", page.project)
    assert "wrote" in done.out
    assert "41 photos" in done.out
    rows = rows_of(page.project / "labels.csv")
    assert {(row["label"], row["split"]) for row in rows} >= {("cat", "train"), ("dog", "train")}
    (new,) = [row for row in rows if row["name"] == "a, b.jpg"]
    assert (page.project / new["path"]).read_bytes() == jpeg("cat", 900)
    assert not Path(new["path"]).is_absolute()
    downloaded = list(csv.DictReader(sent.text.splitlines()))
    assert [row["sha256"] for row in downloaded] == [row["sha256"] for row in rows]
    assert all(Path(row["path"]).is_file() for row in downloaded)
    monkeypatch.setenv("NINEBRAINS_HOME", str(studio_home))
    trained = fit(page.project / "labels.csv", name="pets").brain
    run = told["run"]["id"]
    assert trained.graph.hash == load(page.project / f"brains/pets@{run}.brain").graph.hash


def test_a_shared_studio_tells_no_paths_of_its_machine(open_page, photos, tmp_path):
    page = open_page(tmp_path / "pets", NINEBRAINS_STUDIO_PASSWORD="correct horse")
    page.bring(("cat.jpg", jpeg("cat", 1)))
    label = page.post("/api/labels", 201, name="=cat")["id"]
    page.post("/api/label", ids=[1], label=label)
    (row,) = csv.DictReader(page.http.get("/api/labels.csv").text.splitlines())
    assert "path" not in row
    assert (row["label"], row["name"]) == ("=cat", "cat.jpg")


def test_what_was_brought_from_a_table_keeps_its_other_columns(open_page, photos, tmp_path):
    table = tmp_path / "table.csv"
    where = sorted((photos / "cat").iterdir())[:3]
    lines = [f"{path},{'cat' if n else ''},{n}" for n, path in enumerate(where)]
    table.write_text("\n".join(["path,label,camera", *lines]))
    page = open_page(tmp_path / "pets")
    page.bring_folder(table)
    write_labels(page.project, tmp_path / "out.csv")  # while it is open
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["label"], row["camera"]) for row in rows] == [("cat", "1"), ("cat", "2")]
    assert all(Path(row["path"]).is_absolute() for row in rows)


def test_mistakes_are_told(open_page, tmp_path, ninebrains):
    missing = ninebrains("studio", "labels", tmp_path, check=2)
    assert "is no project" in missing.err
    assert not (tmp_path / "studio.db").exists()
    none = ninebrains("studio", tmp_path / "pets", "--add", tmp_path / "nowhere", check=2)
    assert "--add takes a folder" in none.err
    assert not (tmp_path / "pets").exists()
    page = open_page(tmp_path / "pets")
    with pytest.raises(DataError, match="has a label yet"):
        write_labels(page.project, tmp_path / "out.csv")
    (tmp_path / "out.csv").write_text("mine")
    kept = ninebrains("studio", "labels", page.project, "-o", tmp_path / "out.csv", check=2)
    assert "--force" in kept.err
    photos = write_photos(tmp_path / "photos", {"cat": 1})
    full = ninebrains("studio", photos, check=2)
    assert f"ninebrains studio NEW-FOLDER --add {photos}" in full.err.replace("\n", " ")
