"""The drift of a host's brains as a page and as values."""

import re

import pytest

from ninebrains.serving.drift import charts
from ninebrains.serving.host import Host
from ninebrains.serving.settings import Settings
from tests.serving.http.conftest import jpeg, sending
from tests.serving.making import put, repository


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    models = repository(tmp_path_factory.mktemp("models"), {"pets": [1]})
    put(models, "weight", 1, task="regress")
    put(models, "odd", 1, names=("<b>bold 1", "<b>bold 2", "<b>bold 3"))
    return Host(Settings(sources=(models,)))


@pytest.fixture(scope="module")
def client(host):
    with sending(host) as client:
        for seed in range(6):
            client.post("/infer", content=jpeg(seed))
        host.drift.flush(now=True)
        for seed in range(120):  # as if there had been enough already
            client.post("/infer", content=jpeg(seed % 6))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ninebrains.serving.drift.drift.FIRST", 6)
            host.drift.flush(now=True)
            yield client


def test_values_say_what_the_page_says(client):
    told = client.get("/drift/data").json()["versions"]
    assert [one["name"] for one in told] == ["odd", "pets", "weight"]
    pets = told[1]
    assert (pets["answers"], pets["against"]) == (120, "first answers")
    assert set(pets["measures"]) == {"answers", "unfamiliar", "features"}
    assert "values" in told[2]["measures"]
    assert sum(row["share"] for row in pets["labels"]) == pytest.approx(1.0)
    assert len(client.get("/drift/data?brain=pets").json()["versions"]) == 1


def test_the_page_needs_nothing_from_elsewhere(client):
    for path in ("/drift", "/drift?brain=pets", "/drift?brain=odd", "/drift?brain=weight"):
        reply = client.get(path)
        assert reply.status_code == 200, reply.text
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert not re.search(r"<script|<img|<link|https?://|url\(", reply.text)
    assert "Version 1" in client.get("/drift?brain=pets").text
    assert "first 6 answers" in client.get("/drift?brain=pets").text


def test_what_labels_are_called_is_no_markup(client):
    page = client.get("/drift?brain=odd").text
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_unknown_brains_are_missing(client):
    for path in ("/drift", "/drift/data"):
        reply = client.get(f"{path}?brain=nothing")
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] == "missing"


@pytest.mark.parametrize(
    ("now", "then", "widest", "places"),
    [(0.25, 0.5, 0.5, ("100.0%", "50.0%")), (0.0, 1.0, 1.0, ("100.0%", "0.0%"))],
)
def test_the_change_of_a_label_is_as_wide_as_its_place(now, then, widest, places):
    drawn = str(charts.change(now, then, widest))
    assert tuple(re.findall(r'cx="([^"]+)"', drawn)) == places
    assert not re.search(r"viewBox|width=", drawn)  # else the dots shrink, or reach into numbers
