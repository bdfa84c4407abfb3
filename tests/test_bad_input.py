"""What users and the world do to a data set and a run: a clear error, and nothing lost.

Through the command line, with real files, real processes and real signals.
"""

import csv
import ctypes
import io
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.making import jpeg, photo, write_photos


@pytest.fixture
def train(ninebrains, stored_trunk, tmp_path):
    """Run `ninebrains train` on a folder, expecting an exit code."""

    def run(photos, *arguments, check=2, **options):
        out = tmp_path / "out.brain"
        done = ninebrains(
            "train", photos, "--trunk", stored_trunk, "-o", out, *arguments, check=check, **options
        )
        assert out.exists() == (check == 0)
        return done

    return run


def refused(done, *parts):
    """One line on standard error that holds every part."""
    assert done.out == ""
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0], lines[0]


def test_a_missing_folder(train, tmp_path):
    refused(train(tmp_path / "nowhere"), "nowhere")


def test_an_empty_folder(train, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(train(tmp_path / "empty"), "empty", "photo")


def test_one_label_only(train, tmp_path):
    refused(train(write_photos(tmp_path / "photos", {"cat": 5})), "cat", "two")


def test_a_label_with_one_photo(train, tmp_path):
    refused(train(write_photos(tmp_path / "photos", {"cat": 5, "dog": 1})), "dog", "2")


def test_two_labels_with_the_same_photos(train, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 5})
    (photos / "kitten").mkdir()
    for path in (photos / "cat").iterdir():
        (photos / "kitten" / path.name).write_bytes(path.read_bytes())
    refused(train(photos), "cat", "kitten")


def test_a_folder_of_pdfs(train, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / label / f"{number}.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\n")
    refused(train(tmp_path / "photos"), "pdf")


def test_broken_photos_are_left_out_and_named(train, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 10, "dog": 10})
    (photos / "cat/zero.jpg").write_bytes(b"")
    (photos / "cat/cut.jpg").write_bytes(jpeg("cat", 1)[:700])
    (photos / "cat/lying.jpg").write_bytes(b"%PDF-1.7 not a photo at all")
    (photos / "cat/really_a_png.jpg").write_bytes(png(photo("cat", 50)))
    wide = io.BytesIO()
    Image.new("RGB", (65_500, 65_500 // 40)).save(wide, "JPEG")
    (photos / "dog/wide.jpg").write_bytes(wide.getvalue())
    done = train(photos, check=0)
    assert "4 photos could not be read" in done.out
    assert "learnt from 17 photos" in done.out


def png(image):
    """The bytes of a PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_names_that_are_not_text_and_very_long_ones(train, ninebrains, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 8, "dog": 8})
    strange = os.fsencode(photos / "cat") + b"/caf\xe9\xff.jpg"
    with open(strange, "wb") as file:  # noqa: PTH123 - the name is bytes
        file.write(jpeg("cat", 60))
    (photos / "dog" / ("d" * 251 + ".jpg")).write_bytes(jpeg("dog", 61))
    done = train(photos, check=0)
    assert "learnt from" in done.out
    told = ninebrains("predict", tmp_path / "out.brain", photos / "cat", "--json")
    assert "caf" in told.out


def test_a_loop_of_links_ends(train, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 8, "dog": 8})
    (photos / "cat/loop").symlink_to(photos)
    (photos / "dog/self").symlink_to(photos / "dog/self")
    assert "learnt from" in train(photos, check=0).out


def without_root_s_powers():
    """Let file permissions count also where the tests run as root (Linux capabilities 1 and 2)."""
    if sys.platform == "linux" and os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):
            libc.prctl(24, capability, 0, 0, 0)


def test_a_photo_that_may_not_be_read(train, tmp_path):
    photos = write_photos(tmp_path / "photos", {"cat": 8, "dog": 8})
    (photos / "cat/cat000.jpg").chmod(0)
    done = train(photos, check=0, preexec_fn=without_root_s_powers)
    assert "1 photos could not be read" in done.out
    assert "cat000.jpg" in done.out


def table(path, rows, **style):
    """A CSV in any style."""
    file = io.StringIO()
    csv.writer(file, **style).writerows([("path", "label"), *rows])
    path.write_bytes(style.pop("before", b"") + file.getvalue().encode("utf-8-sig"))
    return path


def test_a_table_with_missing_files_repeats_a_bom_and_windows_line_ends(train, tmp_path):
    write_photos(tmp_path / "photos", {"cat": 8, "dog": 8})
    rows = [(f"photos/{k}/{k}{n:03}.jpg", k) for k in ("cat", "dog") for n in range(8)]
    rows += [rows[0], ("photos/cat/gone.jpg", "cat")]
    done = train(table(tmp_path / "photos.csv", rows, lineterminator="\r\n"), check=0)
    assert "learnt from" in done.out


def test_a_table_with_targets_that_are_no_numbers(train, tmp_path):
    write_photos(tmp_path / "photos", {"cat": 8})
    rows = [(f"photos/cat/cat{n:03}.jpg", "nan") for n in range(8)]
    refused(train(table(tmp_path / "photos.csv", rows), "--task", "regress"), "nan")


def test_a_table_without_the_right_columns(train, tmp_path):
    (tmp_path / "photos.csv").write_text("file,kind\na.jpg,cat\n")
    refused(train(tmp_path / "photos.csv"), "path", "label")


def test_an_output_that_exists_is_kept(ninebrains, stored_trunk, pets, tmp_path):
    (tmp_path / "out.brain").write_bytes(b"precious")
    command = ("train", pets, "--trunk", stored_trunk, "-o", tmp_path / "out.brain")
    refused(ninebrains(*command, check=2), "exists", "--overwrite")
    assert (tmp_path / "out.brain").read_bytes() == b"precious"
    ninebrains(*command, "--overwrite")
    assert (tmp_path / "out.brain").read_bytes() != b"precious"


def test_an_output_folder_that_cannot_be_written(ninebrains, stored_trunk, pets, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = ninebrains(
        "train", pets, "--trunk", stored_trunk, "-o", tmp_path / "file/out.brain", check=2
    )
    refused(done, "out.brain")


def test_a_trunk_that_is_not_there(ninebrains, pets):
    done = ninebrains("train", pets, "--trunk", "nothing", "-o", "x.brain", check=2)
    refused(done, "nothing", "trunk add")


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv = ["ninebrains", *sys.argv[2:]]
from ninebrains.cli import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux file size limits")
def test_a_disk_that_fills_while_saving_leaves_the_old_brain(stored_trunk, pets, tmp_path):
    out = tmp_path / "out.brain"
    out.write_bytes(b"old")
    command = [sys.executable, "-c", LIMITED, "30000", "train", pets, "--trunk", stored_trunk]
    done = subprocess.run(
        [*map(str, command), "-o", str(out), "--overwrite"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "could not write" in done.stderr
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.brain"]


# Tests that run in the background of a shell would hand down that Ctrl-C is to be ignored.
LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "ninebrains"
from ninebrains.cli import main
main()
"""


def start_training(photos, trunk, out):
    """`ninebrains train` in a process of its own."""
    command = [sys.executable, "-c", LISTENING, "train", photos, "--trunk", trunk, "-o", out]
    return subprocess.Popen(
        [*map(str, command), "--overwrite"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_features(home, process):
    """Until the cache holds something, which is in the middle of feature extraction."""
    database = home / "cache/features.sqlite-wal"
    while process.poll() is None and not (database.exists() and database.stat().st_size > 100_000):
        time.sleep(0.01)


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_stop_during_feature_extraction_loses_nothing(
    kill, home, stored_trunk, tmp_path, ninebrains
):
    photos = write_photos(tmp_path / "photos", {"cat": 400, "dog": 400})
    out = tmp_path / "out.brain"
    out.write_bytes(b"old")
    process = start_training(photos, stored_trunk, out)
    wait_for_features(home, process)
    process.send_signal(kill)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0, "it was done before it could be stopped"
    assert b"Traceback" not in errors
    if kill == signal.SIGINT:
        assert process.returncode == 130
        assert b"stopped" in errors
    assert out.read_bytes() == b"old"
    done = ninebrains("train", photos, "--trunk", stored_trunk, "-o", out, "--overwrite", "--json")
    assert '"brain"' in done.out
    ninebrains("brain", "verify", out)
