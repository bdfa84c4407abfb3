"""The command line as people and programs use it."""

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import write_levels, write_pairs, write_photos

FULL = Path("/dev/full")  # never takes a byte


@pytest.fixture
def brain(ninebrains, stored_trunk, pets, tmp_path):
    """A trained brain file."""
    out = tmp_path / "pets.brain"
    ninebrains("train", pets, "--trunk", stored_trunk, "-o", out)
    return out


VERBS = [
    *("train", "predict", "run", "bench", "evaluate", "report", "trunk", "brain", "data"),
    *("demo", "doctor", "serve", "keys"),
]


def test_help_names_every_verb(ninebrains):
    out = ninebrains("--help").out
    for verb in VERBS:
        assert verb in out
        assert ninebrains(verb, "--help").out


def test_the_version_is_the_package_s(ninebrains):
    import ninebrains as package

    assert ninebrains("--version").out.strip() == package.__version__


def test_a_wrong_option_is_a_user_s_mistake(ninebrains):
    assert "No such option" in ninebrains("train", "x", "--nonsense", check=2).err


def test_help_imports_nothing_heavy():
    code = (
        "import sys, ninebrains.cli.verbs; "
        "print([m for m in ('numpy', 'onnx', 'onnxruntime', 'scipy', 'PIL', 'rich.table', "
        "'pydantic') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_running_a_brain_needs_no_training_code(brain, pets):
    code = (
        "import sys, ninebrains as nb; nb.load(sys.argv[1]).run(sys.argv[2]); "
        "print([m for m in ('scipy', 'tensorflow', 'torch', 'jinja2', 'rich', "
        "'ninebrains.training') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(brain), str(pets / "cat/cat000.jpg")]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_train_prints_numbers_and_json(ninebrains, stored_trunk, pets, tmp_path):
    out = ninebrains("train", pets, "--trunk", stored_trunk, "-o", tmp_path / "a.brain").out
    for part in ("accuracy", "95 %", "calibration error", "precision", "cat", "dog", "wrote"):
        assert part in out
    told = json.loads(
        ninebrains("train", pets, "--trunk", stored_trunk, "-o", tmp_path / "b.brain", "--json").out
    )
    assert told["manifest"]["metrics"]["num_test"] == 16
    assert set(told["seconds"]) == {"read", "features", "split", "head", "numbers", "brain"}


def test_predict_as_text_json_and_csv(ninebrains, brain, tmp_path):
    photos = write_photos(tmp_path / "new", {"cat": 2, "dog": 1}, start=600)
    (photos / "cat/broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    done = ninebrains("predict", brain, photos, check=2)
    assert "cat600.jpg" in done.out
    assert "broken.jpg" in done.out + done.err
    told = json.loads(ninebrains("predict", brain, photos, "--json", check=2).out)
    assert len(told) == 4
    assert sum(entry.get("error") is not None for entry in told) == 1
    rows = list(
        csv.DictReader(io.StringIO(ninebrains("predict", brain, photos, "--csv", check=2).out))
    )
    assert {row["label"] for row in rows if row.get("label")} <= {"cat", "dog", "none of these"}


def test_predict_writes_heat_maps(ninebrains, brain, pets, tmp_path):
    ninebrains("predict", brain, pets / "cat/cat000.jpg", "--heatmap", tmp_path / "maps")
    from PIL import Image

    (path,) = (tmp_path / "maps").iterdir()
    with Image.open(path) as image:
        assert image.size == (96, 72)


def test_evaluate_warns_about_photos_that_were_learnt_from(ninebrains, brain, pets, tmp_path):
    assert "learnt from" in ninebrains("evaluate", brain, pets).out
    more = write_photos(tmp_path / "more", {"cat": 4, "dog": 4}, start=700)
    assert "learnt from" not in ninebrains("evaluate", brain, more).out
    told = json.loads(ninebrains("evaluate", brain, more, "--json").out)
    assert told["metrics"]["num_test"] == 8


def test_doctor_says_what_is_there(ninebrains, stored_trunk):
    told = json.loads(ninebrains("doctor", "--json").out)
    assert told["trunks"] == ["octo", stored_trunk]
    assert all(told["packages"].values())
    assert told["processor"]["cores"] >= 1
    assert "onnxruntime" in ninebrains("doctor").out


def test_audit_knows_suspected_labels_after_training(ninebrains, stored_trunk, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 40, "dog": 40})
    (photos / "cat/cat007.jpg").rename(photos / "dog/wrong.jpg")
    ninebrains("train", photos, "--trunk", stored_trunk, "-o", tmp_path / "pets.brain")
    assert "wrong.jpg" not in ninebrains("data", "audit", photos).out
    told = ninebrains("data", "audit", photos, "--brain", tmp_path / "pets.brain").out
    assert "wrong.jpg" in told


def test_renaming_a_label_keeps_report_and_record(ninebrains, brain, tmp_path):
    ninebrains("brain", "labels", "rename", brain, "cat", "Katze")
    ninebrains("report", brain, "-o", tmp_path / "report.html")
    assert "Katze" in (tmp_path / "report.html").read_text()


def test_a_reader_that_leaves_early_is_no_error(brain, pets):
    command = f"{sys.executable} -m ninebrains.cli predict {brain} {pets} --json | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_output_that_is_not_utf8_still_works(ninebrains, brain, pets):
    done = ninebrains(
        "predict",
        brain,
        pets / "cat/cat000.jpg",
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    assert "cat" in done.out


def test_a_terminal_gets_progress_and_a_table(stored_trunk, pets, tmp_path):
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ninebrains.cli", "train", str(pets), "--trunk", stored_trunk]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "pets.brain")],
        stdout=follower,
        stderr=follower,
        stdin=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(follower)
    shown = b""
    while process.poll() is None or select.select([leader], [], [], 0)[0]:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                shown += os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
    os.close(leader)
    assert process.wait() == 0
    assert b"reading photos" in shown
    assert b"accuracy" in shown


def test_shell_completion_is_offered(ninebrains):
    assert "--install-completion" in ninebrains("--help").out


def test_an_internal_fault_is_exit_1_and_asks_for_a_report(pets, tmp_path):
    code = (
        "import sys, ninebrains.cli as cli, ninebrains.cli.doctor\n"
        "sys.modules['ninebrains.cli.doctor']._advice = lambda: 1 / 0\n"
        "sys.argv = ['ninebrains', 'doctor']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "internal error: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("write", "figures"),
    [(write_pairs, ["mean average precision", "AP"]), (write_levels, ["mean error", "RMSE", "R2"])],
)
def test_every_task_goes_the_whole_way(ninebrains, stored_trunk, tmp_path, write, figures):
    photos, brain = write(tmp_path), tmp_path / "out.brain"
    told = ninebrains("train", photos, "--trunk", stored_trunk, "-o", brain).out
    measured = ninebrains("evaluate", brain, photos).out
    for figure in figures:
        assert figure in told
        assert figure in measured
    assert "5.png" in ninebrains("predict", brain, tmp_path / "5.png").out
    ninebrains("report", brain, "-o", tmp_path / "report.html")
    ninebrains("report", brain, "--photos", photos, "-o", tmp_path / "other.html")
    ninebrains("brain", "show", brain)


@pytest.mark.skipif(not FULL.exists(), reason="has no device that is always full")
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("doctor",), ("doctor", "--json")])
@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_output_that_finds_no_room_is_the_user_s_to_mend(words, unbuffered):
    command = [sys.executable, "-m", "ninebrains.cli", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with FULL.open("wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: could not write the output: No space left on device")
        assert len(done.stderr.splitlines()) == 1
        silent = subprocess.run([*command, "--nonsense"], stderr=full, env=environment, check=False)
    assert silent.returncode == 2


# Stands for Ctrl-C while what the command line needs is being imported.
STOPPED_WHILE_IMPORTING = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt

from ninebrains.cli import main
sys.meta_path.insert(0, Finder())
main()
"""


@pytest.mark.parametrize("module", ["ninebrains.cli.verbs", "ninebrains.cli.words", "typer"])
def test_ctrl_c_before_anything_is_imported_ends_without_a_traceback(module):
    command = [sys.executable, "-c", STOPPED_WHILE_IMPORTING, module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.startswith("stopped.")
    assert "Traceback" not in done.stderr
