"""`ninebrains bench EXPORT` and `bench merge`: rows of exports, each in its own runtime."""

import json
import shutil
import subprocess
import sys

import pytest

import ninebrains as nb
from ninebrains.exporting import export
from ninebrains.exporting.rows import read_rows
from tests.brains.making import make_brain
from tests.making import write_photos


@pytest.fixture(scope="module")
def place(tmp_path_factory, small_trunk):
    """A folder with exports of one brain in two precisions, and a brain."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder / "home"))
        nb.add_trunk(small_trunk)
        photos = write_photos(folder / "photos", {"cat": 12, "dog": 12})
        brain = nb.train(photos, name="pets", trunk="small")
        for precision in ("fp32", "fp16"):
            export(brain, "onnx", folder / f"pets-{precision}", precision=precision)
    make_brain(name="rooms").save(folder / "rooms.brain")
    return folder


@pytest.fixture
def copy(place, tmp_path):
    """An export that may be changed."""
    return shutil.copytree(place / "pets-fp32", tmp_path / "pets-fp32")


def test_each_export_gets_a_row_and_the_rows_gather_in_a_file(ninebrains, place, tmp_path):
    table = tmp_path / "all.csv"
    words = ("bench", "pets-fp32", "pets-fp16", "--runs", "20", "--threads", "1", "--save", table)
    told = json.loads(ninebrains(*words, "--json", cwd=place).out)
    assert [row["precision"] for row in told["rows"]] == ["fp32", "fp16"]
    for row in told["rows"]:
        assert (row["name"], row["target"], row["runs"], row["threads"]) == ("pets", "onnx", 20, 1)
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        # The mean lies between the fastest and what all of them took together.
        assert 0 < 1000 / row["fps"] < 20 * row["p99_ms"]
        assert row["memory_mib"] is None or row["memory_mib"] > 10
        assert row["runtime"].startswith("onnxruntime ")
        assert row["host"]
        assert row["date"]
    out = ninebrains(*words, cwd=place).out
    assert "pets@1 onnx fp16" in out
    assert "4 rows now" in out
    assert [row.precision for row in read_rows(table)] == ["fp32", "fp16"] * 2


def test_without_a_file_each_export_has_one_beside_it_and_stays_as_it_was(ninebrains, copy):
    out = ninebrains("bench", ".", "--runs", "5", cwd=copy).out
    (row,) = read_rows(copy.parent / "pets-fp32-bench.csv")
    assert (row.runs, row.threads) == (5, None)
    assert "1 row now" in out
    ninebrains("bench", copy, "--runs", "5")
    assert len(read_rows(copy.parent / "pets-fp32-bench.csv")) == 2
    ninebrains("export", "verify", copy)


def test_rows_of_machines_without_ninebrains_become_one_table(ninebrains, place, copy):
    here = copy.parent
    done = subprocess.run(
        [sys.executable, copy / "run.py", "--bench", "5", "--threads", "2"],
        capture_output=True,
        check=True,
    )
    (here / "pi.jsonl").write_bytes(done.stdout + done.stdout)
    ninebrains("bench", place / "pets-fp16", "--runs", "5", "--save", "b.csv", cwd=here)
    for name in ("t.csv", "t.md", "t.html"):
        out = ninebrains("bench", "merge", "b.csv", "pi.jsonl", "-o", name, cwd=here).out
        assert "2 rows" in out  # a row that is there twice counts once
    assert [row.threads for row in read_rows(here / "t.csv")] == [None, 2]
    assert len((here / "t.md").read_text().splitlines()) == 4
    page = (here / "t.html").read_text()
    assert "2 measurements on 1 machine" in page
    assert "pets@1 onnx fp16" in page
    told = ninebrains("bench", "merge", "t.csv", "-o", "t.md", cwd=here, check=2).err
    assert "t.md is there" in told
    ninebrains("bench", "merge", "t.csv", "-o", "t.md", "--overwrite", cwd=here)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pets-fp32", "rooms.brain"), "rooms.brain is none"),
        (("pets-fp32", "--photos", "photos"), "--photos does not go with exports"),
        (("pets-fp32", "--seconds", "1"), "--seconds does not go with exports"),
        (("rooms.brain", "--runs", "5"), "--runs does not go with brains"),
        (("rooms.brain", "--save", "x.csv"), "--save does not go with brains"),
        (("pets-fp32", "--save", "rooms.brain"), "rooms.brain is no text"),
        (("pets-fp32", "--save", "photos"), "photos is there and is no file"),
        (("pets-fp32", "--runs", "0"), "runs"),
        (("merge", "rooms.brain"), "rooms.brain is no text"),
        (("merge", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("merge", "nowhere.csv", "-o", "t.xlsx"), "t.xlsx ends in none of"),
        (("merge",), "files"),
    ],
)
def test_mistakes_are_told(ninebrains, place, words, told):
    assert told.lower() in ninebrains("bench", *words, cwd=place, check=2).err.lower()


def test_an_export_that_was_changed_is_not_run(ninebrains, copy):
    with (copy / "runtime.py").open("a") as file:
        file.write("\nprint('gotcha')\n")
    done = ninebrains("bench", copy, check=2)
    assert "tampered" in done.err
    assert "gotcha" not in done.out + done.err


def test_scripts_from_elsewhere_are_not_run_though_the_receipt_names_them(ninebrains, copy):
    from ninebrains.exporting.facts import file_hashes

    with (copy / "runtime.py").open("a") as file:
        file.write("\nprint('gotcha')\n")
    _sign_again(copy, file_hashes(copy))
    done = ninebrains("bench", copy, check=2)
    assert "runtime.py is not the script" in done.err
    assert "gotcha" not in done.out + done.err


def test_an_export_that_its_runtime_cannot_open_is_told(ninebrains, copy):
    from ninebrains.exporting.facts import file_hashes

    (copy / "model.onnx").write_bytes(b"no network")
    _sign_again(copy, file_hashes(copy))
    done = ninebrains("bench", copy, check=2)
    assert "cannot be run: " in done.err
    assert "model.onnx" in done.err
    assert not (copy.parent / "pets-fp32-bench.csv").exists()


def _sign_again(folder, files):
    path = folder / "receipt.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": files}))
