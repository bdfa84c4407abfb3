"""`verify`: what was changed since is found; nothing of an export from elsewhere is executed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ninebrains.brains import load
from ninebrains.errors import ExportError, ExtraError
from ninebrains.exporting import export, verify
from ninebrains.exporting.facts import file_hashes
from ninebrains.exporting.receipting import read_receipts
from tests.brains.making import make_brain
from tests.making import write_photos


@pytest.fixture
def made(brain_file, tmp_path):
    return export(brain_file, "onnx", tmp_path / "out").folder


def test_an_untouched_export_is_verified_with_and_without_photos(made, tmp_path):
    assert verify(made).again == ()
    photos = write_photos(tmp_path / "more", {"cat": 16, "dog": 16}, start=300)
    found = verify(made, photos)  # its brain lies beside it
    assert found.again[0].verdict == "agrees"
    assert found.again[0].photos.compared == 32


@pytest.mark.parametrize(
    "name", ["model.onnx", "labels.txt", "run.py", "export.json", "README.md", "receipt.html"]
)
def test_a_changed_file_is_found(made, name):
    data = bytearray((made / name).read_bytes())
    data[len(data) // 2] ^= 1
    (made / name).write_bytes(data)
    with pytest.raises(ExportError, match=name.replace(".", r"\.")):
        verify(made)


def test_a_missing_and_an_added_file_are_found(made):
    (made / "numpy.py").write_text("raise SystemExit")
    with pytest.raises(ExportError, match=r"numpy\.py is not in its receipt"):
        verify(made)
    (made / "numpy.py").unlink()
    (made / "labels.txt").unlink()
    with pytest.raises(ExportError, match=r"labels\.txt is missing"):
        verify(made)


def test_compiled_scripts_beside_it_and_a_bad_verdict_are_refused(made):
    text = (made / "receipt.json").read_text()
    (made / "receipt.json").write_text(text.replace('"too few photos to tell"', '"differs"'))
    with pytest.raises(ExportError, match="says that the export differs"):
        verify(made)
    (made / "receipt.json").write_text(text)
    (made / "__pycache__").mkdir()
    (made / "__pycache__" / "runtime.cpython-311.pyc").write_bytes(b"evil")
    with pytest.raises(ExportError, match=r"\.pyc is not in its receipt"):
        verify(made)


def test_receipts_of_brains_that_are_not_in_it_are_found(made):
    shutil.copy(made / "receipt.json", made / "receipt-2.json")
    with pytest.raises(ExportError, match=r"receipt-2\.json is not in its receipt"):
        verify(made)
    (made / "receipt-2.json").rename(made / "receipt-1.json")
    with pytest.raises(ExportError, match="2 receipts of its 1 brains"):
        verify(made)


@pytest.fixture
def two_on_a_page(brain_file, levels_file, home, tmp_path):
    """Two brains on one page, and where they came from."""
    files = (brain_file, levels_file)
    photos = write_photos(tmp_path / "both", {"cat": 3, "dog": 3}, start=300)
    try:
        made = export(files, "web", tmp_path / "site", precision="fp32", photos=photos)
    except ExtraError as error:
        pytest.skip(f"the runtime for browsers cannot be had here: {error}")
    return made.folder, files, photos


def test_a_brain_that_is_named_is_taken_though_others_are_beside_it(two_on_a_page, tmp_path):
    folder, (cats, _), photos = two_on_a_page
    elsewhere = tmp_path / "elsewhere" / "pets.brain"
    elsewhere.parent.mkdir()
    cats.rename(elsewhere)
    with pytest.raises(ExportError, match="Say where it is with --brain"):
        verify(folder, photos)
    assert len(verify(folder, photos, brain=load(elsewhere)).again) == 2
    (folder / "receipt-1.json").unlink()
    with pytest.raises(ExportError, match="1 receipts of its 2 brains"):
        verify(folder)


def test_of_several_brains_each_is_told_with_its_own_labels_and_receipt(two_on_a_page):
    folder, _, _ = two_on_a_page
    readme = (folder / "README.md").read_text()
    names = [receipt.brain.name for receipt in read_receipts(folder)]
    assert readme.startswith(f"# {' and '.join(names)} for Web page")
    assert "It knows cat, dog." in readme
    assert "It measures a number." in readme
    assert (folder / "labels.txt").read_text() == "cat\ndog\n"
    assert not (folder / "labels-2.txt").exists()
    first, second = readme.split("## The brain ")[1:]
    pets, levels = read_receipts(folder)
    for text, receipt, number in ((first, pets, ""), (second, levels, "-1")):
        assert text.startswith(f"{receipt.brain.name}\n")
        assert f"Verdict: {receipt.verdict}." in text
        assert f"`receipt{number}.html` shows all of it" in text
        listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")]
        assert listed == receipt.outputs
    assert "as in labels.txt" in first
    assert "values" in levels.outputs
    assert "values" not in pets.outputs


def test_links_and_damaged_receipts_are_refused(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    (made / "labels.txt").unlink()
    (made / "labels.txt").symlink_to("/etc/hostname")
    with pytest.raises(ExportError, match="is a link"):
        verify(made)
    for text in ("{", '{"schema_version": 1}', "[" * 100_000):
        (tmp_path / "copy" / "receipt.json").write_text(text)
        with pytest.raises(ExportError, match=r"receipt\.json is damaged"):
            verify(tmp_path / "copy")
    (tmp_path / "copy" / "receipt.json").unlink()
    with pytest.raises(ExportError, match=r"no receipt\.json"):
        verify(tmp_path / "copy")


def test_what_is_no_export_is_said_to_be_none(tmp_path):
    with pytest.raises(ExportError, match="is no export"):
        verify(tmp_path)
    (tmp_path / "export.json").write_text("[" * 100_000)
    with pytest.raises(ExportError, match="damaged"):
        verify(tmp_path)


def test_scripts_of_others_are_not_run_even_with_a_receipt_that_fits(made, pets):
    """Whoever changes an export can change its receipt, too."""
    evil = "import pathlib\npathlib.Path(__file__).with_name('pwned').touch()\n"
    (made / "run.py").write_text(evil + (made / "run.py").read_text())
    plain = json.loads((made / "receipt.json").read_text())
    plain["files"] = file_hashes(made)
    (made / "receipt.json").write_text(json.dumps(plain))
    with pytest.raises(ExportError, match="it is not run here"):
        verify(made, pets)
    assert not (made / "pwned").exists()


def test_another_model_under_a_receipt_that_fits_is_found_by_its_answers(made, brain_file, pets):
    import onnx

    model = onnx.load(made / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "head/bias":
            tensor.raw_data = np.array([9.0, -9.0], np.float32).tobytes()
    onnx.save(model, made / "model.onnx")
    plain = json.loads((made / "receipt.json").read_text())
    plain["files"] = file_hashes(made)
    (made / "receipt.json").write_text(json.dumps(plain))
    found = verify(made, pets, brain=load(brain_file))
    assert found.again[0].verdict == "differs"
    assert found.again[0].agreement.num_disagreements > 30


def test_the_brain_must_be_the_one_it_was_made_from(made, brain_file, pets, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="made from another brain"):
        verify(made, pets, brain=make_brain())
    monkeypatch.chdir(tmp_path)
    Path(brain_file).unlink()
    (tmp_path / "damaged.brain").write_bytes(b"no brain")
    with pytest.raises(ExportError, match="--brain"):
        verify(made, pets)
