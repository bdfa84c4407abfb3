import json
import subprocess
import sys

import pytest

from ninebrains.errors import OutputError
from ninebrains.mind.backends import BACKENDS
from ninebrains.mind.tuning import choices
from ninebrains.mind.tuning.choices import Choice, chosen, hardware, keep

FAST = Choice("openvino", 2, 8, "bf16")
PLAIN = Choice()


def test_a_choice_is_found_again_by_its_segment_here_and_in_another_process(home):
    assert chosen("a" * 64) is None
    keep({"a" * 64: FAST})
    keep({"b" * 64: PLAIN})
    assert chosen("a" * 64) == FAST
    assert chosen("b" * 64) == PLAIN
    assert chosen("c" * 64) is None
    code = (
        "from ninebrains.mind.tuning.choices import chosen\n"
        "print(chosen('a' * 64), chosen('b' * 64))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"{FAST} {PLAIN}"


def test_a_later_choice_takes_the_place_of_an_earlier_one(home):
    keep({"a" * 64: PLAIN})
    keep({"a" * 64: FAST})
    assert chosen("a" * 64) == FAST


def test_a_choice_of_a_backend_that_is_not_known_here_is_none(home, monkeypatch):
    keep({"a" * 64: Choice("of my own", 1, 1)})
    assert chosen("a" * 64) is None
    monkeypatch.setitem(BACKENDS, "of my own", BACKENDS["onnxruntime"])
    assert chosen("a" * 64) == Choice("of my own", 1, 1)


def test_the_file_says_for_which_hardware_it_is(home):
    path = keep({"a" * 64: FAST})
    assert path.parent == home / "data" / "tuning"
    document = json.loads(path.read_text())
    assert document["hardware"] == hardware()
    assert {"processor", "cores", "system", "machine", "onnxruntime"} <= set(hardware())


@pytest.mark.parametrize("change", ["cores", "version", "gone"])
def test_on_other_hardware_or_with_other_versions_nothing_is_chosen_yet(home, monkeypatch, change):
    keep({"a" * 64: FAST})
    choices._hardware.cache_clear()
    choices._hardware_hash.cache_clear()
    if change == "cores":
        monkeypatch.setattr(choices, "usable_cores", lambda: 96)
    else:
        found = {"onnxruntime": "9.9"} if change == "version" else {}
        monkeypatch.setattr(choices, "versions", lambda: found)
    assert chosen("a" * 64) is None
    choices._hardware.cache_clear()
    choices._hardware_hash.cache_clear()
    monkeypatch.undo()


def test_the_file_is_read_once_in_a_process(home):
    path = keep({"a" * 64: FAST})
    path.unlink()
    assert chosen("a" * 64) == FAST


def entry(**changes):
    """The file's text with one choice, changed."""
    choice = {"backend": "openvino", "threads": 1, "batch": 1, "precision": "fp32"} | changes
    return json.dumps({"choices": {"a": choice}}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"choices": []}',
        b'{"choices": {"a": 1}}',
        b'{"choices": {"a": {"backend": "onnxruntime"}}}',
        entry(backend=1),
        entry(threads=0),
        entry(threads=True),
        entry(batch="x"),
        entry(precision="fp8"),
        entry(precision=["fp32"]),
        entry(more=1),
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_left_aside_with_a_warning_and_replaced_by_the_next_tuning(home, text):
    path = home / "data" / "tuning" / keep({}).name
    choices._known.clear()
    path.write_bytes(text)
    with pytest.warns(RuntimeWarning, match=r"damaged .* Run `ninebrains tune` again"):
        assert chosen("a" * 64) is None
    assert chosen("a" * 64) is None  # once is enough
    choices._known.clear()
    with pytest.warns(RuntimeWarning, match="damaged"):
        keep({"a" * 64: FAST})
    choices._known.clear()
    assert chosen("a" * 64) == FAST


def test_processes_that_tune_at_once_keep_what_each_found(home):
    code = (
        "import sys; from ninebrains.mind.tuning.choices import Choice, keep; "
        "[keep({f'{sys.argv[1]}{n}': Choice(batch=n + 1)}) for n in range(5)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    choices._known.clear()
    for name in "ab":
        for number in range(5):
            assert chosen(f"{name}{number}") == Choice(batch=number + 1)


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(home):
    (home / "data").mkdir()
    (home / "data" / "tuning").write_text("in the way")
    with pytest.raises(OutputError, match="could not write"):
        keep({"a" * 64: FAST})
