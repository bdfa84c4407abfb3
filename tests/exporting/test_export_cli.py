"""`ninebrains export` as people type it, mistakes included."""

import json

import pytest


def test_export_and_verify(ninebrains, brain_file, tmp_path):
    done = ninebrains("export", brain_file, "--to", "onnx", "-o", tmp_path / "out")
    assert "Same answer on 100.00% of 16 photos held out when it was trained" in done.out
    assert "comparing ONNX in fp32 on 16 photos" in done.err
    assert (
        "all 8 files are as the receipt says"
        in ninebrains("export", "verify", tmp_path / "out").out
    )
    again = ninebrains("export", "verify", tmp_path / "out", "--brain", brain_file, "--json")
    plain = json.loads(again.out)
    assert plain["receipts"][0]["agreement"]["same"]["value"] == 1.0
    assert plain["stored"]["receipts"][0]["photos"]["compared"] == 16


def test_json_is_one_document_and_nothing_else(ninebrains, brain_file, tmp_path):
    words = ("--to", "onnx", "--precision", "fp16", "-o", tmp_path / "out", "--json")
    done = ninebrains("export", brain_file, *words)
    assert json.loads(done.out)["receipts"][0]["precision"] == "fp16"
    assert done.err == ""


def test_the_folder_is_named_after_brain_and_target(ninebrains, brain_file, tmp_path):
    ninebrains("export", brain_file, "--to", "onnx", cwd=tmp_path)
    assert (tmp_path / "pets-onnx" / "model.onnx").is_file()
    again = ninebrains("export", brain_file, "--to", "onnx", cwd=tmp_path, check=2)
    assert "--force" in again.err
    ninebrains("export", brain_file, "--to", "onnx", "--force", cwd=tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "toaster"), "no target 'toaster'; the targets are onnx, litert"),
        (("--to", "onnx", "--precision", "int3"), "--precision is one of fp32, fp16"),
        (("--to", "onnx", "--max-drop", "much"), "--max-drop is a share such as 1% or 0.01"),
        (("--to", "onnx", "--photos", "nowhere"), "nowhere"),
        (("--to", "onnx", "--strict"), "16 photos are few"),
    ],
)
def test_mistakes_are_told_in_a_line(ninebrains, brain_file, tmp_path, words, said):
    done = ninebrains("export", brain_file, *words, "-o", tmp_path / "out", check=2)
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_a_brain_or_export_that_is_not_there_is_said_not_to_be(ninebrains, tmp_path):
    assert "there is no no.brain" in ninebrains("export", "no.brain", "--to", "onnx", check=2).err
    assert "is no export" in ninebrains("export", "verify", tmp_path, check=2).err
    assert "is no export" in ninebrains("export", "serve", tmp_path, check=2).err


def test_help_shows_how_to_export_and_the_other_commands(ninebrains):
    done = ninebrains("export", "--help")
    for word in ("BRAIN...", "--precision", "verify", "serve"):
        assert word in done.out


def test_a_read_only_folder_is_an_error_of_the_users(ninebrains, brain_file):
    done = ninebrains("export", brain_file, "--to", "onnx", "-o", "/proc/out", check=2)
    assert "could not write /proc/out" in done.err
