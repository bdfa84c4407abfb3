import json
from pathlib import Path

import pytest

from ninebrains.mind.mind import Mind
from ninebrains.mind.tuning.choices import Choice, chosen, hardware, keep
from tests.brains.making import make_brain


@pytest.fixture
def two_brains(tmp_path):
    """On one trunk, with heads of their own."""
    paths = [tmp_path / f"{name}.brain" for name in ("pets", "rooms")]
    for seed, path in enumerate(paths):
        make_brain(head_seed=seed, name=path.stem).save(path)
    return paths


def test_what_is_measured_is_kept_and_a_mind_runs_by_it(ninebrains, two_brains, pets):
    document = json.loads(ninebrains("tune", *two_brains, "--photos", pets, "--json").out)
    (segment,) = document["segments"]
    assert segment["brains"] == ["pets@1", "rooms@1"]
    assert segment["num_photos"] == 80
    assert any("too few photos (80)" in note for note in segment["notes"])
    assert document["hardware"] == hardware()
    assert json.loads(Path(document["file"]).read_text())["hardware"] == hardware()

    rows = segment["trials"]
    assert {row["backend"] for row in rows} == {"onnxruntime", "openvino"}
    assert rows[0]["cosine"] is None  # the reference itself
    for row in rows:
        assert row["ms"] > 0
        assert row["accepted"] == (row["objection"] is None)
        if row["precision"] == "fp32" and row["cosine"] is not None:
            assert row["accepted"]
            assert row["cosine"] > 0.9999
            assert row["same_top"] == 1

    choice = Choice(**segment["choice"])
    assert chosen(segment["segment"]) == choice
    with Mind(two_brains) as mind:
        (branch,) = mind.explain().roots[0].below
        assert branch.hash == segment["segment"]
        assert branch.backend == choice.backend


def test_the_table_says_what_was_tried_and_what_was_taken(ninebrains, two_brains, pets):
    printed = ninebrains("tune", two_brains[0], "--photos", pets / "cat", "--limit", 10).out
    lines = printed.splitlines()
    assert lines[0].endswith("of pets@1; photos: 10")
    assert lines[1].split()[:4] == ["backend", "precision", "threads", "batch"]
    assert lines[2].endswith("the reference")
    assert sum("openvino" in line and "fp32" in line for line in lines) >= 3
    assert any(line.startswith("chosen: ") for line in lines)
    assert "note: too few photos (10)" in printed
    assert lines[-1].startswith("kept in ")


def test_brains_that_answer_with_numbers_are_judged_by_their_features(ninebrains, tmp_path, pets):
    make_brain(task="regress").save(tmp_path / "age.brain")
    make_brain(task="multilabel").save(tmp_path / "seen.brain")
    for name, share in (("age", None), ("seen", 1)):
        brain = tmp_path / f"{name}.brain"
        done = ninebrains("tune", brain, "--photos", pets, "--limit", 12, "--json")
        (segment,) = json.loads(done.out)["segments"]
        plain = [row for row in segment["trials"][3:] if row["precision"] == "fp32"]
        assert all(row["same_top"] == share for row in plain)


def test_photos_that_cannot_be_read_are_left_out_and_named(ninebrains, two_brains, tmp_path, pets):
    folder = tmp_path / "some"
    folder.mkdir()
    good = folder / "good.jpg"
    good.write_bytes(next((pets / "cat").iterdir()).read_bytes())
    (folder / "bad.jpg").write_bytes(good.read_bytes()[:90])
    done = ninebrains("tune", two_brains[0], "--photos", folder)
    assert "photos: 1" in done.out
    assert "left out: bad.jpg: " in done.err
    good.unlink()
    done = ninebrains("tune", two_brains[0], "--photos", folder, check=2)
    assert "none of 1 photos can be read" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets.brain"], "--photos"),
        (["pets.brain", "--photos", "nowhere"], "nowhere"),
        (["missing.brain", "--photos", "cat.jpg"], "missing.brain"),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    ninebrains, two_brains, tmp_path, pets, arguments, message
):
    (tmp_path / "cat.jpg").write_bytes(next((pets / "cat").iterdir()).read_bytes())
    done = ninebrains("tune", *arguments, check=2, cwd=tmp_path)
    assert message in done.err


def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(
    ninebrains, two_brains, pets, home
):
    (home / "data").write_bytes(b"a file where the folder should be")
    done = ninebrains("tune", two_brains[0], "--photos", pets, "--limit", 4, check=2)
    assert "could not write" in done.err
    assert done.out == ""


def test_a_damaged_file_is_a_note_in_one_line(ninebrains, two_brains, pets):
    path = keep({"a" * 64: Choice()})
    for words in (
        ("bench", two_brains[0], "--seconds", 0.1, "--callers", 1),
        ("tune", two_brains[0], "--photos", pets, "--limit", 2),
    ):
        path.write_text("{")
        told = ninebrains(*words).err.splitlines()
        assert [line for line in told if "damaged" in line] == told
        (line,) = told
        assert line.startswith(f"note: {path} is damaged (")
        assert line.endswith("Run `ninebrains tune` again, which replaces it.")
