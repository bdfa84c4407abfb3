"""`export` to ONNX, whole: the folder, its receipt, and everything that must not be lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ninebrains as nb
from ninebrains.brains import load, new_key, sign
from ninebrains.brains.graph import unpack
from ninebrains.errors import BrainError, DataError, ExportError, OutputError
from ninebrains.exporting import ExportRecipe, Gate, export, verify
from ninebrains.exporting.facts import file_hashes
from ninebrains.exporting.receipting import read_receipts
from ninebrains.exporting.targets.onnx import OnnxTarget, in_opset
from tests.making import jpeg, write_photos

ROOT = Path(__file__).parents[2]


def test_an_export_answers_as_its_brain_and_says_how_that_was_seen(brain_file, tmp_path):
    made = export(brain_file, "onnx", tmp_path / "out")
    receipt = made.receipt
    assert receipt.verdict in ("agrees", "too few photos to tell")  # 16 photos are held out
    assert receipt.photos.compared == receipt.photos.asked == 16
    assert receipt.agreement.same.value == 1.0
    assert receipt.agreement.largest_difference == 0.0  # the same pixels, the same arithmetic
    assert receipt.agreement.heatmap_lowest == pytest.approx(1.0)
    assert receipt.quality.brain == receipt.quality.export
    assert receipt.quality.brain.value == load(brain_file).metrics.accuracy.value
    assert receipt.packages.keys() == {"onnxruntime"}
    assert read_receipts(made.folder) == (receipt,)


def test_the_folder_holds_what_is_needed_to_run_it_elsewhere(brain_file, tmp_path):
    folder = export(brain_file, "onnx", tmp_path / "out").folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "contract.py",
        "export.json",
        "labels.txt",
        "model.onnx",
        "receipt.html",
        "receipt.json",
        "run.py",
        "runtime.py",
    ]
    assert (folder / "labels.txt").read_text() == "cat\ndog\n"
    readme = (folder / "README.md").read_text()
    assert "64 x 64 pixels" in readme
    assert "100.00% of 16 photos" in readme
    lines = len((folder / "run.py").read_text().splitlines())
    assert lines < 100


ALONE = """
import runpy, sys
sys.modules["ninebrains"] = None  # cannot be imported
sys.argv.pop(0)
sys.path.insert(0, sys.argv[0].rsplit("/", 1)[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_its_runner_needs_nothing_of_ninebrains(brain_file, tmp_path):
    folder = export(brain_file, "onnx", tmp_path / "out").folder
    photo = tmp_path / "it's ünï.jpg"
    photo.write_bytes(jpeg("dog", 500))
    command = [sys.executable, "-c", ALONE, str(folder / "run.py"), str(photo), "--bench", "5"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    row, answer = (json.loads(line) for line in done.stdout.splitlines())
    assert (row["runs"], row["target"], row["precision"]) == (5, "onnx", "fp32")
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    ours = load(brain_file).run(photo)
    assert answer["answer"] == ours.answer
    assert answer["scores"][ours.top.label] == pytest.approx(ours.top.score, abs=1e-6)


def test_its_runner_runs_in_any_folder_and_locale(brain_file, tmp_path):
    folder = export(brain_file, "onnx", tmp_path / "an 🐱 é").folder
    (folder / "photo 🐶.jpg").write_bytes(jpeg("dog", 500))
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for environment in ({}, plain):
        command = [sys.executable, str(folder / "run.py"), str(folder / "photo 🐶.jpg")]
        done = subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, **environment}
        )
        assert json.loads(done.stdout)["answer"] == load(brain_file).run(jpeg("dog", 500)).answer


def test_the_code_in_its_readme_runs_as_it_is(brain_file, tmp_path):
    folder = export(brain_file, "onnx", tmp_path / "out").folder
    (folder / "photo.jpg").write_bytes(jpeg("dog", 500))
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    command = [sys.executable, "-W", "error", "-c", f"{code}\nprint(scores.shape)"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=folder)
    assert (done.stdout, done.stderr) == ("(1, 2)\n", "")


def test_its_runner_tells_what_it_cannot_do(brain_file, tmp_path):
    folder = export(brain_file, "onnx", tmp_path / "out").folder
    (folder.parent / "cat.jpg").write_bytes(jpeg("cat", 500))

    def run(*words):
        command = [sys.executable, str(folder / "run.py"), *words]
        return subprocess.run(
            command, capture_output=True, check=False, text=True, cwd=folder.parent
        )

    done = run("nowhere.jpg", "cat.jpg")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (1, "")
    assert "nowhere.jpg" in lines[0]["error"]
    assert lines[1]["answer"] == "cat"
    for words in ((), ("--bench", "-3"), ("--bench", "3", "--threads", "-4")):
        assert run(*words).returncode == 2
    assert not (folder / "__pycache__").exists()  # which would be no part of its receipt


@pytest.mark.parametrize("precision", ["fp16", "int8-weights"])
def test_smaller_weights_keep_the_answers(brain_file, tmp_path, precision):
    full = export(brain_file, "onnx", tmp_path / "full").folder / "model.onnx"
    made = export(brain_file, "onnx", tmp_path / "small", precision=precision)
    assert (made.folder / "model.onnx").stat().st_size < 0.6 * full.stat().st_size
    assert made.receipt.agreement.same.value >= 0.9
    assert 0 < made.receipt.agreement.largest_difference < 0.2


def test_multilabel_and_measuring_brains_have_receipts_of_their_own(
    pairs_file, levels_file, tmp_path
):
    pairs = export(pairs_file, "onnx", tmp_path / "pairs", precision="fp16").receipt
    assert pairs.quality.measure == "right decisions"
    assert pairs.agreement.same.value > 0.9
    levels = export(levels_file, "onnx", tmp_path / "levels", precision="fp16").receipt
    assert levels.quality.measure == "mean absolute error"
    assert levels.outputs[0] == "values"
    assert abs(levels.quality.lost.value) < 0.01


def test_photos_of_the_user_are_taken_instead_of_those_held_out(brain_file, tmp_path):
    photos = write_photos(tmp_path / "more", {"cat": 20, "dog": 20}, start=300)
    (photos / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    receipt = export(brain_file, "onnx", tmp_path / "out", photos=photos).receipt
    assert (receipt.photos.asked, receipt.photos.compared) == (41, 40)
    assert receipt.verdict == "agrees"
    assert receipt.quality.measure == "accuracy"
    assert [why[:8] for why in receipt.photos.failed.values()] == ["neither:"]


def test_photos_without_labels_prove_agreement_only(brain_file, tmp_path):
    folder = tmp_path / "loose"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(jpeg("cat" if number % 2 else "dog", 600 + number))
    receipt = export(brain_file, "onnx", tmp_path / "out", photos=folder).receipt
    assert receipt.quality is None
    assert receipt.agreement.same.value == 1.0
    assert any("Accuracy was not measured" in note for note in receipt.notes)


def test_names_that_steer_terminals_come_into_a_receipt_without_doing_so(brain_file, tmp_path):
    """As phones write them: a mark for the direction of text, a soft hyphen."""
    folder = tmp_path / "neu\u00adlich"
    folder.mkdir()
    (folder / "\u200eIMG 1.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (folder / "\u200eIMG 2.jpg").write_bytes(jpeg("cat", 600))
    receipt = export(brain_file, "onnx", tmp_path / "out", photos=folder).receipt
    assert receipt.photos.source == "in neu\ufffdlich"
    assert list(receipt.photos.failed) == ["\ufffdIMG 1.jpg"]


def test_photos_that_were_learnt_from_are_told(brain_file, pets, tmp_path):
    receipt = export(brain_file, "onnx", tmp_path / "out", photos=pets).receipt
    assert "learnt from 64 of these photos" in " ".join(receipt.notes)


def test_a_receipt_goes_into_the_brain_and_replaces_the_one_before(brain_file, tmp_path):
    graph = load(brain_file).graph.hash
    for name, precision in (("a", "fp32"), ("b", "fp16"), ("c", "fp32")):
        export(brain_file, "onnx", tmp_path / name, precision=precision)
    brain = load(brain_file)
    assert brain.graph.hash == graph
    kinds = [(one["target"], one["precision"]) for one in brain.manifest.receipts]
    assert kinds == [("onnx", "fp16"), ("onnx", "fp32")]
    assert brain.manifest.receipts[0]["same_answer"].startswith("1.0000")


def test_a_signed_brain_stays_as_it_is(brain_file, tmp_path):
    key = new_key(tmp_path / "key")
    sign(load(brain_file), tmp_path / "key").save(brain_file, overwrite=True)
    before = brain_file.read_bytes()
    made = export(brain_file, "onnx", tmp_path / "out")
    assert brain_file.read_bytes() == before
    assert "signed" in made.notes[0]
    assert key


def test_an_export_that_answers_otherwise_is_refused_and_leaves_nothing(brain, tmp_path):
    """What a converter would do that loses a weight: scores that are not the brain's."""
    from ninebrains.exporting.targets import onnx as target

    real = target.unpack

    def spoilt(graph):
        model = real(graph)
        for tensor in model.graph.initializer:
            if tensor.name == "head/bias":
                tensor.raw_data = np.array([9.0, -9.0], np.float32).tobytes()
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "unpack", spoilt)
        with pytest.raises(ExportError, match=r"(?s)was refused.*became cat"):
            export(brain, "onnx", tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []
    assert list(tmp_path.glob(".*")) == []


def test_strict_refuses_what_too_few_photos_cannot_tell(brain, tmp_path):
    recipe = ExportRecipe(gate=Gate(is_strict=True))
    with pytest.raises(ExportError, match="16 photos are few"):
        export(brain, "onnx", tmp_path / "out", recipe=recipe)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_never_lost(brain, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        export(brain, "onnx", folder)
    with pytest.raises(OutputError, match="no export; it is left alone"):
        export(brain, "onnx", folder, force=True)
    assert (folder / "thesis.txt").read_text() == "mine"
    older = export(brain, "onnx", tmp_path / "export").folder
    with pytest.raises(OutputError, match="--force"):
        export(brain, "onnx", older)
    (older / ".DS_Store").write_bytes(b"put there by a system")
    newer = export(brain, "onnx", older, precision="fp16", force=True)
    assert read_receipts(older) == (newer.receipt,)
    (older / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"such as 'notes\.txt'; it is left alone"):
        export(brain, "onnx", older, force=True)
    assert (older / "notes.txt").read_text() == "mine"


def test_a_folder_that_appears_meanwhile_is_never_lost(brain, tmp_path):
    folder = tmp_path / "out"

    def tell(line):
        if line.startswith("comparing"):
            folder.mkdir()
            (folder / "thesis.txt").write_text("mine")

    with pytest.raises(OutputError, match="has appeared meanwhile"):
        export(brain, "onnx", folder, tell=tell)
    assert not [path for path in tmp_path.iterdir() if path.name[0] == "."]
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"to": "toaster"}, BrainError, "no target 'toaster'"),
        ({"to": "tflite"}, BrainError, "Is litert meant?"),
        ({"to": "openvino_"}, BrainError, "Is openvino meant?"),
        ({"precision": "int4"}, BrainError, "'int4'; expected one of fp32"),
        ({"photos": "nowhere"}, DataError, "nowhere"),
        ({"recipe": ExportRecipe(opset=3)}, BrainError, "operator set 3; expected 14"),
        ({"recipe": ExportRecipe(calibrate="x")}, BrainError, "only int8 is calibrated"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    brain, tmp_path, options, error, said
):
    options = {"to": "onnx", **options}
    with pytest.raises(error, match=said):
        export(brain, options.pop("to"), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_name_that_cannot_be_is_said_before_the_work(brain, tmp_path):
    told = []
    for name in ("x" * 300, "file/out"):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="choose another place"):
            export(brain, "onnx", tmp_path / name, tell=told.append)
    assert told == []


def test_a_receipt_tells_the_memory_of_the_export_not_of_who_made_it(brain, tmp_path):
    held = np.ones(400_000_000, np.int8)  # 381 MiB, all of them touched
    receipt = export(brain, "onnx", tmp_path / "large").receipt
    del held
    assert receipt.cost.memory_mib < 300
    again = verify(tmp_path / "large", brain=brain).again[0]
    assert again.cost.model_bytes == receipt.cost.model_bytes


def test_a_brain_from_elsewhere_needs_photos(brain, home, tmp_path):
    for record in (home / "data" / "records").iterdir():
        record.unlink()
    with pytest.raises(DataError, match="was not trained on this machine"):
        export(brain, "onnx", tmp_path / "out")


def test_held_out_photos_that_changed_do_not_count(brain, tmp_path, monkeypatch):
    from ninebrains.exporting import photos
    from ninebrains.training.record import load_record

    record = load_record(brain.graph.hash)
    copy = tmp_path / "copy"
    for outcome in record.outcomes:
        if outcome.split == "test":
            target = copy / outcome.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Path(record.root, outcome.path).read_bytes())
    changed = sorted(copy.rglob("*.jpg"))
    changed[0].write_bytes(jpeg("cat", 900))
    changed[1].unlink()
    moved = type(record)(record.graph_hash, str(copy), record.outcomes)
    monkeypatch.setattr(photos, "load_record", lambda _hash: moved)
    receipt = export(brain, "onnx", tmp_path / "out").receipt
    assert receipt.photos.compared == 14
    assert "2 held-out photos are gone or were changed" in receipt.notes[-1]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("end", [0, -1])
def test_every_operator_set_that_is_offered_works(brain, tmp_path, end, precision):
    import onnx

    opset = OnnxTarget().opsets[end]
    recipe = ExportRecipe(opset=opset)
    made = export(brain, "onnx", tmp_path / "out", precision=precision, recipe=recipe)
    model = onnx.load(made.folder / "model.onnx")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", opset)]
    allowed = {"fp32": 1e-5, "fp16": 0.01, "int8": 0.2}[precision]
    assert made.receipt.agreement.largest_difference < allowed


def test_an_operator_set_that_cannot_be_is_refused_without_a_path_of_the_builder(brain):
    with pytest.raises(BrainError, match=r"in set 13 \(there is no way for Sub\)") as refused:
        in_opset(unpack(brain.graph), 13)
    assert "/" not in str(refused.value)


def test_labels_with_emoji_and_commas_come_through(tmp_path, small_trunk):
    names = ("chat, noir 🐈", "dog; <i>\"'&")
    photos = tmp_path / "photos"
    for name, kind in zip(names, ("cat", "dog"), strict=True):
        (photos / name).mkdir(parents=True)
        for number in range(25):
            (photos / name / f"{number}.jpg").write_bytes(jpeg(kind, number))
    made = export(nb.train(photos, trunk=small_trunk), "onnx", tmp_path / "out")
    assert (made.folder / "labels.txt").read_text("utf-8").splitlines() == list(names)
    assert "<i>" not in (made.folder / "receipt.html").read_text("utf-8")


EXPORTER = """
import sys
from ninebrains.exporting import export
print("ready", flush=True)
while True:
    export(sys.argv[1], "onnx", sys.argv[2], force=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals")
def test_a_killed_export_leaves_no_half_artefact(brain_file, tmp_path):
    folder = tmp_path / "out"
    for wait in (1.2, 1.6, 2.3):
        command = [sys.executable, "-c", EXPORTER, str(brain_file), str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if folder.exists():
            assert file_hashes(folder) == read_receipts(folder)[0].files
        load(brain_file)


FULL = """
import resource, signal, sys
from ninebrains.errors import OutputError
from ninebrains.exporting import export
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    export(sys.argv[1], "onnx", sys.argv[2])
except OutputError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
def test_a_full_disk_leaves_nothing(brain_file, tmp_path):
    folder = tmp_path / "place" / "out"
    command = [sys.executable, "-c", FULL, str(brain_file), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "could not write" in done.stdout
    assert list(folder.parent.iterdir()) == []
