"""Photos into a project, from hostile zips and folders too: names never become paths."""

import csv
import io
import os
import stat
import struct
import zipfile

import pytest

from ninebrains.errors import DataError
from ninebrains.images import Limits
from ninebrains.studio.bringing.describing import Described, attach_columns
from ninebrains.studio.bringing.folders import open_dataset, open_feedback
from ninebrains.studio.bringing.intake import Intake
from ninebrains.studio.bringing.items import label_from, shown_name
from ninebrains.studio.bringing.uploads import Upload, open_uploads
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Claim, open_folder
from ninebrains.studio.jobs import CancelledError, Job
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import list_labels
from ninebrains.studio.store.photos import all_photos, count_photos
from ninebrains.studio.store.steps import undo
from tests.making import jpeg, write_pairs, write_photos, write_table


class Project:
    def __init__(self, root):
        self.folder = open_folder(root)
        self.database = Database(self.folder.database)
        self.intake = Intake(self.folder, self.database, Events(), Limits(max_bytes=200_000))

    def take(self, items, **options):
        return self.intake.take(items, "test", Job("1", "import", "test"), **options)

    def upload(self, name, data, *, folders=False):
        path = self.folder.root / "incoming"
        path.write_bytes(data)
        return self.take(open_uploads([Upload(name, path)], self.intake.limits, folders=folders))

    def photos(self):
        with self.database.reading() as connection:
            return all_photos(connection)

    def labels(self):
        with self.database.reading() as connection:
            return {one.name: one.count for one in list_labels(connection)}


@pytest.fixture
def project(tmp_path):
    opened = Project(tmp_path / "project")
    yield opened
    opened.database.close()


def zipped(entries, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def test_names_of_files_never_become_paths(project, tmp_path):
    names = (
        "../../../evil.jpg",
        "/etc/passwd.jpg",
        "C:\\Windows\\system.jpg",
        "a/../../b.jpg",
        "<img src=x onerror=alert(1)>.jpg",
        "\u202egpj.exe.jpg",
        "n\0ul.jpg",
        "x" * 5000 + ".jpg",
        "con.jpg",
    )
    for number, name in enumerate(names):
        assert len(project.upload(name, jpeg("cat", number)).added) == 1
    inside = {path.relative_to(project.folder.root) for path in tmp_path.rglob("*.jpg")}
    assert len(inside) == len(names)
    for photo in project.photos():
        assert photo.path in inside
        assert photo.path.name == f"{photo.sha256}.jpg"
        assert len(photo.name) <= 300
        assert "\u202e" not in photo.name
        assert ".." not in photo.name.split("/")


def test_a_zip_gives_its_photos_with_labels_and_parts_from_folders(project):
    entries = [
        ("pets/train/cat/1.jpg", jpeg("cat", 1)),
        ("pets/test/cat/2.jpg", jpeg("cat", 2)),
        ("pets/train/dog/3.jpg", jpeg("dog", 3)),
        ("loose.jpg", jpeg("dog", 4)),
        ("__MACOSX/pets/._1.jpg", b"system"),
        ("pets/.DS_Store", b"system"),
        ("pets/notes.txt", b"no photo"),
    ]
    report = project.upload("pets.zip", zipped(entries), folders=True)
    assert (len(report.added), report.labelled, report.ignored) == (4, 3, 2)
    assert [(one.name, one.reason[:11]) for one in report.refused] == [
        ("pets/notes.txt", "not a photo")
    ]
    assert project.labels() == {"cat": 2, "dog": 1}
    assert {photo.name: photo.part for photo in project.photos()}["pets/test/cat/2.jpg"] == "test"


def test_labels_that_photos_came_with_are_one_step(project):
    entries = [(f"{label}/{n}.jpg", jpeg(label, n)) for label in ("cat", "dog") for n in range(50)]
    project.upload("pets.zip", zipped(entries), folders=True)
    assert project.labels() == {"cat": 50, "dog": 50}
    with project.database.writing() as connection:
        undo(connection)
        assert count_photos(connection)["labelled"] == 0
    assert project.labels() == {}
    assert len(project.photos()) == 100


def test_what_a_hostile_zip_holds_is_told_and_the_rest_is_taken(project):
    link = zipfile.ZipInfo("cat/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    entries = [
        ("ok/1.jpg", jpeg("cat", 1)),
        (link, "/etc/passwd"),
        ("ok/inner.zip", zipped([("2.jpg", jpeg("cat", 2))])),
        ("ok/page.jpg", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("ok/drawing.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("ok/empty.jpg", b""),
        ("ok/huge.jpg", b"\xff\xd8\xff" + bytes(300_000)),
        ("../../escape.jpg", jpeg("cat", 3)),
    ]
    report = project.upload("bad.zip", zipped(entries))
    assert len(report.added) == 2
    told = {one.name: one.reason for one in report.refused}
    assert "link" in told["cat/link.jpg"]
    assert "archive inside" in told["ok/inner.zip"]
    assert "web page" in told["ok/page.jpg"]
    assert "SVG" in told["ok/drawing.jpg"]
    assert "empty" in told["ok/empty.jpg"]
    assert "more than 200,000 bytes" in told["ok/huge.jpg"]
    assert not list(project.folder.root.parent.glob("escape*"))


def test_a_zip_that_unpacks_to_too_much_is_ended_and_keeps_what_came_before(project, monkeypatch):
    monkeypatch.setattr("ninebrains.studio.bringing.zips._FREE_BYTES", 1_000_000)
    bomb = [("1.jpg", jpeg("cat", 1))]
    bomb += [(f"{n}.bmp", bytes(190_000)) for n in range(100)]
    with pytest.raises(DataError, match="far more than photos would"):
        project.upload("bomb.zip", zipped(bomb))


def test_entries_that_claim_to_be_small_are_read_no_further_than_the_limit(project):
    data = bytearray(zipped([("1.bmp", bytes(50_000_000))]))
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 10)  # the size that the directory tells
    report = project.upload("liar.zip", bytes(data))
    assert report.num_refused == 1
    assert not report.added


def test_a_zip_with_a_password_or_damage_is_told(project):
    whole = bytearray(zipped([("1.jpg", jpeg("cat", 1))], zipfile.ZIP_STORED))
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    assert "password" in project.upload("locked.zip", bytes(locked)).refused[0].reason
    whole[60] ^= 0xFF
    assert "damaged" in project.upload("broken.zip", bytes(whole)).refused[0].reason
    with pytest.raises(DataError, match="cannot be read"):
        project.upload("cut.zip", bytes(whole[:100]))


def test_thousands_of_entries_are_refused_by_number(project, monkeypatch):
    monkeypatch.setattr("ninebrains.studio.bringing.zips.MOST_ENTRIES", 10)
    with pytest.raises(DataError, match="11 entries"):
        project.upload("many.zip", zipped([(f"{n}.txt", b"") for n in range(11)]))


def test_a_photo_is_known_by_its_content_whatever_it_is_called(project):
    project.upload("a.jpg", jpeg("cat", 1))
    report = project.upload("b.png", jpeg("cat", 1))
    assert (len(report.added), report.known) == (0, 1)


def test_a_folder_stays_in_its_place_with_its_labels(project, pets):
    report = project.take(open_dataset(pets, Limits(), labels=True, copy=False))
    assert len(report.added) == 80
    assert project.labels() == {"cat": 40, "dog": 40}
    photo = project.photos()[0]
    assert photo.path.is_relative_to(pets)
    assert photo.columns == {"folder": "cat"}
    assert not (project.folder.root / "photos").exists()


def test_photos_with_several_labels_or_numbers_are_refused_by_word(project, tmp_path):
    table = write_pairs(tmp_path, 9)
    with pytest.raises(DataError, match="one label"):
        list(open_dataset(table, Limits(), labels=True, copy=False))
    assert len(project.take(open_dataset(table, Limits(), labels=False, copy=True)).added) == 9


def test_columns_of_a_table_describe_its_photos(project, tmp_path):
    write_photos(tmp_path / "pets", {"cat": 4, "dog": 4})
    table = tmp_path / "pets" / "pets.csv"
    rows = [(f"{label}/{label}00{n}.jpg", label) for label in ("cat", "dog") for n in range(4)]
    write_table(table, rows)
    with table.open(newline="") as file:
        lines = list(csv.reader(file))
    for number, line in enumerate(lines):
        line.append("camera" if number == 0 else f"c{number % 2}")
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    project.take(open_dataset(table, Limits(), labels=True, copy=False))
    assert {photo.columns["camera"] for photo in project.photos()} == {"c0", "c1"}
    other = tmp_path / "more.csv"
    other.write_text("path,light\ncat000.jpg,dark\nunknown.jpg,dark\n")
    with project.database.writing() as connection:
        assert attach_columns(connection, other) == Described(1, 1)
    assert [photo.columns.get("light") for photo in project.photos()].count("dark") == 1


def test_kept_feedback_comes_with_what_people_said(project, tmp_path):
    write_photos(tmp_path / "out" / "photos", {"cat": 3, "dog": 2})
    (tmp_path / "out" / "feedback.csv").write_text(
        "file,sha256,truth,brain\nphotos/cat/cat000.jpg,,cat,pets@3\n"
    )
    project.take(open_feedback(tmp_path / "out", Limits()))
    assert project.labels() == {"cat": 3, "dog": 2}
    assert [photo.columns.get("brain") for photo in project.photos()].count("pets@3") == 1
    with pytest.raises(DataError, match=r"feedback\.csv"):
        list(open_feedback(tmp_path, Limits()))


def test_cancelling_keeps_whole_batches(project, pets):
    job = Job("1", "import", "test")
    items = open_dataset(pets, Limits(), labels=True, copy=True)

    def stopping():
        for number, item in enumerate(items):
            if number == 65:
                job.cancel()
            yield item

    with pytest.raises(CancelledError):
        project.intake.take(stopping(), "test", job)
    assert len(project.photos()) in (64, 80)


def test_a_project_is_open_once_and_nothing_else_is_taken_for_one(tmp_path):
    folder = open_folder(tmp_path / "new")
    claim = Claim(folder)
    claim.note("http://127.0.0.1:1/")
    with pytest.raises(DataError, match=r"open in another studio at http://127\.0\.0\.1:1/"):
        Claim(folder)
    claim.close()
    Claim(folder).close()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("…")
    with pytest.raises(DataError, match=r"such as 'chapter\.txt'"):
        open_folder(tmp_path / "thesis")
    with pytest.raises(DataError, match="is a file"):
        open_folder(tmp_path / "thesis" / "chapter.txt")


@pytest.mark.parametrize(
    ("name", "shown", "label"),
    [
        ("cats/a.jpg", "cats/a.jpg", "cats"),
        ("a\\b\\c.jpg", "a/b/c.jpg", "b"),
        ("../..", "photo", None),
        ("//x//y.jpg", "x/y.jpg", "x"),
        ("train/a.jpg", "train/a.jpg", None),
    ],
)
def test_folders_name_labels(name, shown, label):
    assert shown_name(name) == shown
    assert label_from(shown)[0] == label


def test_a_named_pipe_does_not_hang_an_import(project, tmp_path):
    write_photos(tmp_path / "odd", {"cat": 2})
    os.mkfifo(tmp_path / "odd" / "cat" / "pipe.jpg")
    report = project.take(open_dataset(tmp_path / "odd", Limits(), labels=True, copy=False))
    assert len(report.added) == 2
