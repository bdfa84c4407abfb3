"""The index: every step can be taken back, whoever writes beside, whatever ends the process."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ninebrains.errors import DataError, MissingError
from ninebrains.studio.listing import list_photos
from ninebrains.studio.store import labels, steps
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.photos import NewPhoto, count_photos, insert_photo, part_of
from ninebrains.studio.store.schema import MIGRATIONS


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "studio.db")
    with opened.writing() as connection:
        for number in range(10):
            insert_photo(connection, new_photo(number))
    yield opened
    opened.close()


def new_photo(number):
    sha256 = f"{number:064x}"
    path = Path("photos") / sha256
    return NewPhoto(sha256, path, True, f"{number}.jpg", "test", "JPEG", 4, 3, 10)


def picture(database):
    """Everything that labelling changes."""
    with database.reading() as connection:
        photos = connection.execute("SELECT id, label, gone FROM photos ORDER BY id").fetchall()
        named = connection.execute(
            "SELECT id, name, color, position FROM labels WHERE removed = 0 ORDER BY id"
        ).fetchall()
    return [tuple(row) for row in photos], [tuple(row) for row in named]


def make(database, name):
    with database.writing() as connection:
        return labels.make_label(connection, name)[0]


def every_kind(database):
    """One step of each kind; the picture after each, the first before all."""
    cat, dog = make(database, "cat"), make(database, "dog")
    pictures = [picture(database)]
    for step in (
        lambda c: labels.label_photos(c, [1, 2, 3], cat),
        lambda c: labels.label_photos(c, [3, 4, 5], dog),
        lambda c: labels.label_photos(c, [1], None),
        lambda c: labels.change_label(c, cat, name="kitten", color="#102030", position=1),
        lambda c: labels.split_label(c, [4, 6], "puppy")[1],
        lambda c: labels.accept_suggestions(c, [7, 8, 9], [cat, dog, 0]),
        lambda c: labels.merge_labels(c, dog, cat),
        lambda c: labels.remove_photos(c, [2, 10]),
        lambda c: labels.make_label(c, "dog")[1],
        lambda c: labels.remove_label(c, cat),
    ):
        with database.writing() as connection:
            step(connection)
        pictures.append(picture(database))
    return pictures


def again(database, step):
    with database.writing() as connection:
        return step(connection)


def test_every_kind_of_step_is_undone_and_redone_to_the_letter(database):
    pictures = every_kind(database)
    assert len({str(one) for one in pictures}) == len(pictures)
    for _ in range(2):
        for before in reversed(pictures[:-1]):
            again(database, steps.undo)
            assert picture(database) == before
        for after in pictures[1:]:
            again(database, steps.redo)
            assert picture(database) == after


def test_steps_are_undone_after_the_index_was_closed_and_opened(database):
    pictures = every_kind(database)
    database.close()
    reopened = Database(database.path)
    for before in reversed(pictures[:-1]):
        again(reopened, steps.undo)
        assert picture(reopened) == before
    reopened.close()


def test_a_new_step_ends_what_could_be_redone(database):
    cat = make(database, "cat")
    again(database, steps.undo)
    with database.writing() as connection:
        assert steps.next_words(connection) == (None, "make the label cat")
        dog, done = labels.make_label(connection, "dog")
    assert done.redo is None
    assert dog != cat
    assert again(database, steps.redo) is None


def test_an_import_in_parts_is_one_step_unless_people_worked_meanwhile(database):
    cat = make(database, "cat")

    def part(connection, step, ids):
        change = steps.Change(photos=((cat, tuple(ids)),))
        return steps.extend_step(connection, step, "import", "labels of an import", change)

    with database.writing() as connection:
        first = part(connection, None, [1, 2])
        assert part(connection, first, [3]) == first
        labels.label_photos(connection, [9], cat)
        assert part(connection, first, [4]) != first
    again(database, steps.undo)
    again(database, steps.undo)
    again(database, steps.undo)
    assert not [row for row in picture(database)[0] if row[1]]


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda c: labels.make_label(c, "CAT"), "there is a label cat already"),
        (lambda c: labels.make_label(c, " \n "), "1 to 100 characters"),
        (lambda c: labels.make_label(c, "x" * 101), "1 to 100 characters"),
        (lambda c: labels.change_label(c, 1, color="red"), "#2f6fb3"),
        (lambda c: labels.merge_labels(c, 1, 1), "into itself"),
        (lambda c: labels.label_photos(c, [], 1), "got 0 photos"),
        (lambda c: labels.label_photos(c, [1, 1], 1), "each once"),
        (lambda c: labels.accept_suggestions(c, [1], [0]), "nothing is suggested"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(database, work, words):
    make(database, "cat")
    before = picture(database)
    with pytest.raises(DataError, match=words), database.writing() as connection:
        work(connection)
    assert picture(database) == before


def test_labels_and_photos_that_are_not_there_are_told(database):
    for work in (
        lambda c: labels.label_photos(c, [1], 77),
        lambda c: labels.label_photos(c, [77], None),
        lambda c: labels.remove_label(c, 77),
    ):
        with pytest.raises(MissingError, match="77"), database.writing() as connection:
            work(connection)


def test_a_label_that_is_made_again_keeps_its_key(database):
    first = make(database, "Café au lait")
    with database.writing() as connection:
        labels.change_label(connection, first, name="coffee")
        key = labels.find_label(connection, first).key
        labels.remove_label(connection, first)
        second, _ = labels.make_label(connection, "coffee")
        assert labels.find_label(connection, second).key == key == "café-au-lait"


def test_a_newer_index_is_refused(database):
    database.close()
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(DataError, match="newer Ninebrains"):
        Database(database.path)


def test_a_file_that_is_no_index_is_refused(tmp_path):
    path = tmp_path / "studio.db"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(DataError, match="no index of a project"):
        Database(path)


def test_two_processes_write_at_once_and_lose_nothing(database):
    cat, dog = make(database, "cat"), make(database, "dog")
    program = """
import sys
from pathlib import Path
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import label_photos
database = Database(Path(sys.argv[1]))
for turn in range(40):
    with database.writing() as connection:
        label_photos(connection, [int(sys.argv[2])], int(sys.argv[3]) if turn % 2 == 0 else None)
database.close()
"""
    command = [sys.executable, "-c", program, str(database.path)]
    running = [
        subprocess.Popen([*command, photo, str(label)]) for photo, label in (("1", cat), ("2", dog))
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    with database.reading() as connection:
        assert connection.execute("SELECT COUNT(*) FROM steps").fetchone()[0] == 2 + 80
        assert count_photos(connection)["labelled"] == 0
    for _ in range(80):
        again(database, steps.undo)
    assert not [row for row in picture(database)[0] if row[1]]


def test_a_fifth_of_the_photos_is_held_out_by_their_content():
    random = np.random.default_rng(0)
    parts = [part_of(random.bytes(32).hex()) for _ in range(5000)]
    assert 900 < parts.count("test") < 1100
    assert part_of("ab" * 32) == part_of("ab" * 32)


def test_20000_photos_are_listed_in_every_order_and_searched(tmp_path):
    database = Database(tmp_path / "studio.db")
    with database.writing() as connection:
        cat, _ = labels.make_label(connection, "cat")
        for number in range(20_000):
            insert_photo(connection, new_photo(number))
        labels.label_photos(connection, list(range(1, 2001)), cat)
    with database.reading() as connection:
        everything = list_photos(connection, "all", None, None, {})
        assert everything.ids.tolist() == list(range(1, 20_001))
        assert int((everything.labels == cat).sum()) == 2000
        newest = list_photos(connection, "unlabelled", "newest", None, {})
        assert newest.ids[:2].tolist() == [20_000, 19_999]
        assert len(newest.ids) == 18_000
        by_name = list_photos(connection, "all", "name", None, {})
        assert by_name.ids[:3].tolist() == [1, 2, 11]
        assert list_photos(connection, "search:1234", None, None, {}).ids.tolist() == [
            *(1235, 11235),
            *range(12341, 12351),
        ]
        assert len(list_photos(connection, "all", None, None, {}, "CAT").ids) == 2000
        assert not len(list_photos(connection, "search:%", None, None, {}).ids)
        with pytest.raises(DataError, match="no view"):
            list_photos(connection, "nonsense", None, None, {})
    database.close()
