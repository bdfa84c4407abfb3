import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import ImageFilter

from ninebrains.photos import audit, examine_all, read_dataset, split_photos
from tests.photos.making import classes, jpeg, looked, picture, table, write


@pytest.fixture
def messy(tmp_path):
    """A given split with one of everything that an audit should see."""
    root = tmp_path / "messy"
    classes(root / "train", cat=12, dog=4)
    classes(root / "test", cat=0)
    (root / "test/cat").mkdir(parents=True)
    write(root / "test/dog/fresh.jpg", 500)
    (root / "test/cat/leak.jpg").write_bytes((root / "train/cat/000.jpg").read_bytes())
    (root / "train/dog/cat.jpg").write_bytes((root / "train/cat/001.jpg").read_bytes())
    write(root / "train/cat/again.jpg", 2, quality=40)
    write(root / "train/dog/tiny.jpg", 600, size=(20, 24))
    write(root / "train/dog/long.jpg", 601, size=(400, 40))
    write(root / "train/dog/huge.jpg", 602, size=(800, 600))
    scene = picture(603, (200, 150))
    scene.point(lambda v: v // 20).save(root / "train/cat/dark.jpg")
    scene.point(lambda v: 255 - v // 20).save(root / "train/cat/bright.png")
    scene.filter(ImageFilter.GaussianBlur(5)).save(root / "train/cat/<b>soft.jpg")
    (root / "train/cat/broken.jpg").write_bytes(jpeg(1)[:600])
    (root / "train/cat/notes.txt").write_text("x")
    return root


def audited(root, **how):
    dataset = read_dataset(root)
    facts, problems = examine_all(dataset.photos)
    return audit(dataset, facts, problems, split_photos(dataset, facts), **how)


def test_an_audit_finds_one_of_everything(messy):
    found = json.loads(json.dumps(audited(messy).to_dict()))
    assert found["num_photos"] == 26
    assert found["labels"]["cat"] == {"all": 17, "train": 16, "test": 1}
    assert found["imbalance"] == pytest.approx(17 / found["labels"]["dog"]["all"])
    assert [problem["name"] for problem in found["unreadable"]] == ["train/cat/broken.jpg"]
    assert found["ignored"] == {"non-photos": 1}
    seen = {
        key: [sorted(one["photos"]) for one in findings]
        for key, findings in found["findings"].items()
    }
    assert seen["leaks"] == [["test/cat/leak.jpg", "train/cat/000.jpg"]]
    assert seen["conflicts"] == [["train/cat/001.jpg", "train/dog/cat.jpg"]]
    assert sorted(seen["exact_duplicates"]) == sorted(seen["leaks"] + seen["conflicts"])
    assert ["train/cat/002.jpg", "train/cat/again.jpg"] in seen["near_duplicates"]
    assert {name for group in seen["odd_sizes"] for name in group} == {
        "train/dog/tiny.jpg",
        "train/dog/long.jpg",
        "train/dog/huge.jpg",
    }
    assert ["train/cat/dark.jpg"] in seen["dark"]
    assert ["train/cat/bright.png"] in seen["bright"]
    assert ["train/cat/<b>soft.jpg"] in seen["blurred"]


def test_the_text_says_the_same_in_words(messy):
    found = audited(messy)
    text = found.to_text()
    for expected in (
        found.summary,
        "Copies in both train and test (1) !",
        "1 in cat, 1 in dog",
        "train/cat/broken.jpg: the photo is damaged",
        "Ignored: non-photos (1)",
        "20 x 24: tiny",
    ):
        assert expected in text
    assert "copies in both train and test (1)" in found.summary
    assert "not usable (1)" in found.summary


def test_the_page_needs_nothing_else_and_escapes_names(messy):
    page = audited(messy).to_html()
    assert "<b>soft" not in page
    assert "&lt;b&gt;soft.jpg" in page
    assert page.count("data:image/jpeg;base64,") > 10
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page


def test_photos_gone_since_are_named_on_the_page(pets):
    dataset = read_dataset(pets)
    facts = looked(dataset)
    found = audit(dataset, facts, suspects=[("cat/000.jpg", "cat", "dog", 0.1)])
    (pets / "cat/000.jpg").unlink()
    assert "cannot be read" in found.to_html()


def test_suspected_labels_come_from_the_caller(pets):
    found = audited(pets, suspects=[("cat/001.jpg", "cat", "dog", 0.04), ("x", "dog", "cat", 0.1)])
    assert found.to_dict()["findings"]["suspected_labels"] == [
        {"photos": ["cat/001.jpg"], "note": "labelled cat, looks like dog (label quality 0.04)"},
        {"photos": ["x"], "note": "labelled dog, looks like cat (label quality 0.10)"},
    ]


def test_a_clean_data_set_has_nothing_to_mend(pets):
    found = audited(pets)
    assert found.summary == (
        "11 photos in 2 classes, 1.2:1 from largest to smallest. Nothing to mend."
    )
    assert "Nothing to mend" in found.to_html()
    assert found.to_dict()["labels"]["cat"] == {"all": 6, "train": 5, "test": 1}


def test_numbers_unlabelled_photos_and_test_parts_alone_can_be_audited(tmp_path):
    for number in range(5):
        write(tmp_path / f"p/{number}.jpg", number)
    assert audited(tmp_path / "p").summary == "5 photos. Nothing to mend."
    rows = "".join(f"p/{number}.jpg,{number + 0.5}\n" for number in range(5))
    numbers = audited(table(tmp_path / "t.csv", "path,label\n" + rows))
    assert "numbers from 0.5 to 4.5, half below 2.5" in numbers.to_text()
    assert "half of them below 2.5" in numbers.to_html()
    classes(tmp_path / "alone/test", cat=2, dog=2)
    assert "none to learn from" in audited(tmp_path / "alone").to_text()


def test_names_that_are_not_utf8_come_through_all_forms(tmp_path):
    classes(tmp_path, dog=2, cat=2)
    broken = tmp_path / "cat/\udcff.jpg"
    broken.write_bytes(b"")
    (tmp_path / "cat/\udcfe.jpg").write_bytes((tmp_path / "cat/000.jpg").read_bytes())
    found = audited(tmp_path)
    for text in (found.to_text(), found.to_html(), json.dumps(found.to_dict(), ensure_ascii=False)):
        text.encode()
        assert "xff.jpg" in text
        assert "xfe.jpg" in text


def test_good_web_photos_are_hardly_ever_flagged(shared):
    dataset = read_dataset(shared / "data/classification/dogcat")
    dataset = dataset.keep(range(0, len(dataset.photos), 4))
    found = audit(dataset, looked(dataset))
    flagged = {s.key: len(s.findings) for s in found.sections if s.findings}
    assert flagged.get("blurred", 0) + flagged.get("dark", 0) + flagged.get("bright", 0) <= 3
    assert {"near_duplicates", "exact_duplicates", "conflicts", "leaks"}.isdisjoint(flagged)


def run(*arguments):
    script = "from ninebrains.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, "data", "audit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_text_or_json_and_writes_the_page(messy, tmp_path):
    done = run(messy, "--html", tmp_path / "out/audit.html")
    assert done.returncode == 0, done.stderr
    assert "Copies in both train and test (1) !" in done.stdout
    assert (tmp_path / "out/audit.html").read_text("utf-8").startswith("<!doctype html>")
    done = run(messy, "--json")
    assert json.loads(done.stdout)["num_photos"] == 26


def test_the_command_refuses_what_is_no_data_set_in_one_line(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no photos in")
    assert len(done.stderr.splitlines()) == 1


def test_brightness_is_judged_on_all_colours():
    from ninebrains.images import PhotoInfo
    from ninebrains.photos import examine

    red = np.zeros((100, 100, 3), np.uint8)
    red[..., 0] = 255
    assert examine(b"x", red, PhotoInfo("PNG", 100, 100, 1)).brightness > 0.2
