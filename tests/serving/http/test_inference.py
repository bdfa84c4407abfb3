"""The Open Inference Protocol over HTTP with Triton's extensions, and what is refused."""

import base64
import gzip
import json
import struct

import numpy as np
import pytest

import ninebrains
from tests.brains.making import photo as pixels_of
from tests.serving.http.conftest import jpeg, make_host, sending

PETS = "/v2/models/pets"
ADMIN = {"authorization": "Bearer adminkey"}
HEADER = "inference-header-content-length"


def b64(data):
    return base64.b64encode(data).decode()


def image(*photos, **more):
    data = [b64(photo) for photo in photos or (jpeg(),)]
    return {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data} | more


def binary(told, *tails):
    """A body with binary data and the header that says where it begins."""
    head = json.dumps(told).encode()
    return {"content": b"".join((head, *tails)), "headers": {HEADER: str(len(head))}}


def post(client, path, status=200, **options):
    reply = client.post(path, **options)
    assert reply.status_code == status, reply.text
    if status != 200:
        assert set(reply.json()) == {"error"}
    return reply


def infer(client, told, status=200, path=f"{PETS}/infer"):
    return post(client, path, status, json=told).json()


def unpacked(reply):
    """Outputs of a reply with binary data, as bytes by name."""
    length = int(reply.headers[HEADER])
    head, rest = json.loads(reply.content[:length]), reply.content[length:]
    found = {}
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = rest[:size], rest[size:]
    assert not rest
    return head, found


@pytest.fixture
def expected(host):
    """What the mind itself answers on a photo."""
    return lambda photo, member="pets@2": host.mind.run(photo, member)[member]


def test_files_in_json_are_answered_in_json(client, expected):
    photos = [jpeg(0), jpeg(1)]
    told = infer(client, {"id": "42", "inputs": [image(*photos)]})
    assert (told["id"], told["model_name"], told["model_version"]) == ("42", "pets", "2")
    scores, label, unfamiliar = told["outputs"]
    answers = [expected(photo) for photo in photos]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP32", [2, 3])
    assert scores["data"] == pytest.approx(
        np.concatenate([one.answers for one in answers]).tolist(), rel=1e-5
    )
    assert label == {
        "name": "label",
        "datatype": "BYTES",
        "shape": [2],
        "data": [one.answer or "" for one in answers],
    }
    assert unfamiliar["data"] == pytest.approx([one.unfamiliar for one in answers], rel=1e-5)


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("datatype", ["UINT8", "FP32", "INT64"])
def test_pixels_in_json_may_be_flat_or_nested(client, expected, datatype, is_flat):
    pixels = pixels_of(1)
    data = pixels.reshape(-1) if is_flat else pixels[None]
    given = {"name": "pixels", "datatype": datatype, "shape": [1, 40, 48, 3]}
    told = infer(client, {"inputs": [{**given, "data": data.tolist()}]})
    assert told["outputs"][0]["data"] == pytest.approx(expected(pixels).answers.tolist(), rel=1e-5)


def test_tensors_go_and_come_in_binary(client, expected):
    photos = [jpeg(0), jpeg(1)]
    data = b"".join(struct.pack("<I", len(photo)) + photo for photo in photos)
    given = {"name": "bytes", "datatype": "BYTES", "shape": [2, 1]}
    told = {
        "inputs": [{**given, "parameters": {"binary_data_size": len(data)}}],
        "parameters": {"binary_data_output": True},
    }
    reply = post(client, f"{PETS}/infer", **binary(told, data))
    assert reply.headers["content-type"] == "application/octet-stream"
    head, found = unpacked(reply)
    answers = [expected(photo) for photo in photos]
    scores = np.frombuffer(found["scores"], "<f4").reshape(2, 3)
    np.testing.assert_allclose(scores, [one.answers for one in answers], rtol=1e-5)
    texts = [(one.answer or "").encode() for one in answers]
    assert found["label"] == b"".join(struct.pack("<I", len(text)) + text for text in texts)
    assert all("data" not in output for output in head["outputs"])


def test_pixels_go_in_binary_and_outputs_come_in_either_form(client, expected):
    pixels = pixels_of(2)
    given = {"name": "data_0", "datatype": "UINT8", "shape": [1, *pixels.shape]}
    told = {
        "inputs": [{**given, "parameters": {"binary_data_size": pixels.size}}],
        "outputs": [
            {"name": "unfamiliar"},
            {"name": "scores", "parameters": {"binary_data": True}},
        ],
    }
    reply = post(client, f"{PETS}/infer", **binary(told, pixels.tobytes()))
    head = json.loads(reply.content[: int(reply.headers[HEADER])])
    answer = expected(pixels)
    assert head["outputs"][0]["data"] == pytest.approx([answer.unfamiliar], rel=1e-5)
    scores = np.frombuffer(reply.content[int(reply.headers[HEADER]) :], "<f4")
    np.testing.assert_allclose(scores, answer.answers, rtol=1e-5)


def test_an_output_may_stay_in_json_when_all_others_are_binary(client):
    told = {
        "inputs": [image()],
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "scores", "parameters": {"binary_data": False}}],
    }
    assert "data" in infer(client, told)["outputs"][0]


def test_a_photo_may_be_the_whole_body(client, expected):
    reply = post(client, f"{PETS}/infer", content=jpeg(), headers={HEADER: "0"})
    _, found = unpacked(reply)
    scores = np.frombuffer(found["scores"], "<f4")
    np.testing.assert_allclose(scores, expected(jpeg()).answers, rtol=1e-5)


def test_a_file_may_come_as_an_array_of_its_bytes(client, expected):
    """As clients of Triton's image ensembles send it."""
    photo = jpeg()
    given = {"name": "INPUT", "datatype": "UINT8", "shape": [1, len(photo)]}
    told = {"inputs": [{**given, "parameters": {"binary_data_size": len(photo)}}]}
    scores = post(client, f"{PETS}/infer", **binary(told, photo)).json()["outputs"][0]["data"]
    assert scores == pytest.approx(expected(photo).answers.tolist(), rel=1e-5)


def test_classes_come_as_text(client, expected):
    wanted = {"name": "scores", "parameters": {"classification": 2}}
    (output,) = infer(client, {"inputs": [image()], "outputs": [wanted]})["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 2])
    best = expected(jpeg()).instances[:2]
    assert output["data"] == [f"{one.score:f}:{one.index}:{one.label}" for one in best]


def test_classes_of_a_guest_without_labels_have_no_label(client):
    wanted = {"name": "output", "parameters": {"classification": 1}}
    told = infer(client, {"inputs": [image()], "outputs": [wanted]}, path="/v2/models/guest/infer")
    assert told["outputs"][0]["data"][0].count(":") == 1


@pytest.mark.parametrize("path", ["/v2/models/pets/versions/1/infer", "/v2/models/pets@1/infer"])
def test_a_version_may_be_asked_for(client, expected, path):
    told = infer(client, {"inputs": [image()]}, path=path)
    assert told["model_version"] == "1"
    answer = expected(jpeg(), "pets@1")
    assert told["outputs"][0]["data"] == pytest.approx(answer.answers.tolist(), rel=1e-5)


def test_heatmaps_and_prediction_ids_are_there_by_name(client, host):
    wanted = [{"name": "heatmap"}, {"name": "prediction_id"}]
    heatmap, ids = infer(client, {"inputs": [image()], "outputs": wanted})["outputs"]
    assert heatmap["shape"] == [1, 3, 8, 8]
    assert len(heatmap["data"]) == 3 * 64
    assert host.seal.open(ids["data"][0]).name == "pets"


def test_compressed_requests_are_unpacked(client):
    body = gzip.compress(json.dumps({"inputs": [image()]}).encode())
    post(client, f"{PETS}/infer", content=body, headers={"content-encoding": "gzip"})


def test_the_server_tells_what_it_knows(client):
    told = client.get("/v2").json()
    assert (told["name"], told["version"]) == ("ninebrains", ninebrains.__version__)
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(told["extensions"])
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_a_host_that_is_not_ready_says_so(client, host, monkeypatch):
    monkeypatch.setattr(host, "is_ready", False)
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize("place", ["", "/versions/1"])
def test_metadata_tells_what_a_version_takes_and_gives(client, place):
    told = client.get(f"{PETS}{place}").json()
    assert (told["name"], told["versions"]) == ("pets", ["1", "2"])
    assert told["inputs"] == [
        {"name": "image", "datatype": "BYTES", "shape": [-1]},
        {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
    ]
    assert told["outputs"][0] == {"name": "scores", "datatype": "FP32", "shape": [-1, 3]}
    assert client.get(f"{PETS}{place}/ready").status_code == 200


def test_configuration_has_the_form_of_tritons(client):
    told = client.get(f"{PETS}/config").json()
    assert (told["name"], told["max_batch_size"]) == ("pets", 0)
    assert told["input"][0]["data_type"] == "TYPE_STRING"
    assert told["output"][0] == {"name": "scores", "data_type": "TYPE_FP32", "dims": [-1, 3]}


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/v2/models/stats", 5),
        (f"{PETS}/stats", 2),
        (f"{PETS}/versions/1/stats", 1),
    ],
)
def test_statistics_are_there_for_each_version(client, path, count):
    told = client.get(path).json()["model_stats"]
    assert len(told) == count
    steps = {"success", "fail", "queue", "compute_input", "compute_infer", "compute_output"}
    assert all(steps <= set(one["inference_stats"]) for one in told)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/nobody/ready", 404),
        ("GET", "/v2/models/nobody/stats", 404),
        ("GET", f"{PETS}/versions/9", 404),
        ("GET", f"{PETS}/versions/9/ready", 404),
        ("GET", f"{PETS}/versions/9/config", 404),
        ("GET", f"{PETS}/versions/9/stats", 404),
        ("GET", f"{PETS}/versions/one", 400),
        ("GET", f"{PETS}/infer", 405),
        ("GET", "/v2/nothing", 404),
        ("POST", "/v2/models/nobody/infer", 404),
        ("POST", f"{PETS}/versions/9/infer", 404),
    ],
)
def test_what_is_not_there_is_told_in_the_form_of_the_protocol(client, method, path, status):
    told = {"json": {"inputs": [image()]}} if method == "POST" else {}
    reply = client.request(method, path, **told)
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}


PIXELS = {"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 2, 3], "data": [1] * 6}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "expected an object"),
        ({}, "inputs is no list"),
        ({"inputs": []}, "inputs is no list"),
        ({"inputs": {"name": "image"}}, "inputs is no list"),
        ({"inputs": [3]}, "inputs is no list"),
        ({"inputs": [{}]}, "inputs is no list"),
        ({"inputs": [image(name="")]}, "inputs is no list"),
        ({"inputs": [image(), image()]}, "twice"),
        ({"inputs": [image(), PIXELS]}, "got 2 inputs"),
        ({"inputs": [image()] * 65}, "inputs is no list"),
        ({"inputs": [image()], "id": 3}, "id"),
        ({"inputs": [image()], "parameters": []}, "parameters"),
        ({"inputs": [image()], "parameters": {"binary_data_output": 1}}, "neither true"),
        ({"inputs": [image()], "parameters": {"timeout": "soon"}}, "timeout"),
        ({"inputs": [image()], "outputs": {}}, "outputs is no list"),
        ({"inputs": [image()], "outputs": [{"name": "nothing"}]}, "expected one of scores"),
        ({"inputs": [image()], "outputs": [{"name": "label"}] * 2}, "twice"),
        ({"inputs": [image(parameters={"shared_memory_region": "x"})]}, "shared memory"),
        ({"inputs": [image(parameters=3)]}, "parameters"),
        ({"inputs": [image(datatype="STRING")]}, "datatype"),
        ({"inputs": [image(datatype="UINT8")]}, "expected numbers"),
        ({"inputs": [image(shape=[2])]}, "takes 2"),
        ({"inputs": [image(shape=[-1])]}, "shape"),
        ({"inputs": [image(shape=[2**62])]}, "shape"),
        ({"inputs": [image(shape=[2**30] * 8)]}, "takes"),
        ({"inputs": [image(shape=None)]}, "shape"),
        ({"inputs": [image(data=["%"])]}, "base64"),
        ({"inputs": [image(data=[None])]}, "null"),
        ({"inputs": [image(data=b64(b"no photo"), shape=[])]}, "not a photo"),
        ({"inputs": [image(jpeg(), b"no photo")]}, "photo 1: not a photo"),
        ({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}]}, "no data"),
        ({"inputs": [PIXELS | {"data": [1] * 5}]}, "takes 6"),
        ({"inputs": [PIXELS | {"data": [[1, 2], [3]]}]}, "several lengths"),
        ({"inputs": [PIXELS | {"data": [256] * 6}]}, "no uint8"),
        ({"inputs": [PIXELS | {"data": [0.5] * 6}]}, "no uint8"),
        ({"inputs": [PIXELS | {"data": [0.5] * 6, "datatype": "FP32"}]}, "whole numbers"),
        ({"inputs": [PIXELS | {"data": [1e300] * 6, "datatype": "FP16"}]}, "whole numbers"),
        ({"inputs": [PIXELS | {"datatype": "BOOL"}]}, "bool"),
        ({"inputs": [PIXELS | {"data": ["YQ=="] * 6}]}, "expected numbers"),
        ({"inputs": [PIXELS | {"shape": [1, 3, 1, 2]}]}, "channels to the end"),
        ({"inputs": [PIXELS | {"datatype": "BYTES"}]}, "expected texts in base64"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(client, told, why):
    assert why in infer(client, told, 400)["error"]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"name": "scores", "parameters": {"classification": "2"}}, "no number"),
        ({"name": "scores", "parameters": {"classification": True}}, "no number"),
        ({"name": "scores", "parameters": {"classification": -1}}, "expected 1"),
        ({"name": "label", "parameters": {"classification": 1}}, "no numbers"),
        ({"name": "scores", "parameters": {"binary_data": 3}}, "neither true"),
    ],
)
def test_an_output_that_makes_no_sense_is_refused(client, wanted, why):
    assert why in infer(client, {"inputs": [image()], "outputs": [wanted]}, 400)["error"]


def sized(size, shape=(1,), datatype="BYTES", **more):
    given = {"name": "image", "datatype": datatype, "shape": list(shape)}
    return {"inputs": [{**given, "parameters": {"binary_data_size": size}, **more}]}


@pytest.mark.parametrize(
    ("told", "tail", "why"),
    [
        (sized(5), b"1234", "up to 4"),
        (sized(2**62), b"1234", "up to 4"),
        (sized(-1), b"1234", "up to 4"),
        (sized("4"), b"1234", "up to 4"),
        (sized(True), b"1234", "up to 4"),
        (sized(3), b"1234", "item 0"),
        (sized(4), b"\0\0\0\0more", "belong to no input"),
        (sized(4, data=["x"]), b"\0\0\0\0", "both"),
        (sized(4), b"\xff\xff\xff\xff", "item 0"),
        (sized(8), b"\0\0\0\0more", "goes on"),
        (sized(4, [2**30, 2**30, 2**30], "UINT8"), b"1234", "takes"),
        (sized(4, [-1], "UINT8"), b"1234", "shape"),
        (sized(4, [1], "FP8"), b"1234", "datatype"),
        (sized(12, [1, 1, 1, 3], "FP32"), struct.pack("<3f", np.nan, 1, 2), "whole numbers"),
    ],
)
def test_binary_sizes_that_lie_are_refused(client, told, tail, why):
    told = post(client, f"{PETS}/infer", 400, **binary(told, tail)).json()
    assert why in told["error"]


@pytest.mark.parametrize("length", ["-1", "1e3", "99999", "9" * 50, "", "x"])
def test_a_header_length_that_lies_is_refused(client, length):
    content = json.dumps({"inputs": [image()]}).encode()[:500]
    told = post(client, f"{PETS}/infer", 400, content=content, headers={HEADER: length}).json()
    assert "Inference-Header-Content-Length" in told["error"]


def test_too_many_photos_and_values_are_refused_unread(client):
    told = infer(client, {"inputs": [image(*[jpeg()] * 5)]}, 413)
    assert "got 5 photos" in told["error"]
    data = struct.pack("<I", 0) * 5
    told = post(client, f"{PETS}/infer", 413, **binary(sized(20, [5]), data)).json()
    assert "got 5 photos" in told["error"]
    bomb = b'{"inputs": [' + b"[]," * 2_200_000 + b"[]]}"
    assert "values" in post(client, f"{PETS}/infer", 413, content=bomb).json()["error"]


def test_a_timeout_is_a_deadline(client):
    told = {"inputs": [image()], "parameters": {"timeout": 1}}
    reply = client.post(f"{PETS}/infer", json=told)
    assert reply.status_code in (429, 504)
    infer(client, {"inputs": [image()], "parameters": {"timeout": 10_000_000}})


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """A host whose versions tests load and unload, with a key for that."""
    import hashlib

    digest = hashlib.sha256(b"adminkey").hexdigest()
    keys = {"boss": {"sha256": digest, "scopes": ["infer", "admin"]}}
    with sending(make_host(tmp_path_factory.mktemp("changing"), keys=keys)) as client:
        yield client


def indexed(client, **told):
    reply = post(client, "/v2/repository/index", json=told, headers=ADMIN)
    return {(one["name"], one["version"]): one["state"] for one in reply.json()}


def test_versions_are_listed_unloaded_and_loaded(changing):
    every = {("pets", "1"), ("pets", "2"), ("many", "1"), ("weight", "1"), ("guest", "1")}
    assert indexed(changing) == dict.fromkeys(every, "READY")
    path = "/v2/repository/models/pets"
    one = {"parameters": {"version": "1"}}
    post(changing, f"{path}/unload", json=one, headers=ADMIN)
    assert indexed(changing)["pets", "1"] in ("UNLOADING", "UNAVAILABLE")
    assert ("pets", "1") not in indexed(changing, ready=True)
    assert changing.get(f"{PETS}/versions/1/ready", headers=ADMIN).status_code == 404
    assert changing.get(f"{PETS}/ready", headers=ADMIN).status_code == 200
    post(changing, f"{path}/load", json=one, headers=ADMIN)
    assert indexed(changing)["pets", "1"] == "READY"
    options = {"json": {"parameters": {"unload_dependents": False}}, "headers": ADMIN}
    post(changing, f"{path}/unload", **options)
    assert changing.get(f"{PETS}/ready", headers=ADMIN).status_code == 404
    post(changing, f"{path}/load", headers=ADMIN)
    assert changing.get(f"{PETS}/ready", headers=ADMIN).status_code == 200


@pytest.mark.parametrize("verb", ["load", "unload"])
@pytest.mark.parametrize(
    ("name", "told", "status"),
    [
        ("nobody", {}, 404),
        ("pets", {"parameters": {"version": "9"}}, 404),
        ("pets", {"parameters": {"version": "one"}}, 400),
        ("pets", {"parameters": {"config": "{}"}}, 400),
        ("pets", {"parameters": {"file:1/model.onnx": "abc"}}, 400),
        ("pets", {"parameters": 3}, 400),
        ("pets", [], 400),
    ],
)
def test_what_cannot_be_loaded_is_refused(changing, verb, name, told, status):
    path = f"/v2/repository/models/{name}/{verb}"
    post(changing, path, status, json=told, headers=ADMIN)


def test_loading_takes_a_key_for_it(client, changing):
    for verb in ("load", "unload"):
        path = f"/v2/repository/models/pets/{verb}"
        assert client.post(path).status_code == 401
        assert changing.post(path, headers={"x-api-key": "other"}).status_code == 401


def test_an_index_that_makes_no_sense_is_refused(changing):
    for told in ([], {"ready": 1}):
        post(changing, "/v2/repository/index", 400, json=told, headers=ADMIN)
    post(changing, "/v2/repository/index", headers=ADMIN)


def test_every_route_is_described(client, host):
    from ninebrains.serving.http import inference

    described = {
        (path, method) for path, item in inference.describe().paths.items() for method in item
    }
    routes = {
        (route.path, method.lower())
        for route in inference.routes(host)
        for method in route.methods - {"HEAD"}
    }
    assert described == routes
    document = client.get("/openapi.json").json()
    assert {path for path, _ in described} <= set(document["paths"])


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("GET", "/v2", "InferenceServer"),
        ("GET", "/v2/health/live", "InferenceLive"),
        ("GET", "/v2/health/ready", "InferenceReady"),
        ("GET", "/v2/models/stats", "InferenceStats"),
        ("GET", PETS, "InferenceMetadata"),
        ("GET", f"{PETS}/ready", "InferenceIsReady"),
        ("GET", f"{PETS}/config", "InferenceConfig"),
        ("POST", f"{PETS}/infer", "InferenceAnswers"),
        ("POST", "/v2/repository/index", "InferenceIndex"),
    ],
)
def test_replies_are_as_described(client, method, path, schema):
    import jsonschema

    schemas = client.get("/openapi.json").json()["components"]
    told = {"json": {"inputs": [image()]} if "infer" in path else {}} if method == "POST" else {}
    reply = client.request(method, path, **told)
    jsonschema.validate(reply.json(), schemas["schemas"][schema] | {"components": schemas})
