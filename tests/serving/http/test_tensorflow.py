"""TensorFlow Serving's REST protocol: its forms of requests and replies, and what is refused."""

import base64
import gzip
import json
import zlib

import numpy as np
import pytest

from ninebrains.serving.traffic.route import Route
from tests.brains.making import NAMES
from tests.brains.making import photo as pixels_of
from tests.serving.http.conftest import jpeg, make_host, sending

PETS = "/v1/models/pets"


def b64(data):
    return base64.b64encode(data).decode()


def call(client, path, told, status=200, **options):
    body = {"content": told} if isinstance(told, bytes) else {"json": told}
    reply = client.post(path, **body, **options)
    assert reply.status_code == status, reply.text
    found = json.loads(reply.text)
    if status != 200:
        assert set(found) == {"error"}
        assert isinstance(found["error"], str)
    return found


@pytest.fixture
def expected(host):
    """What the mind itself answers on a photo."""
    return lambda photo, member="pets@2": host.mind.run(photo, member)[member]


def same(row, inference):
    assert set(row) == {"scores", "label", "unfamiliar"}
    assert row["scores"] == pytest.approx(inference.answers.tolist(), rel=1e-5)
    assert row["label"] == (inference.answer or "")
    assert row["unfamiliar"] == pytest.approx(inference.unfamiliar, rel=1e-5)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda photos: [{"b64": b64(photo)} for photo in photos],
        lambda photos: [{"image": {"b64": b64(photo)}} for photo in photos],
        lambda photos: [{"image_bytes": [{"b64": b64(photo)}]} for photo in photos],
        lambda photos: [{"input_1": b64(photo)} for photo in photos],
        lambda photos: [b64(photo) for photo in photos],
        lambda photos: [[b64(photo)] for photo in photos],
        lambda photos: [base64.urlsafe_b64encode(photo).decode() for photo in photos],
        lambda photos: [{"b64": b64(photo).rstrip("=")} for photo in photos],
        lambda photos: [base64.encodebytes(photo).decode() for photo in photos],
    ],
)
def test_rows_of_files_are_answered_with_predictions(client, expected, wrap):
    photos = [jpeg(0), jpeg(1)]
    told = call(client, f"{PETS}:predict", {"instances": wrap(photos)})
    assert set(told) == {"predictions"}
    for row, photo in zip(told["predictions"], photos, strict=True):
        same(row, expected(photo))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda files: files,
        lambda files: {"image": files},
        lambda files: {"bytes": [[file] for file in files]},
    ],
)
def test_columns_of_files_are_answered_with_outputs(client, expected, wrap):
    photos = [jpeg(0), jpeg(1)]
    told = call(client, f"{PETS}:predict", {"inputs": wrap([{"b64": b64(p)} for p in photos])})
    outputs = told["outputs"]
    for index, photo in enumerate(photos):
        same({name: column[index] for name, column in outputs.items()}, expected(photo))


def test_one_file_alone_is_a_column(client, expected):
    told = call(client, f"{PETS}:predict", {"inputs": {"b64": b64(jpeg())}})
    same({name: column[0] for name, column in told["outputs"].items()}, expected(jpeg()))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("dtype", [int, float])
def test_rows_of_pixels_are_answered_as_the_same_pixels_are(client, expected, named, dtype):
    photos = [pixels_of(0), pixels_of(1)]
    rows = [photo.astype(dtype).tolist() for photo in photos]
    instances = [{"pixels": row} for row in rows] if named else rows
    told = call(client, f"{PETS}:predict", {"instances": instances})
    for row, photo in zip(told["predictions"], photos, strict=True):
        same(row, expected(photo))


@pytest.mark.parametrize("signature", ["serving_default", "", "pixels"])
def test_columns_of_pixels_and_the_usual_signature(client, expected, signature):
    pixels = pixels_of(3)
    told = {"signature_name": signature, "inputs": {"pixels": [pixels.tolist()]}}
    outputs = call(client, f"{PETS}:predict", told)["outputs"]
    same({name: column[0] for name, column in outputs.items()}, expected(pixels))


@pytest.mark.parametrize(
    "options",
    [
        {"content": jpeg()},
        {"content": jpeg(), "headers": {"content-type": "image/jpeg"}},
        {"content": jpeg(), "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"files": {"image": ("cat.jpg", jpeg(), "image/jpeg")}},
        {"files": {"anything": ("cat", jpeg())}},
    ],
)
def test_photos_may_come_as_they_are(client, expected, options):
    reply = client.post(f"{PETS}:predict", **options)
    assert reply.status_code == 200, reply.text
    (row,) = reply.json()["predictions"]
    same(row, expected(jpeg()))


def test_json_needs_no_content_type(client):
    told = json.dumps({"instances": [b64(jpeg())]}).encode()
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
        call(client, f"{PETS}:predict", told, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("place", "number"),
    [("", "2"), ("/versions/1", "1"), ("/labels/stable", "2"), ("@1", "1")],
)
def test_versions_and_labels_choose_who_answers(client, expected, place, number):
    told = call(client, f"{PETS}{place}:predict", {"instances": [b64(jpeg())]})
    same(told["predictions"][0], expected(jpeg(), f"pets@{number}"))


def test_a_canary_is_asked_by_its_label(client, host, expected):
    route: Route = host.traffic.route("pets")
    host.traffic.change("pets", "test", stable=2, canary=1)
    try:
        told = call(client, f"{PETS}/labels/canary:predict", {"instances": [b64(jpeg())]})
        same(told["predictions"][0], expected(jpeg(), "pets@1"))
        told = client.get(f"{PETS}/labels/canary").json()
        assert [one["version"] for one in told["model_version_status"]] == ["1"]
    finally:
        host.traffic.change("pets", "test", stable=route.stable, canary=route.canary)


def test_outputs_may_be_chosen_and_one_alone_is_not_named(client, host, expected):
    wanted = {"instances": [b64(jpeg())]}
    told = call(client, f"{PETS}:predict?outputs=label", wanted)
    assert told == {"predictions": [expected(jpeg()).answer or ""]}
    told = call(client, f"{PETS}:predict?outputs=scores", {"inputs": [b64(jpeg())]})
    assert np.shape(told["outputs"]) == (1, 3)
    told = call(client, f"{PETS}:predict?outputs=heatmap,prediction_id", wanted)["predictions"][0]
    assert np.shape(told["heatmap"]) == (3, 8, 8)
    assert host.seal.open(told["prediction_id"]).number == 2


def test_a_guest_gives_its_own_output(client, host):
    told = call(client, "/v1/models/guest:predict", {"instances": [b64(jpeg())]})
    own = host.mind.run(jpeg(), "guest@1")["guest@1"].outputs["output"]
    assert told["predictions"][0] == pytest.approx(own.tolist(), rel=1e-4)


@pytest.mark.parametrize("example", [{"image": {"b64": b64(jpeg())}}, {"x": [b64(jpeg())]}])
def test_classify_gives_labels_with_scores(client, expected, example):
    told = call(client, f"{PETS}:classify", {"examples": [{**example, "age": [3]}]})
    inference = expected(jpeg())
    (row,) = told["result"]
    assert [label for label, _ in row] == [one.label for one in inference.instances]
    assert sorted(label for label, _ in row) == sorted(NAMES)
    assert [score for _, score in row] == pytest.approx([one.score for one in inference.instances])


def test_the_context_is_shared_by_all_examples(client):
    shared = {"image": {"b64": b64(jpeg())}}
    told = call(client, f"{PETS}:classify", {"context": shared, "examples": [{}, {"age": 3.0}]})
    assert told["result"][0] == told["result"][1]


def test_regress_gives_values(client, expected):
    told = call(client, "/v1/models/weight:regress", {"examples": [{"image": b64(jpeg())}]})
    value = expected(jpeg(), "weight@1").answers[0]
    assert told == {"result": [pytest.approx(float(value), rel=1e-5)]}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/v1/models/weight:classify", "expected :regress"),
        ("/v1/models/guest:classify", "expected :predict"),
        ("/v1/models/pets:regress", "expected :classify"),
    ],
)
def test_what_a_version_cannot_do_is_refused(client, path, why):
    told = call(client, path, {"examples": [{"image": b64(jpeg())}]}, 400)
    assert why in told["error"]


def test_status_tells_all_versions_the_newest_first(client):
    ok = {"error_code": "OK", "error_message": ""}
    assert client.get(PETS).json() == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": ok},
            {"version": "1", "state": "AVAILABLE", "status": ok},
        ]
    }
    (one,) = client.get(f"{PETS}/versions/1").json()["model_version_status"]
    assert one["version"] == "1"


def test_versions_that_nobody_wants_are_at_their_end_and_unloaded(tmp_path):
    with sending(make_host(tmp_path, policy={"load": "latest", "latest": 1})) as client:
        told = client.get(PETS).json()["model_version_status"]
        assert [(one["version"], one["state"]) for one in told] == [
            ("2", "AVAILABLE"),
            ("1", "END"),
        ]
        told = client.post("/v2/repository/index", json={}).json()
        assert {(one["version"], one["reason"]) for one in told if one["name"] == "pets"} == {
            ("1", "unloaded"),
            ("2", ""),
        }


def test_metadata_tells_what_a_version_takes_and_gives(client):
    told = client.get(f"{PETS}/versions/1/metadata").json()
    assert told["model_spec"] == {"name": "pets", "signature_name": "", "version": "1"}
    signatures = told["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "pixels"}
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"] == {
        "image": {
            "dtype": "DT_STRING",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            "name": "image:0",
        }
    }
    assert default["outputs"]["scores"]["dtype"] == "DT_FLOAT"
    sizes = [dim["size"] for dim in default["outputs"]["scores"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "3"]
    assert client.get(f"{PETS}/metadata").json()["model_spec"]["version"] == "2"
    assert client.get(f"{PETS}/labels/stable/metadata").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/nobody", 404),
        ("GET", f"{PETS}/versions/9", 404),
        ("GET", f"{PETS}/versions/{'9' * 40}", 400),
        ("GET", f"{PETS}/versions/one", 400),
        ("GET", f"{PETS}/labels/other", 400),
        ("GET", f"{PETS}/versions/9/metadata", 404),
        ("GET", "/v1/models/nobody/metadata", 404),
        ("GET", f"{PETS}:predict", 405),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/models/nobody:predict", 404),
        ("POST", f"{PETS}/versions/9:predict", 404),
        ("POST", f"{PETS}/labels/other:predict", 400),
        ("POST", f"{PETS}:explain", 405),
    ],
)
def test_what_is_not_there_is_told_in_the_form_of_the_protocol(client, method, path, status):
    told = {"json": {"instances": [b64(jpeg())]}} if method == "POST" else {}
    reply = client.request(method, path, **told)
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}


IMAGE = {"b64": b64(jpeg())}
RAGGED = [[[1, 2, 3], [1, 2]]]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 5000, "no JSON"),
        (b'{"instances": [NaN]}', "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "expected an object"),
        ({}, "instances"),
        ({"instances": [IMAGE], "inputs": [IMAGE]}, "either"),
        ({"instances": []}, "one item"),
        ({"instances": {"b64": "x"}}, "no list"),
        ({"instances": [None]}, "null"),
        ({"instances": [True]}, "true or false"),
        ({"instances": ["%%%"]}, "base64"),
        ({"instances": [{"b64": 3}]}, "not understood"),
        ({"instances": [{"b64": ""}]}, "photo"),
        ({"instances": [b64(b"no photo")]}, "not a photo"),
        ({"instances": [IMAGE, b64(b"no photo")]}, "photo 1: not a photo"),
        ({"instances": [IMAGE, 3]}, "numbers and objects"),
        ({"instances": [IMAGE] * 5}, "got 5 photos"),
        ({"instances": [{"image": IMAGE}, IMAGE]}, "instances[1]"),
        ({"instances": [{"image": IMAGE}, {"other": IMAGE}]}, "instances[1]"),
        ({"instances": [{"image": IMAGE, "pixels": [[[1]]]}]}, "2 inputs"),
        ({"instances": [{}]}, "0 inputs"),
        ({"instances": [1, 2, 3]}, "expected RGB pixels"),
        ({"instances": RAGGED}, "several lengths"),
        ({"instances": [[[1, 2, 3], 4]]}, "several lengths"),
        ({"instances": [[[[[[[[[[1]]]]]]]]]]}, "deeper"),
        ({"instances": [[[[0.5, 1, 2]]]]}, "whole numbers"),
        ({"instances": [[[[256, 1, 2]]]]}, "whole numbers"),
        ({"instances": [[[[10**300, 1, 2]]]]}, "whole numbers"),
        ({"instances": [[[[1, 2, 3], [1, "2", 3]]]]}, "numbers and texts"),
        ({"instances": [[]]}, "expected RGB pixels"),
        ({"inputs": {}}, "got 0 inputs"),
        ({"inputs": {"a": IMAGE, "b": IMAGE}}, "got 2 inputs"),
        ({"inputs": None}, "null"),
        ({"instances": [IMAGE], "signature_name": "other"}, "no signature 'other'"),
        ({"instances": [IMAGE], "signature_name": ["x"]}, "no signature"),
    ],
)
def test_a_predict_that_makes_no_sense_is_refused(client, told, why):
    status = 413 if "5 photos" in why else 400
    assert why in call(client, f"{PETS}:predict", told, status)["error"]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "examples"),
        ({"examples": []}, "got 0 photos"),
        ({"examples": [3]}, "examples[0]"),
        ({"examples": [{}]}, "0 features"),
        ({"examples": [{"a": IMAGE, "b": IMAGE}]}, "2 features"),
        ({"examples": [{"a": IMAGE}], "context": [1]}, "context"),
        ({"examples": [{"a": IMAGE}], "context": {"a": IMAGE}}, "context has already"),
        ({"examples": [{"a": "%%"}]}, "base64"),
        (b"no json", "no JSON"),
    ],
)
def test_examples_that_make_no_sense_are_refused(client, told, why):
    assert why in call(client, f"{PETS}:classify", told, 400)["error"]


def test_an_output_that_is_not_there_is_refused(client):
    told = call(client, f"{PETS}:predict?output=label", {"instances": [IMAGE]}, 400)
    assert (
        told["error"] == "got 'output' behind the ?; expected any of deadline_ms, priority, outputs"
    )
    told = call(client, f"{PETS}:predict?outputs=nothing", {"instances": [IMAGE]}, 400)
    assert "expected one of scores, label" in told["error"]


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_compressed_requests_are_unpacked(client, name):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[name]
    body = pack(json.dumps({"instances": [IMAGE]}).encode())
    call(client, f"{PETS}:predict", body, headers={"content-encoding": name})


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("br", b"abc", 415),
        ("gzip", b"abc", 400),
        ("gzip", gzip.compress(b"abc", mtime=0)[:-3], 400),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more", 400),
        ("gzip", gzip.compress(bytes(65 * 2**20), mtime=0), 413),
    ],
)
def test_what_cannot_be_unpacked_is_refused(client, encoding, body, status):
    call(client, f"{PETS}:predict", body, status, headers={"content-encoding": encoding})


def test_json_that_would_fill_the_memory_is_refused_unread(client):
    bomb = b'{"instances": [' + b"[]," * 2_200_000 + b"[]]}"
    assert "values" in call(client, f"{PETS}:predict", bomb, 413)["error"]


def test_deadlines_are_kept(client):
    told = {"instances": [IMAGE]}
    call(client, f"{PETS}:predict", told, 400, headers={"x-deadline-ms": "soon"})
    reply = client.post(f"{PETS}:predict?deadline_ms=0.001", json=told)
    assert reply.status_code in (429, 504)


def test_what_has_no_place_in_json_is_written_as_tensorflow_serving_does(client, host, monkeypatch):
    from ninebrains.serving.http import tensorflow

    real = tensorflow.answer_tensors

    async def answer(*arguments):
        answers = await real(*arguments)
        values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
        answers.outputs["scores"] = values
        return answers

    monkeypatch.setattr(tensorflow, "answer_tensors", answer)
    reply = client.post(f"{PETS}:predict", json={"instances": [IMAGE]})
    assert '"scores":[NaN,Infinity,-Infinity]' in reply.text


def test_every_route_is_described(client, host):
    from ninebrains.serving.http import tensorflow

    described = {
        (path, method) for path, item in tensorflow.describe().paths.items() for method in item
    }
    routes = {
        (route.path, method.lower())
        for route in tensorflow.routes(host)
        for method in route.methods - {"HEAD"}
    }
    assert described == routes
    document = client.get("/openapi.json").json()
    assert {path for path, _ in described} <= set(document["paths"])


@pytest.mark.parametrize(
    ("path", "told", "schema"),
    [
        (PETS, None, "TensorFlowStatus"),
        (f"{PETS}/metadata", None, "TensorFlowMetadata"),
        (f"{PETS}:predict", {"instances": [IMAGE]}, "TensorFlowPredicted"),
        (f"{PETS}:classify", {"examples": [{"image": IMAGE}]}, "TensorFlowClassified"),
        ("/v1/models/weight:regress", {"examples": [{"image": IMAGE}]}, "TensorFlowMeasured"),
    ],
)
def test_replies_are_as_described(client, path, told, schema):
    import jsonschema

    document = client.get("/openapi.json").json()
    reply = client.get(path) if told is None else client.post(path, json=told)
    found = document["components"]["schemas"][schema] | {"components": document["components"]}
    jsonschema.validate(reply.json(), found)


def test_damaged_and_hostile_photos_are_answered_or_refused(client, shared):
    files = [path for path in sorted((shared / "data/robustness").rglob("*")) if path.is_file()]
    for path in files[::5]:
        for options in ({}, {"headers": {"content-type": "image/jpeg"}}):
            reply = client.post(f"{PETS}:predict", content=path.read_bytes(), **options)
            assert reply.status_code in (200, 400, 413), (path, reply.text)
            assert set(reply.json()) <= {"predictions", "error"}
