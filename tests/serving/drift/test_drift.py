"""Answers of a day against training, over workers and restarts."""

import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ninebrains.errors import MissingError, OutputError
from tests.serving.drift.making import Watch, make_reference, make_version

CHANGED = [
    ({}, set()),
    ({"shares": (0.1, 0.3, 0.6)}, {"answers"}),
    ({"far": 0.9}, {"unfamiliar"}),
    ({"shift": 1.0}, {"features"}),
]


@pytest.mark.parametrize(("photos", "drifted"), CHANGED)
def test_what_changed_is_told_against_training(tmp_path, photos, drifted):
    watch = Watch(tmp_path, make_version(reference=make_reference()))
    watch.see(600, **photos)
    report = watch.report()
    assert report.source == "training"
    assert {one.name for one in report.measures if one.verdict == "drift"} == drifted
    assert report.verdict == ("drift" if drifted else "steady")
    assert {one.name for one in report.measures} == {"answers", "unfamiliar", "features"}


@pytest.mark.parametrize(("photos", "drifted"), CHANGED)
def test_brains_without_a_reference_are_held_against_their_first_answers(tmp_path, photos, drifted):
    watch = Watch(tmp_path, make_version())
    watch.see(300)
    assert (watch.report().source, watch.report().verdict) == ("nothing yet", "too few")
    watch.see(300, seed=1)
    assert watch.report().source == "first answers"
    assert watch.report().now.num == 0
    watch.see(600, seed=2, **photos)
    report = watch.report()
    assert {one.name for one in report.measures if one.verdict == "drift"} == drifted


def test_few_answers_say_nothing(tmp_path):
    watch = Watch(tmp_path, make_version(reference=make_reference()))
    assert watch.report().verdict == "too few"
    watch.see(99, far=1.5)
    assert watch.report().verdict == "too few"
    watch.see(1)
    assert watch.report().verdict == "drift"


def test_workers_add_up_and_a_restart_loses_nothing(tmp_path):
    version = make_version(reference=make_reference())
    one, other = Watch(tmp_path, version), Watch(tmp_path, version)
    one.see(200)
    other.see(300, seed=1)
    one.see(50, seed=2, write=False)
    one.drift.close()
    assert one.report().now.num == other.report().now.num == 550
    assert Watch(tmp_path, version).report().now.answers.total() == 550


def test_answers_of_more_than_a_day_ago_do_not_count(tmp_path):
    watch = Watch(tmp_path, make_version(reference=make_reference()))
    watch.see(500, far=1.5)
    watch.now += 25 * 3600
    watch.see(200)
    report = watch.report()
    assert (report.now.num, report.verdict) == (200, "steady")
    watch.now += 9 * 24 * 3600
    watch.see(1)
    with watch.ledger.reading() as rows:
        assert rows.execute("SELECT COUNT(*) FROM drift").fetchone()[0] == 1


def test_a_clock_that_is_set_back_breaks_nothing(tmp_path):
    watch = Watch(tmp_path, make_version())
    watch.see(600)
    watch.now -= 400 * 24 * 3600
    watch.see(200, seed=1)
    assert watch.report().now.num == 200
    assert watch.report().source == "first answers"


def test_versions_and_their_contents_are_kept_apart(tmp_path):
    reference = make_reference()
    watch = Watch(
        tmp_path, make_version(reference=reference), make_version(number=2, reference=reference)
    )
    watch.see(200, far=1.5)
    watch.see(200, number=2)
    assert [(one.number, one.verdict) for one in watch.drift.report("pets")] == [
        (2, "steady"),
        (1, "drift"),
    ]
    watch.shelf.replace("pets", 1, digest="another content")
    assert watch.drift.report("pets")[1].now.num == 0


def test_more_answers_than_can_be_looked_at_are_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("ninebrains.serving.drift.drift._MOST_PENDING", 50)
    watch = Watch(tmp_path, make_version(reference=make_reference()))
    watch.see(120)
    assert (watch.report().now.num, watch.drift.dropped) == (50, 70)


def test_unknown_brains_are_missing_and_versions_that_left_are_no_matter(tmp_path):
    watch = Watch(tmp_path, make_version(reference=make_reference()))
    watch.see(100, number=7)
    watch.see(100, name="gone")
    with pytest.raises(MissingError, match="no brain 'gone'"):
        watch.drift.report("gone")
    assert watch.report().now.num == 0


def test_figures_are_for_prometheus(tmp_path):
    watch = Watch(tmp_path, make_version(reference=make_reference()), make_version("cars"))
    watch.see(300, far=1.0)
    registry = CollectorRegistry()

    class Collected:
        collect = watch.drift.samples

    registry.register(Collected())
    text = generate_latest(registry).decode()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["ninebrains_drift_answers", "1", "pets"] == 300
    assert found["ninebrains_drift_detected", "1", "pets", "unfamiliar"] == 1
    assert found["ninebrains_drift_detected", "1", "answers", "pets"] == 0


def test_a_full_disk_loses_no_answers_that_were_counted(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    try:
        watch = Watch(folder, make_version(reference=make_reference()))
        watch.see(100)
        ballast = folder / "ballast"
        fill(ballast)
        watch.see(100, write=False)
        with pytest.raises(OutputError, match="free some space"):
            flush_often(watch)
        ballast.unlink()
        watch.drift.flush(now=True)
        assert watch.report().now.num == 200 + watch.more
        watch.ledger.close()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(ballast):
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 256)
        except OSError:
            pass


def flush_often(watch):
    watch.more = 0
    for seed in range(100):  # until the journal has no free page left
        watch.drift.flush(now=True)
        watch.see(1, seed=seed, write=False)
        watch.more += 1
