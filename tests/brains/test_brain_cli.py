"""`ninebrains brain` and `ninebrains predict`, as people and programs call them."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from ninebrains.brains import load
from ninebrains.cli import brain as brain_command
from ninebrains.cli.predict import predict
from ninebrains.errors import BrainError, DataError, OutputError

from .making import make_brain, photo

app = typer.Typer()
app.add_typer(brain_command.app, name="brain")
app.command()(predict)


def call(*arguments, code=0):
    """Run a command in this process; its errors come out as they are."""
    result = CliRunner().invoke(app, [str(item) for item in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def pets(tmp_path):
    return make_brain().save(tmp_path / "pets.brain")


@pytest.fixture
def photos(tmp_path):
    """A familiar photo, an unfamiliar one, and a broken one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(folder / "black.png")
    Image.fromarray(photo()).save(folder / "noise.png")
    (folder / "torn.png").write_bytes((folder / "noise.png").read_bytes()[:300])
    return folder


def test_show_says_what_a_brain_is(pets):
    text = call("brain", "show", pets).stdout
    assert "pets@1" in text
    assert "cat, dog, sofa" in text
    assert json.loads(call("brain", "show", pets, "--json").stdout)["hash"] == load(pets).hash
    assert call("brain", "show", pets, "--card").stdout.startswith("# Pets")


def test_verify_lists_what_was_checked_and_insists_on_a_key(pets, tmp_path):
    assert "not signed" in call("brain", "verify", pets).stdout
    call("brain", "key", tmp_path / "key")
    with pytest.raises(BrainError, match="not signed"):
        call("brain", "verify", pets, "--key", tmp_path / "key.pub")
    call("brain", "sign", pets, "--key", tmp_path / "key")
    text = call("brain", "verify", pets, "--key", tmp_path / "key.pub").stdout
    assert "a trusted key" in text
    assert len(json.loads(call("brain", "verify", pets, "--json").stdout)["checked"]) == 6
    pets.write_bytes(pets.read_bytes()[:-1])
    with pytest.raises(BrainError, match="cut short"):
        call("brain", "verify", pets)


def test_labels_are_listed_and_renamed_in_place_or_elsewhere(pets, tmp_path):
    call("brain", "labels", "rename", pets, "cat", "Katze", "-o", tmp_path / "new.brain")
    assert load(pets).labels[0].name == "cat"
    call("brain", "labels", "rename", pets, "cat", "Katze")
    assert load(pets) == load(tmp_path / "new.brain")
    assert call("brain", "labels", "list", pets).stdout.split()[:6] == [
        *("index", "id", "name", "0", "id-cat", "Katze")
    ]
    assert json.loads(call("brain", "labels", "list", pets, "--json").stdout)[0]["name"] == "Katze"
    with pytest.raises(OutputError, match="exists"):
        call("brain", "labels", "rename", pets, "dog", "Hund", "-o", tmp_path / "new.brain")
    with pytest.raises(BrainError, match="export it"):
        call("brain", "labels", "rename", "stored-pets", "dog", "Hund")


def test_renaming_says_that_the_signature_is_gone(pets, tmp_path):
    call("brain", "key", tmp_path / "key")
    call("brain", "sign", pets, "--key", tmp_path / "key")
    assert "sign it again" in call("brain", "labels", "rename", pets, "cat", "Katze").stderr


def test_diff_shows_what_changed(pets, tmp_path):
    other = make_brain(version="2").save(tmp_path / "other.brain")
    assert "version: 1 -> 2" in call("brain", "diff", pets, other).stdout
    assert "no differences" in call("brain", "diff", pets, pets).stdout
    found = json.loads(call("brain", "diff", pets, other, "--json").stdout)
    assert found["changes"] == [{"place": "version", "before": "1", "after": "2"}]


def test_the_store_from_add_to_remove(pets, tmp_path):
    assert "empty" in call("brain", "list").stdout
    call("brain", "add", pets)
    assert "pets@1" in call("brain", "list").stdout
    listed = json.loads(call("brain", "list", "--json").stdout)
    assert (listed[0]["name"], listed[0]["num_labels"], listed[0]["fault"]) == ("pets", 3, "")
    call("brain", "export", "pets", "-o", tmp_path / "out.brain")
    assert (tmp_path / "out.brain").read_bytes() == pets.read_bytes()
    call("brain", "remove", "pets@1")
    with pytest.raises(BrainError, match="none yet"):
        call("brain", "remove", "pets")
    for verb in (("add",), ("sign", "--key", "key")):
        with pytest.raises(BrainError, match="no file or folder"):
            call("brain", *verb, "nothing.brain")


def test_predict_answers_in_a_table_and_reports_broken_photos(pets, photos):
    result = call("predict", pets, photos, code=2)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["photo", "answer", "score", "also"]
    assert "black.png" in lines[1]
    assert "none of these (unfamiliar 1.62)" in lines[2]
    assert "nearest: cat 0.5537" in lines[2]
    assert "torn.png: " in result.stderr
    call("predict", pets, photos / "black.png")
    with pytest.raises(DataError, match=r"no gone\.png"):
        call("predict", pets, "gone.png")


def test_predict_leaves_out_what_is_below_the_threshold(pets, photos):
    black = photos / "black.png"
    assert "unsure" in call("predict", pets, black, "--threshold", "0.999").stdout
    result = call("predict", pets, black, "--threshold", "0.999", "--json")
    assert json.loads(result.stdout)[0]["instances"] == []


def test_predict_as_json_and_csv(pets, photos):
    found = json.loads(call("predict", pets, photos, "--json", "--top", "2", code=2).stdout)
    assert [bool(item["error"]) for item in found] == [False, False, True]
    assert len(found[0]["instances"]) == 2
    assert found[1]["answer"] is None
    assert found[1]["unfamiliar"] > 1
    rows = list(csv.DictReader(io.StringIO(call("predict", pets, photos, "--csv", code=2).stdout)))
    assert rows[0]["answer"] == rows[0]["label_1"] == found[0]["answer"]
    assert rows[1]["answer"] == ""
    assert rows[2]["error"] == found[2]["error"]
    with pytest.raises(DataError, match="one of them"):
        call("predict", pets, photos, "--csv", "--json")


def test_predict_shows_the_value_of_a_regression(tmp_path, photos):
    scales = make_brain("regress").save(tmp_path / "scales.brain")
    value = load(scales).run(photos / "black.png").top.value
    lines = call("predict", scales, photos / "black.png").stdout.splitlines()
    assert lines[1].split()[1:] == ["grams", f"{value:.6g}"]


def test_predict_writes_heat_maps_beside_nothing_of_the_users(pets, photos, tmp_path):
    twin = tmp_path / "more" / "black.png"
    twin.parent.mkdir()
    twin.write_bytes((photos / "black.png").read_bytes())
    out = tmp_path / "maps"
    call("predict", pets, photos / "black.png", twin, "--heatmap", out)
    label = load(pets).run(twin).top.label
    assert sorted(path.name for path in out.iterdir()) == [
        f"black.{label}.2.jpg",
        f"black.{label}.jpg",
    ]
    with Image.open(out / f"black.{label}.jpg") as picture:
        assert picture.size == (30, 30)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_predict_as_a_process_survives_any_file_name_and_stays_light(pets, photos, home):
    strange = os.fsencode(photos) + b"/caf\xe9\n.png"
    Path(os.fsdecode(strange)).write_bytes((photos / "black.png").read_bytes())
    code = (
        "import sys, typer\n"
        "from ninebrains.cli.predict import predict\n"
        "app = typer.Typer(pretty_exceptions_enable=False)\n"
        "app.command()(predict)\n"
        "sys.stdout.reconfigure(errors='backslashreplace')\n"
        "app(standalone_mode=False)\n"
        "heavy = {'scipy', 'jinja2', 'rich', 'matplotlib', 'nacl', 'ninebrains.photos'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, str(pets), strange]
    plain = subprocess.run([*command, "--json"], capture_output=True, check=True)
    assert os.fsencode(json.loads(plain.stdout)[0]["photo"]) == strange
    assert plain.stderr.decode().strip().endswith("[]")
    table = subprocess.run(command, capture_output=True, check=True)
    assert rb"caf\xe9\x0a.png" in table.stdout


def test_what_an_error_quotes_cannot_steer_the_terminal(ninebrains, tmp_path):
    folder = make_brain().save(tmp_path / "pets")
    (folder / "a\x1b]0;pwn\x07").write_bytes(b"")
    error = ninebrains("brain", "show", folder, check=2).err
    assert r"a\x1b]0;pwn\x07 does not belong in a brain" in error
