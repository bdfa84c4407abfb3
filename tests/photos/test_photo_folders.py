import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ninebrains.errors import DataError
from ninebrains.photos import find_photos, printable, read_dataset, require_trainable
from tests.photos.making import classes, jpeg, names, picture, reasons, write


def test_a_folder_for_each_class_is_read_in_alphabetical_order(tmp_path):
    classes(tmp_path, zebra=1, ant=2)
    dataset = read_dataset(tmp_path)
    assert dataset.task == "classify"
    assert dataset.labels == ("ant", "zebra")
    assert names(dataset) == ["ant/000.jpg", "ant/001.jpg", "zebra/000.jpg"]
    assert [photo.labels for photo in dataset.photos] == [("ant",), ("ant",), ("zebra",)]
    assert all(photo.path.is_file() for photo in dataset.photos)


def test_folders_below_a_class_belong_to_it(tmp_path):
    write(tmp_path / "cat/2024/may/a.jpg", 1)
    write(tmp_path / "dog/b.jpg", 2)
    assert [(p.name, p.labels) for p in read_dataset(tmp_path).photos] == [
        ("cat/2024/may/a.jpg", ("cat",)),
        ("dog/b.jpg", ("dog",)),
    ]


@pytest.mark.parametrize(
    ("folder", "part"),
    [("val", "val"), ("Valid", "val"), ("validation", "val"), ("TEST", "test")],
)
def test_folders_of_parts_are_recognised_in_any_case(tmp_path, folder, part):
    for name in ("Train", folder):
        classes(tmp_path / name, cat=1, dog=1)
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert {photo.name.split("/")[0]: photo.split for photo in dataset.photos} == {
        "Train": "train",
        folder: part,
    }


def test_a_class_may_be_called_train(tmp_path):
    dataset = read_dataset(classes(tmp_path, bus=1, train=1, car=1))
    assert dataset.labels == ("bus", "car", "train")
    assert {photo.split for photo in dataset.photos} == {None}


def test_a_folder_beside_train_and_test_is_told(tmp_path):
    for part in ("train", "test"):
        classes(tmp_path / part, cat=1, dog=1)
    classes(tmp_path, extra=1)
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert "not read" in reasons(dataset)["extra"]


def test_photos_only_give_a_data_set_without_labels(tmp_path):
    write(tmp_path / "b.jpg", 1)
    write(tmp_path / "a.jpg", 2)
    dataset = read_dataset(tmp_path)
    assert (dataset.task, dataset.labels, names(dataset)) == (None, (), ["a.jpg", "b.jpg"])
    with pytest.raises(DataError, match="one folder for each class"):
        require_trainable(dataset)
    with pytest.raises(DataError, match="no folders that say"):
        read_dataset(tmp_path, "classify")


def test_what_is_no_photo_is_ignored_and_counted(tmp_path):
    classes(tmp_path, cat=1, dog=1)
    for name in (".hidden.jpg", "Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt", "fake"):
        (tmp_path / "cat" / name).write_bytes(b"something")
    write(tmp_path / "__MACOSX/cat/._000.jpg", 3)
    write(tmp_path / ".git/x.jpg", 3)
    os.mkfifo(tmp_path / "dog/pipe")
    dataset = read_dataset(tmp_path)
    assert names(dataset) == ["cat/000.jpg", "dog/000.jpg"]
    assert dataset.ignored == {
        "hidden files": 1,
        "hidden folders": 2,
        "thumbnail databases": 3,
        "non-photos": 3,
    }


def test_content_decides_for_odd_extensions_and_extensions_keep_broken_photos(tmp_path):
    classes(tmp_path, dog=1)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/no_extension").write_bytes(jpeg(1))
    picture(2).save(tmp_path / "cat/picture.dat", "PNG")
    (tmp_path / "cat/broken.JPG").write_bytes(b"")
    assert names(read_dataset(tmp_path))[:3] == [
        "cat/broken.JPG",
        "cat/no_extension",
        "cat/picture.dat",
    ]


def test_an_empty_class_and_loose_photos_are_told(tmp_path):
    classes(tmp_path, cat=1, dog=1)
    (tmp_path / "bird").mkdir()
    write(tmp_path / "loose.jpg", 9)
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert "no photos" in reasons(dataset)["bird"]
    assert "loose.jpg" in reasons(dataset)["."]
    assert "loose.jpg" not in names(dataset)


def test_an_empty_folder_a_missing_one_and_one_of_pdfs_say_what_was_found(tmp_path):
    with pytest.raises(DataError, match="found nothing"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match=r"there is no .*typo"):
        read_dataset(tmp_path / "typo")
    (tmp_path / "papers").mkdir()
    for number in range(3):
        (tmp_path / f"papers/{number}.pdf").write_bytes(b"%PDF-1.7 ...")
    with pytest.raises(DataError, match=r"found only 3 \.pdf"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="is a file"):
        read_dataset(write(tmp_path / "one.jpg", 1))


def test_symbolic_links_are_followed_and_loops_end(tmp_path):
    photos = classes(tmp_path / "photos", cat=2, dog=1)
    (photos / "cat/up").symlink_to(photos)
    (photos / "cat/self").symlink_to(photos / "cat")
    (photos / "dog/circle").symlink_to("circle")
    write(tmp_path / "elsewhere/x.jpg", 7)
    (photos / "dog/more").symlink_to(tmp_path / "elsewhere")
    (photos / "dog/linked.jpg").symlink_to(tmp_path / "elsewhere/x.jpg")
    dataset = read_dataset(photos)
    assert names(dataset) == [
        "cat/000.jpg",
        "cat/001.jpg",
        "dog/000.jpg",
        "dog/linked.jpg",
        "dog/more/x.jpg",
    ]
    assert dataset.ignored == {"links to folders already read": 2}
    assert names(find_photos([photos])).count("cat/000.jpg") == 1


def test_names_that_are_not_utf8_and_very_long_ones_work(tmp_path):
    classes(tmp_path, dog=1)
    strange = os.fsencode(tmp_path) + b"/caf\xe9"
    (tmp_path / "caf\udce9").mkdir()
    longest = b"x" * 251 + b".jpg"
    for name in (b"\xff\xfe.jpg", longest, b"line\nbreak\x1b[2J.jpg"):
        Path(os.fsdecode(strange + b"/" + name)).write_bytes(jpeg(3))
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("caf\\xe9", "dog")
    assert len(dataset.photos) == 4
    for photo in dataset.photos:
        assert photo.path.read_bytes()
        shown = printable(photo.name)
        assert shown.isprintable()
        shown.encode()


def test_unreadable_folders_are_told(tmp_path):
    """In a process without the rights of root, which may read everything."""
    photos = classes(tmp_path / "photos", cat=1, dog=1, secret=1)
    (photos / "secret").chmod(0)
    (photos / "cat/odd").write_bytes(b"x")
    (photos / "cat/odd").chmod(0)
    script = f"""
        import os
        from ninebrains.photos import read_dataset
        if os.geteuid() == 0:
            os.setgid(65534); os.setuid(65534)
        dataset = read_dataset({str(photos)!r})
        print(dataset.labels, sorted((p.name, p.reason) for p in dataset.problems))
    """
    folder = tmp_path
    while folder != folder.parent:  # pytest's folders are for their owner only
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o5 != 0o5:
            folder.chmod(folder.stat().st_mode | 0o5)
        if folder.name.startswith("pytest-of"):
            break
        folder = folder.parent
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    (photos / "secret").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("('cat', 'dog')")
    assert "('secret', 'cannot be read: Permission denied')" in done.stdout
    assert "('cat/odd', 'cannot be read: Permission denied')" in done.stdout


def test_find_photos_takes_files_folders_and_patterns_once(tmp_path, monkeypatch):
    classes(tmp_path, cat=2, dog=1)
    (tmp_path / "odd.bin").write_bytes(b"not a photo")
    monkeypatch.chdir(tmp_path)
    dataset = find_photos(["cat", "dog/*.jpg", "odd.bin", tmp_path / "cat/000.jpg"])
    assert names(dataset) == ["cat/000.jpg", "cat/001.jpg", "dog/000.jpg", "odd.bin"]
    assert dataset.task is None
    assert all(not photo.labels for photo in dataset.photos)
    for wrong, message in [
        (["*.gif"], "nothing matches"),
        (["none.jpg"], "there is no"),
        ([], "no photos were named"),
    ]:
        with pytest.raises(DataError, match=message):
            find_photos(wrong)


def test_a_file_with_pattern_characters_in_its_name_is_that_file(tmp_path):
    write(tmp_path / "a[1].jpg", 1)
    assert names(find_photos([tmp_path / "a[1].jpg"])) == ["a[1].jpg"]


def test_no_folder_is_changed_by_reading(pets):
    before = sorted((str(p), p.stat().st_mtime_ns) for p in pets.rglob("*"))
    read_dataset(pets)
    assert sorted((str(p), p.stat().st_mtime_ns) for p in pets.rglob("*")) == before


def test_what_cannot_be_looked_at_is_named_as_the_source_was(tmp_path, monkeypatch):
    write(tmp_path / "bad/inner/x.jpg", 1)
    (tmp_path / "bad/loop").symlink_to("loop")
    (tmp_path / "bad/inner/round").symlink_to("round")
    monkeypatch.chdir(tmp_path)
    assert {problem.name for problem in find_photos(["bad"]).problems} == {
        "bad/loop",
        "bad/inner/round",
    }
    (problem,) = find_photos([tmp_path / "bad/inner"]).problems
    assert problem.name == str(tmp_path / "bad/inner/round")
