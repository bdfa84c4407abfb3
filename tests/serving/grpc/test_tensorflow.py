"""TensorFlow Serving's services: what is asked and what is answered."""

import numpy as np
import pytest

from ninebrains.serving.grpc.messages import message
from tests.serving.grpc.conftest import refused, remote_of, tensor
from tests.serving.http.conftest import make_host

PREDICT = "tensorflow.serving.PredictionService.Predict"
CLASSIFY = "tensorflow.serving.PredictionService.Classify"
REGRESS = "tensorflow.serving.PredictionService.Regress"
METADATA = "tensorflow.serving.PredictionService.GetModelMetadata"
STATUS = "tensorflow.serving.ModelService.GetModelStatus"


def read(reply, name):
    from ninebrains.serving.grpc.tensor_protos import array_of

    return array_of(name, reply.outputs[name], 10**9)


def expected(remote, photo, member="pets@2"):
    return remote.host.mind.run(photo, member)[member]


def test_files_are_answered_as_the_mind_does(remote, photo):
    inputs = {"bytes": tensor([photo, photo])}
    reply, trailing = remote.call(PREDICT, model_spec={"name": "pets"}, inputs=inputs)
    known = expected(remote, photo)
    np.testing.assert_array_equal(read(reply, "scores"), [known.answers, known.answers])
    assert read(reply, "label").tolist() == [(known.answer or "").encode()] * 2
    assert (reply.model_spec.name, reply.model_spec.version.value) == ("pets", 2)
    predictions = [remote.host.seal.open(one) for one in trailing["x-prediction-ids"].split(",")]
    assert [(one.name, one.number) for one in predictions] == [("pets", 2)] * 2


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.int64])
def test_pixels_of_any_type_are_answered(remote, kind):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    inputs = {"input_1": tensor(pixels[None].astype(kind))}
    reply, _ = remote.call(PREDICT, model_spec={"name": "pets"}, inputs=inputs)
    np.testing.assert_array_equal(read(reply, "scores")[0], expected(remote, pixels).answers)


@pytest.mark.parametrize(
    ("spec", "number"),
    [({}, 2), ({"version": {"value": 1}}, 1), ({"version_label": "stable"}, 2)],
    ids=["any", "by number", "by label"],
)
def test_versions_are_chosen(remote, photo, spec, number):
    spec = {"name": "pets", "signature_name": "serving_default", **spec}
    reply, _ = remote.call(PREDICT, model_spec=spec, inputs={"x": tensor([photo])})
    assert reply.model_spec.version.value == number
    known = expected(remote, photo, f"pets@{number}").answers
    np.testing.assert_array_equal(read(reply, "scores")[0], known)


def test_outputs_are_filtered(remote, photo):
    filtered = ["features", "prediction_id", "heatmap"]
    reply, _ = remote.call(
        PREDICT,
        model_spec={"name": "pets"},
        inputs={"x": tensor([photo])},
        output_filter=filtered,
    )
    assert sorted(reply.outputs) == sorted(filtered)
    assert read(reply, "features").shape == (1, 8)
    assert read(reply, "heatmap").shape == (1, 3, 8, 8)


def test_examples_are_classified_and_measured(remote, photo):
    feature = {"image": {"bytes_list": {"value": [photo]}}}
    sent = {"example_list": {"examples": [{"features": {"feature": feature}}]}}
    reply, trailing = remote.call(CLASSIFY, model_spec={"name": "pets"}, input=sent)
    (told,) = reply.result.classifications
    known = expected(remote, photo).instances
    assert [one.label for one in told.classes] == [one.label for one in known]
    assert told.classes[0].score == pytest.approx(known[0].score)
    assert trailing["x-prediction-ids"]
    context = {"features": {"feature": feature}}
    sent = {"example_list_with_context": {"examples": [{}, {}], "context": context}}
    reply, _ = remote.call(REGRESS, model_spec={"name": "weight"}, input=sent)
    value = float(expected(remote, photo, "weight@1").answers[0])
    assert [one.value for one in reply.result.regressions] == pytest.approx([value, value])
    with refused("INVALID_ARGUMENT"):
        remote.call(REGRESS, model_spec={"name": "pets"}, input=sent)
    with refused("INVALID_ARGUMENT"):
        remote.call(CLASSIFY, model_spec={"name": "weight"}, input=sent)


def test_metadata_tells_what_goes_in_and_what_comes_out(remote):
    reply, _ = remote.call(METADATA, model_spec={"name": "pets"}, metadata_field=["signature_def"])
    assert (reply.model_spec.name, reply.model_spec.version.value) == ("pets", 2)
    packed = reply.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = message("tensorflow.serving.SignatureDefMap").FromString(packed.value)
    default = signatures.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert default.inputs["image"].dtype == 7
    assert [dim.size for dim in default.outputs["scores"].tensor_shape.dim] == [-1, 3]
    assert signatures.signature_def["pixels"].inputs["pixels"].dtype == 4


def test_status_tells_of_every_version(remote):
    reply, _ = remote.call(STATUS, model_spec={"name": "pets"})
    told = [(one.version, one.state, one.status.error_code) for one in reply.model_version_status]
    assert told == [(2, 30, 0), (1, 30, 0)]
    reply, _ = remote.call(STATUS, model_spec={"name": "pets", "version": {"value": 1}})
    assert [one.version for one in reply.model_version_status] == [1]
    reply, _ = remote.call(STATUS, model_spec={"name": "pets", "version_label": "stable"})
    assert [one.version for one in reply.model_version_status] == [2]


def test_versions_that_nobody_wants_are_at_their_end(tmp_path):
    host = make_host(tmp_path, grpc_port=0, policy={"load": "latest", "latest": 1})
    with remote_of(host) as remote:
        reply, _ = remote.call(STATUS, model_spec={"name": "pets"})
        assert [(one.version, one.state) for one in reply.model_version_status] == [
            (2, 30),
            (1, 50),
        ]
        reply, _ = remote.call("inference.GRPCInferenceService.RepositoryIndex")
        told = {(one.name, one.version): one.reason for one in reply.models}
        assert (told["pets", "1"], told["pets", "2"]) == ("unloaded", "")


MISTAKES = {
    "no name": (PREDICT, {}, "INVALID_ARGUMENT", "no name"),
    "no such brain": (PREDICT, {"model_spec": {"name": "nix"}}, "NOT_FOUND", "nix"),
    "no such version": (
        PREDICT,
        {"model_spec": {"name": "pets", "version": {"value": 9}}},
        "NOT_FOUND",
        "pets",
    ),
    "no such label": (
        PREDICT,
        {"model_spec": {"name": "pets", "version_label": "blue"}},
        "INVALID_ARGUMENT",
        "version_label",
    ),
    "no such signature": (
        PREDICT,
        {"model_spec": {"name": "pets", "signature_name": "x"}},
        "INVALID_ARGUMENT",
        "signature",
    ),
    "no inputs": (PREDICT, {"model_spec": {"name": "pets"}, "inputs": {}}, "INVALID_ARGUMENT", "0"),
    "no photo": (
        PREDICT,
        {"model_spec": {"name": "pets"}, "inputs": {"x": tensor([b"none"])}},
        "INVALID_ARGUMENT",
        "photo",
    ),
    "too many photos": (
        PREDICT,
        {"model_spec": {"name": "pets"}, "inputs": {"x": tensor([b""] * 5)}},
        "INVALID_ARGUMENT",
        "5 photos",
    ),
    "no such output": (
        PREDICT,
        {"model_spec": {"name": "pets"}, "output_filter": ["x"]},
        "INVALID_ARGUMENT",
        "no output",
    ),
    "no examples": (CLASSIFY, {"model_spec": {"name": "pets"}}, "INVALID_ARGUMENT", "examples"),
    "an empty example": (
        CLASSIFY,
        {"model_spec": {"name": "pets"}, "input": {"example_list": {"examples": [{}]}}},
        "INVALID_ARGUMENT",
        "example 0",
    ),
    "no metadata field": (METADATA, {"model_spec": {"name": "pets"}}, "INVALID_ARGUMENT", "field"),
    "no such metadata": (
        METADATA,
        {"model_spec": {"name": "pets"}, "metadata_field": ["x"]},
        "INVALID_ARGUMENT",
        "signature_def",
    ),
    "status of nothing": (STATUS, {}, "INVALID_ARGUMENT", "no name"),
    "status of nobody": (STATUS, {"model_spec": {"name": "nix"}}, "NOT_FOUND", "nix"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told(remote, photo, case):
    method, fields, code, said = MISTAKES[case]
    if method == PREDICT and "inputs" not in fields:
        fields = {"inputs": {"x": tensor([photo])}, **fields}
    with refused(code) as told:
        remote.call(method, **fields)
    assert said in told["details"]
