"""`/infer`: what is asked, what is answered, what is refused."""

import asyncio
import base64
import time

import numpy as np
import orjson
import pytest

from ninebrains.errors import DeadlineError, PhotoError
from ninebrains.serving.host import best_labels
from ninebrains.serving.http.infer import Infer
from ninebrains.serving.settings import Urls
from tests.serving.http.conftest import make_host, sending

ALL = {"pets", "many", "weight", "guest"}


def ask(client, photo, query="", status=200, method="POST", **options):
    reply = client.request(method, f"/infer{query}", content=photo, **options)
    assert reply.status_code == status, reply.text
    return reply.json()


def one(client, photo, query="", **options):
    (told,) = ask(client, photo, query, **options)["photos"]
    assert told["error"] is None
    return told


@pytest.fixture
def inference(host, photo):
    """What the mind itself answers."""
    return lambda member, **options: host.mind.run(photo, member, **options)[member]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_all_brains_answer_a_raw_photo(client, photo, method):
    told = one(client, photo, method=method)
    assert set(told["brains"]) == ALL
    assert told["name"] is None
    assert told["photo_size"] == [48, 40]
    steps = {"queue_ms", "decode_ms", "network_ms", "head_ms", "total_ms"}
    assert set(told["timings"]) == steps
    assert all(value >= 0 for value in told["timings"].values())


def test_an_answer_says_which_version_gave_it_and_why(client, host, photo, inference):
    told = one(client, photo, "?brains=pets")["brains"]["pets"]
    expected = inference("pets@2")
    assert {key: told[key] for key in ("brain", "version", "variant", "answer", "error")} == {
        "brain": "pets",
        "version": 2,
        "variant": "stable",
        "answer": expected.answer,
        "error": None,
    }
    assert told["unfamiliar"] == pytest.approx(expected.unfamiliar)
    assert [found["label"] for found in told["instances"]] == [
        found.label for found in expected.instances
    ]
    for found, instance in zip(told["instances"], expected.instances, strict=True):
        assert found["label_id"] == instance.label_id
        assert found["index"] == instance.index
        assert found["score"] == pytest.approx(instance.score)
    prediction = host.seal.open(told["prediction_id"])
    assert (prediction.name, prediction.number) == ("pets", 2)
    assert prediction.labels == best_labels(expected)


def test_brains_are_answered_under_the_names_they_were_asked_by(client, photo):
    told = one(client, photo, "?brains=pets@1,pets,weight")["brains"]
    assert list(told) == ["pets@1", "pets", "weight"]
    assert [item["version"] for item in told.values()] == [1, 2, 1]
    assert [item["variant"] for item in told.values()] == ["version", "stable", "stable"]


@pytest.mark.parametrize("top", [1, 2, 7, 299, 300, 301, 0, 5.0])
def test_top_says_how_many_labels_come_the_surest_first(client, photo, inference, top):
    told = one(client, photo, f"?brains=many&top={top}")["brains"]["many"]
    best = inference("many@1").instances[: int(top) or None]
    assert [found["index"] for found in told["instances"]] == [found.index for found in best]


def test_threshold_leaves_out_what_is_less_sure(client, photo, inference):
    scores = [found.score for found in inference("pets@2").instances]
    between = (scores[0] + scores[1]) / 2
    told = one(client, photo, f"?brains=pets&threshold={between}")["brains"]["pets"]
    assert len(told["instances"]) == 1


def test_measured_values_and_networks_without_labels_have_forms_of_their_own(client, photo):
    told = one(client, photo, "?brains=weight,guest&top=1&threshold=1")["brains"]
    (grams,) = told["weight"]["instances"]
    assert grams["score"] == 1.0
    assert isinstance(grams["value"], float)
    assert told["guest"]["instances"] == []
    shapes = [output["shape"] for output in told["guest"]["outputs"].values()]
    assert shapes


@pytest.mark.parametrize("encoding", ["json", "b64"])
def test_features_and_heat_maps_come_as_numbers_or_as_bytes(client, photo, inference, encoding):
    query = f"?brains=pets&features=true&heatmap=all&encoding={encoding}"
    told = one(client, photo, query)["brains"]["pets"]
    expected = inference("pets@2", heatmaps=True)

    def values(sent):
        if encoding == "json":
            return np.array(sent, np.float32)
        data = base64.b64decode(sent["float32"])
        return np.frombuffer(data, "<f4").reshape(sent["shape"])

    np.testing.assert_array_equal(values(told["features"]), expected.features)
    np.testing.assert_array_equal(values(told["heatmap"]["values"]), expected.heatmaps)
    assert told["heatmap"]["shape"] == list(expected.heatmaps.shape)


def test_the_heat_map_of_the_top_label_is_the_default_choice(client, photo, inference):
    told = one(client, photo, "?brains=pets,guest&heatmap=top")["brains"]
    expected = inference("pets@2", heatmaps=True)
    assert told["pets"]["heatmap"]["label_id"] == expected.top.label_id
    np.testing.assert_allclose(told["pets"]["heatmap"]["values"], expected.heatmap())
    assert told["guest"]["heatmap"] is None


def test_parameters_may_stand_in_the_address_in_headers_in_the_form_or_in_json(client, host, photo):
    b64 = base64.b64encode(photo).decode()
    said = {"brains": ["pets"], "top": 1, "user": "Ünal", "consent": True}
    headers = {"X-User-Key": "Ünal".encode(), "X-Consent": "true", "X-Deadline-Ms": "9000"}
    form = {"brains": "pets", "top": "1", "user": "Ünal", "consent": "1"}
    replies = [
        client.post("/infer", json={"photos": [{"b64": b64, "name": "a"}], **said}),
        client.post("/infer", files={"x": ("a", photo)}, data=form),
        client.post("/infer?brains=pets&top=1", files={"x": ("a", photo)}, headers=headers),
        client.post("/infer?brains=pets&top=1&user=%C3%9Cnal&consent=true", content=photo),
    ]
    for reply in replies:
        assert reply.status_code == 200, reply.text
        (told,) = reply.json()["photos"]
        assert list(told["brains"]) == ["pets"]
        assert len(told["brains"]["pets"]["instances"]) == 1
        prediction = host.seal.open(told["brains"]["pets"]["prediction_id"])
        assert prediction.consent
        assert prediction.user == host.seal.user("Ünal")


def test_one_bad_photo_among_several_has_its_error_in_its_place(client, photo):
    files = [("a", ("one.jpg", photo)), ("b", ("two.jpg", b"x")), ("c", ("three.jpg", photo))]
    reply = client.post("/infer?brains=pets", files=files)
    assert reply.status_code == 200
    told = reply.json()["photos"]
    assert [one["name"] for one in told] == ["one.jpg", "two.jpg", "three.jpg"]
    assert [one["error"] and one["error"]["code"] for one in told] == [None, "photo", None]
    assert told[1]["brains"] == {}
    assert told[0]["brains"]["pets"]["instances"] == told[2]["brains"]["pets"]["instances"]


@pytest.mark.parametrize("count", [1, 2])
def test_where_no_photo_has_an_answer_the_error_is_the_reply(client, count):
    files = [("a", ("one.jpg", b"x"))] * count
    reply = client.post("/infer?brains=pets", files=files)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "photo"


def test_a_brain_that_is_not_there_is_missing(client, photo):
    told = ask(client, photo, "?brains=pets,rooms", 404)
    assert told["error"]["code"] == "missing"
    assert "rooms" in told["error"]["message"]


WRONG = [
    "?brain=pets", "?brains=", "?brains=pets,pets", "?brains=,", "?brains=" + "x" * 200,
    "?top=-1", "?top=1.5", "?top=nan", "?top=inf", "?top=", "?top=1e9", "?top=1&top=2",
    "?threshold=2", "?threshold=-0.1", "?threshold=nan", "?heatmap=best", "?features=yes",
    "?deadline_ms=0", "?deadline_ms=-1", "?deadline_ms=1e9", "?deadline_ms=inf", "?priority=high",
    "?consent=maybe", "?encoding=xml", "?user=" + "x" * 257, "?x", "?%00", "?top=%FF",
    "?" + "&".join(f"a{n}=1" for n in range(100)),
]  # fmt: skip


@pytest.mark.parametrize("query", WRONG, ids=[query[:30] for query in WRONG])
def test_parameters_that_make_no_sense_are_refused(client, photo, query):
    told = ask(client, photo, query, 400)
    assert told["error"]["code"] == "request"


@pytest.mark.parametrize(
    "said",
    [
        {"top": "x"},
        {"top": True},
        {"top": None},
        {"top": [1]},
        {"top": 10**30},
        {"brains": "pets,,"},
        {"brains": [1]},
        {"brains": {}},
        {"brains": []},
        {"threshold": {}},
        {"features": 1},
        {"user": 5},
        {"heatmap": True},
        {"unknown": 1},
    ],
    ids=str,
)
def test_values_in_json_are_checked(client, photo, said):
    b64 = base64.b64encode(photo).decode()
    reply = client.post("/infer", json={"photos": [{"b64": b64}], **said})
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["code"] == "request"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?user=a", {"X-User-Key": "a"}),
        ("", [("X-User-Key", "a"), ("X-User-Key", "b")]),
        ("", {"X-Deadline-Ms": "soon"}),
        ("", {"X-Consent": "perhaps"}),
    ],
)
def test_what_is_said_twice_or_makes_no_sense_in_headers_is_refused(client, photo, query, headers):
    told = ask(client, photo, query, 400, headers=headers)
    assert told["error"]["code"] == "request"


def test_a_photo_by_address_is_refused_unless_the_settings_name_its_host(client):
    reply = client.post("/infer", json={"photos": [{"url": "http://127.0.0.1/cat.jpg"}]})
    assert reply.status_code == 400
    assert "off" in reply.json()["error"]["message"]


class Site:
    """Stands for photos by their address."""

    def __init__(self, photo, seconds=0.0):
        self.photo, self.seconds = photo, seconds

    async def fetch(self, url):
        await asyncio.sleep(self.seconds)
        if "missing" in url:
            raise PhotoError(f"{url} answered 404")
        return self.photo


def by_address(client, host, photo, urls, seconds=0.0, **said):
    """The reply of /infer whose photos come from a site."""

    async def call(messages):
        body = orjson.dumps({"photos": [{"url": url} for url in urls], "brains": ["pets"], **said})
        scope = {"query_string": b"", "headers": [(b"content-type", b"application/json")]}

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            messages.append(message)

        await Infer(host, Site(photo, seconds))(scope, receive, send)
        return orjson.loads(messages[1]["body"])

    return client.run(call([]))


def test_photos_by_address_are_answered_and_one_that_is_missing_says_so(client, host, photo):
    told = by_address(client, host, photo, ["http://a/cat.jpg", "http://a/missing.jpg"])["photos"]
    assert told[0]["brains"]["pets"]["version"] == 2
    assert told[1]["error"]["code"] == "photo"


def test_the_time_to_fetch_a_photo_counts_towards_the_deadline(client, host, photo):
    with pytest.raises(DeadlineError, match="fetching"):
        by_address(client, host, photo, ["http://a/cat.jpg"], seconds=0.05, deadline_ms=10)


def test_hosts_of_photos_can_be_allowed_while_serving(tmp_path):
    host = make_host(tmp_path)
    body = {"photos": [{"url": "http://photos.example.org/cat.jpg"}]}
    with sending(host) as client:
        assert "off" in client.post("/infer", json=body).text
        host.reload(host.settings.model_copy(update={"urls": Urls(hosts=("other.example.org",))}))
        for _ in range(500):
            told = client.post("/infer", json=body).text
            if "off" not in told:
                break
            time.sleep(0.01)
        assert "not allowed" in told


def test_every_hostile_photo_is_answered_or_clearly_refused(client, shared):
    files = [path for path in (shared / "data" / "robustness").rglob("*") if path.is_file()]
    assert files
    for path in files:
        reply = client.post("/infer?brains=pets&top=1", content=path.read_bytes())
        if reply.status_code != 200:
            assert reply.status_code == 400, (path, reply.text)
            assert reply.json()["error"]["code"] in ("photo", "request"), path
            assert reply.json()["error"]["message"]


def test_what_the_network_gave_is_told_exactly(client, inference, photo):
    told = one(client, photo, "?brains=many,weight,guest&answers=true&encoding=b64&top=1")["brains"]
    for name, answer in told.items():
        data = base64.b64decode(answer["answers"]["float32"])
        here = inference(f"{name}@1")
        np.testing.assert_allclose(np.frombuffer(data, "<f4"), here.answers, rtol=1e-5)
        assert len(answer["instances"]) <= 1
