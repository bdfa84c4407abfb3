"""`ninebrains demo` as people run it: again, elsewhere, in the wrong folder, cut short."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ninebrains.demo import PARTS, STRANGERS, DemoFolder
from ninebrains.demo.folder import LEDGER
from ninebrains.errors import OutputError


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture
def demo(ninebrains, stored_trunk, tmp_path):
    """Run the demo with few photos and the small trunk, in this test's folder."""

    def run(*options, check=0):
        command = ("demo", "--trunk", stored_trunk, "--photos", 5, *options)
        return ninebrains(*command, check=check, cwd=tmp_path)

    return run


def test_the_demo_shows_the_whole_way_and_can_be_run_again(demo, ninebrains, tmp_path):
    told = demo().out
    folder = tmp_path / "ninebrains-demo"
    assert "accuracy" in told
    assert "with 95 % certainty" in told
    assert "$ ninebrains train" in told
    assert "ninebrains train photos/" in told
    assert str(Path("ninebrains-demo/parts.report.html")) in told
    for name in (*PARTS, *STRANGERS):
        (line,) = (line for line in told.splitlines() if line.startswith(f"{name}-1.jpg"))
        assert line.split()[1] == name
        assert ("right" in line.split()) != ("WRONG" in line.split())
        assert (folder / "heatmaps" / f"{name}-1.jpg").is_file()
    assert "<html" in (folder / "parts.report.html").read_text()
    assert "accuracy" in ninebrains("evaluate", folder / "parts.brain", folder / "photos").out

    before = contents(folder)
    mine = folder / "photos" / "notes.txt"
    mine.write_text("mine")
    (folder / "photos" / "nut" / "nut-003.jpg").unlink()
    demo()
    after = contents(folder)
    assert after.pop("photos/notes.txt") == b"mine"
    assert after.keys() == before.keys()
    differing = {name for name in before if before[name] != after[name]}
    assert differing <= {LEDGER, "parts.report.html"}  # the same brain, the same photos


def test_without_its_trunk_the_demo_writes_nothing(ninebrains, tmp_path):
    done = ninebrains("demo", "--trunk", "nosuch", check=2, cwd=tmp_path)
    assert "nosuch" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("entry", ["holiday.jpg", "photos/nut/nut-001.jpg", ".hidden"])
def test_a_folder_with_other_things_is_refused_and_stays_as_it_is(demo, tmp_path, entry):
    mine = tmp_path / "mine" / entry
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    done = demo("--folder", "mine", check=2)
    assert "not made by the demo" in done.err
    assert "--folder" in done.err
    assert contents(tmp_path / "mine") == {entry: b"mine"}


def test_a_file_in_place_of_the_folder_is_refused(demo, tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    assert "--folder" in demo("--folder", "mine", check=2).err
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["photos/nut/nut-001.jpg", "new/leaf-1.jpg", "parts.brain"])
def test_a_file_that_somebody_put_in_the_demo_s_place_is_kept(demo, tmp_path, name):
    folder = DemoFolder(tmp_path / "ninebrains-demo")
    target = folder.root / name
    folder.write(target, b"made by the demo")
    target.write_bytes(b"mine")
    done = demo(check=2)
    assert "is not what the demo wrote" in done.err
    assert target.read_bytes() == b"mine"


def test_the_demo_writes_again_only_what_it_wrote(tmp_path):
    path = tmp_path / "demo" / "a" / "b.jpg"
    DemoFolder(tmp_path / "demo").write(path, b"first")
    DemoFolder(tmp_path / "demo").write(path, b"second")
    assert path.read_bytes() == b"second"
    folder = DemoFolder(tmp_path / "demo")
    folder.make(path, lambda draft: draft.write_bytes(b"third"))
    assert path.read_bytes() == b"third"
    assert DemoFolder(tmp_path / "demo").is_made(path)
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="not what the demo wrote"):
        DemoFolder(tmp_path / "demo").write(path, b"fourth")
    assert path.read_bytes() == b"mine"


def test_what_is_put_in_the_place_of_a_file_while_the_demo_makes_it_is_kept(tmp_path):
    folder = DemoFolder(tmp_path / "demo")
    path = folder.root / "parts.brain"

    def save(draft):
        draft.write_bytes(b"the demo's")
        path.write_bytes(b"mine")

    with pytest.raises(OutputError, match="not what the demo wrote"):
        folder.make(path, save)
    assert path.read_bytes() == b"mine"


def test_a_lost_ledger_line_does_not_stop_the_demo(tmp_path):
    root = tmp_path / "demo"
    folder = DemoFolder(root)
    folder.write(root / "one.jpg", b"one")
    folder.write(root / "two.jpg", b"two")
    ledger = root / LEDGER
    ledger.write_bytes(ledger.read_bytes()[:-20])  # the power failed
    folder = DemoFolder(root)
    folder.write(root / "two.jpg", b"two")
    assert folder.is_made(root / "one.jpg")
    assert DemoFolder(root).is_made(root / "two.jpg")


def test_what_a_killed_writer_left_is_tidied_and_nothing_else(tmp_path):
    root = tmp_path / "demo"
    root.mkdir()
    (root / f".{LEDGER}.x1y2.tmp").write_bytes(b"")
    folder = DemoFolder(root)
    folder.write(root / "photos" / "nut-001.jpg", b"nut")
    (root / "photos" / ".nut-001.jpg.x1y2.tmp").write_bytes(b"half")
    (root / "photos" / ".mine.tmp").write_bytes(b"mine")
    DemoFolder(root)
    assert contents(root).keys() == {LEDGER, "photos/nut-001.jpg", "photos/.mine.tmp"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("after", ["photos/bolt/bolt-002.jpg", "parts.brain"])
def test_a_demo_that_was_killed_is_finished_by_the_next(demo, stored_trunk, tmp_path, after):
    folder = tmp_path / "ninebrains-demo"
    command = [sys.executable, "-m", "ninebrains.cli", "demo", "--trunk", stored_trunk]
    process = subprocess.Popen(
        [*command, "--photos", "5"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        env=os.environ,
    )
    while not (folder / after).exists():
        assert process.poll() is None, "the demo ended before it was killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    demo()
    found = contents(folder)
    assert not [name for name in found if name.endswith(".tmp")]
    assert {"parts.brain", "parts.report.html", "photos/nut/nut-005.jpg"} <= found.keys()
