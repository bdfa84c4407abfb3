"""`/metrics`: what a host counts and times, as Prometheus reads it."""

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ninebrains.serving.http.metrics import family_of
from ninebrains.serving.measures import BOUNDS, Exchange, Measures
from tests.making import jpeg
from tests.serving.making import ask, repository, running

PHOTO = jpeg("cat", 1)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    models = repository(folder / "models", {"pets": [1], "cars": [1]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder))
        with running({"sources": [models], "state": folder / "state", "workers": 2}) as host:
            yield host


def read(host):
    """All samples of a host, by name and labels."""
    reply = ask(host, "/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(reply.text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def until(host, condition):
    """The samples, once a condition holds; workers tell each other every second."""
    end = time.monotonic() + 15
    while not condition(found := read(host)):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def total(found, name, **labels):
    return sum(
        value
        for key, value in found.items()
        if key[0] == name and labels.items() <= dict(key[1:]).items()
    )


def test_what_all_workers_did_is_added_up(host):
    for _ in range(20):
        ask(host, "/infer?brains=pets,cars", method="POST", content=PHOTO)
    ask(host, "/infer", method="POST", content=b"no photo")

    def is_there(found):
        answered = total(found, "ninebrains_answers_total", outcome="answered")
        refused = total(found, "ninebrains_requests_total", route="infer", status="400")
        return answered >= 40 and refused and total(found, "ninebrains_workers") == 2

    found = until(host, is_there)
    labels = {"brain": "pets", "version": "1", "variant": "stable", "outcome": "answered"}
    assert total(found, "ninebrains_answers_total", **labels) == 20
    assert total(found, "ninebrains_requests_total", route="infer", status="200") == 20
    assert total(found, "ninebrains_requests_total", route="infer", status="400") == 1
    assert total(found, "ninebrains_versions", state="ready") == 2
    assert total(found, "process_resident_memory_bytes") > 50e6
    for step in ("queue", "decode", "network", "head", "total"):
        assert total(found, "ninebrains_photo_seconds_count", step=step) == 20
        assert total(found, "ninebrains_photo_seconds_bucket", step=step, le="+Inf") == 20


def test_no_request_makes_up_labels(host):
    for number in range(30):
        ask(host, f"/{number}/nowhere")
        ask(host, f"/infer?brains=unknown{number}", method="POST", content=PHOTO)
    found = until(host, lambda f: total(f, "ninebrains_requests_total", route="other") >= 30)
    assert not any("unknown" in str(key) or "nowhere" in str(key) for key in found)


@pytest.mark.parametrize(
    ("path", "family"),
    [("/infer", "infer"), ("/v1/models/a:predict", "v1"), ("/", "other"), ("/admin/x", "admin")],
)
def test_requests_are_counted_by_the_first_part_of_their_path(path, family):
    assert family_of(path) == family


def test_durations_fall_into_their_classes():
    measures = Measures()
    for seconds in (0.0001, 0.0005, 0.3, 99.0):
        measures.time("a", seconds=seconds)
    times = measures.times[("a",)]
    assert [times.counts[0], times.counts[BOUNDS.index(0.5)], times.counts[-1]] == [2, 1, 1]
    assert times.seconds == pytest.approx(99.3006)


def test_beyond_many_labels_all_else_is_one():
    measures = Measures()
    for number in range(5_000):
        measures.count("a", str(number))
        measures.time("b", str(number), seconds=1)
    assert len(measures.counts) <= 2_001
    assert len(measures.times) <= 2_001
    assert sum(measures.counts.values()) == 5_000


def test_of_a_worker_that_is_gone_counts_stay_and_gauges_go(tmp_path, monkeypatch):
    gone = Measures()
    gone.count("a", "b", by=3)
    gone.time("c", seconds=1)
    gone.shift("d", by=5)
    monkeypatch.setattr("os.getpid", lambda: 2**22 + 1)
    Exchange(tmp_path, "run").leave(gone)
    monkeypatch.undo()
    ((found, is_alive),) = Exchange(tmp_path, "run").others()
    assert not is_alive
    whole = Measures()
    whole.add(found, is_alive=is_alive)
    assert whole.counts == {("a", "b"): 3}
    assert whole.times[("c",)].seconds == 1
    assert not whole.gauges
    assert not list(Exchange(tmp_path, "another run").others())


def test_the_docs_name_every_metric(host):
    docs = (Path(__file__).parents[3] / "docs/operating.md").read_text()
    families = [
        family.name for family in text_string_to_metric_families(ask(host, "/metrics").text)
    ]
    assert "ninebrains_drift_distance" in families
    assert [name for name in families if f"`{name}" not in docs] == []
