"""Triton's own client, over gRPC and over HTTP, gets what the brains answer."""

import numpy as np
import pytest

from tests.serving.clients.conftest import ADMIN

PIXELS = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(20, 10, 3)


@pytest.fixture(scope="module", params=["grpc", "http"])
def told(request, served):
    address = getattr(served, request.param)
    found = served.ask(".venv-clients", "triton", request.param, address, ADMIN)
    return found | {"kind": request.param}


def test_the_host_is_live_and_ready(told):
    assert told["live"] == [True, True]
    assert told["ready"] == [True, True, False]


def test_it_tells_of_itself_and_of_its_brains(told):
    assert told["server"]["name"] == "ninebrains"
    assert {"classification", "statistics"} <= set(told["server"]["extensions"])
    metadata = told["metadata"]
    assert (metadata["name"], metadata["versions"]) == ("pets", ["1", "2"])
    assert [one["datatype"] for one in metadata["inputs"]] == ["BYTES", "UINT8"]
    assert [int(size) for size in metadata["outputs"][0]["shape"]] == [-1, 3]
    assert told["config"]["name"] == "pets"
    assert told["config"]["input"][0]["data_type"] == "TYPE_STRING"


def test_files_and_pixels_are_answered(told, served):
    known = served.scores(served.photo)
    np.testing.assert_allclose(told["bytes"], [known, known], rtol=1e-5)
    np.testing.assert_allclose(told["waited"], [known], rtol=1e-5)
    np.testing.assert_allclose(told["uint8"], [served.scores(PIXELS)], rtol=1e-5)
    np.testing.assert_allclose(told["version"], [served.scores(PIXELS, 1)], rtol=1e-5)
    assert told["labels"][0] in {"id-cat", "id-dog", "id-sofa", ""}


def test_json_and_compressed_requests_are_answered_over_http(told, served):
    if told["kind"] == "grpc":
        assert "json" not in told
        return
    np.testing.assert_allclose(told["json"][0], [served.scores(PIXELS)], rtol=1e-5)
    np.testing.assert_allclose(told["gzip"], [served.scores(served.photo)], rtol=1e-5)


def test_classes_are_told(told, served):
    best = int(np.argmax(served.scores(served.photo)))
    value, index, label = told["classes"][0].split(":")
    assert (int(index), label) == (best, ("cat", "dog", "sofa")[best])
    assert float(value) == pytest.approx(max(served.scores(served.photo)), abs=1e-5)


def test_brains_are_unloaded_and_loaded_with_a_key_alone(told):
    is_refused, before, unloaded, ready, after = told["moved"]
    assert is_refused
    assert before == after == "READY"
    assert unloaded in {"UNAVAILABLE", "UNLOADING"}
    assert not ready


def test_statistics_count(told):
    assert told["counted"] == [1, 1]


def test_replies_hold_prediction_ids(told):
    response = told["response"]
    assert response["id"] == "mine"
    assert response["parameters"]["prediction_ids"]


STATUSES = {
    "no such brain": ("NOT_FOUND", "404", "nix"),
    "no photo": ("INVALID_ARGUMENT", "400", "photo"),
    "wrong type": ("INVALID_ARGUMENT", "400", "0 to 255"),
    "wrong shape": ("INVALID_ARGUMENT", "400", "[N, H, W, 3]"),
    "two inputs": ("INVALID_ARGUMENT", "400", "2 inputs"),
    "no such output": ("INVALID_ARGUMENT", "400", "no output"),
    "no such config": ("NOT_FOUND", "404", "nix"),
}


@pytest.mark.parametrize("case", STATUSES)
def test_mistakes_are_told(told, case):
    grpc, http, said = STATUSES[case]
    status, message = told["refused"][case]
    assert (grpc if told["kind"] == "grpc" else http) in status
    assert said in message
