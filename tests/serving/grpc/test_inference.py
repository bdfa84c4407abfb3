"""The Open Inference Protocol over gRPC: what is asked and what is answered."""

import struct

import numpy as np
import pytest

from tests.serving.grpc.conftest import ADMIN, READER, refused

SERVICE = "inference.GRPCInferenceService"
INFER = f"{SERVICE}.ModelInfer"
AS_ADMIN = (("authorization", f"Bearer {ADMIN}"),)


def packed(*files):
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


def image(*files, **more):
    told = {"name": "image", "datatype": "BYTES", "shape": [len(files)]}
    return {"inputs": [told | more], "raw_input_contents": [packed(*files)]}


def read(reply, name):
    from ninebrains.serving.wire import unpack

    index = [output.name for output in reply.outputs].index(name)
    output, data = reply.outputs[index], memoryview(reply.raw_output_contents[index])
    limits = type("Limits", (), {"photos": 1_000})
    return unpack(output.datatype, tuple(output.shape), data, limits)


def test_files_are_answered_as_the_mind_does(remote, photo):
    reply, _ = remote.call(INFER, model_name="pets", id="seven", **image(photo, photo))
    known = remote.host.mind.run(photo, "pets@2")["pets@2"]
    np.testing.assert_array_equal(read(reply, "scores"), [known.answers] * 2)
    assert (reply.model_name, reply.model_version, reply.id) == ("pets", "2", "seven")
    told = reply.parameters["prediction_ids"].string_param.split(",")
    assert [remote.host.seal.open(one).name for one in told] == ["pets", "pets"]


def test_pixels_come_raw_or_listed(remote):
    pixels = np.random.default_rng(2).integers(0, 256, (1, 9, 8, 3), np.uint8)
    known = remote.host.mind.run(pixels[0], "pets@1")["pets@1"].answers
    told = {"name": "pixels", "datatype": "UINT8", "shape": [1, 9, 8, 3]}
    listed = {**told, "contents": {"uint_contents": pixels.reshape(-1).tolist()}}
    for sent in (
        {"inputs": [told], "raw_input_contents": [pixels.tobytes()]},
        {"inputs": [listed]},
    ):
        reply, _ = remote.call(INFER, model_name="pets", model_version="1", **sent)
        np.testing.assert_array_equal(read(reply, "scores")[0], known)


def test_files_come_listed_too(remote, photo):
    listed = {"name": "x", "datatype": "BYTES", "shape": [1], "contents": {}}
    listed["contents"] = {"bytes_contents": [photo]}
    reply, _ = remote.call(INFER, model_name="weight", inputs=[listed])
    assert read(reply, "values").shape == (1, 1)


def test_classes_are_told_as_text(remote, photo):
    outputs = [{"name": "scores", "parameters": {"classification": {"int64_param": 2}}}]
    reply, _ = remote.call(INFER, model_name="pets", outputs=outputs, **image(photo))
    best = remote.host.mind.run(photo, "pets@2")["pets@2"].top
    (first, second) = read(reply, "scores")[0]
    assert first.decode().split(":")[1:] == [str(best.index), best.label]
    assert float(first.split(b":")[0]) >= float(second.split(b":")[0])


def test_a_stream_goes_on_after_a_mistake(remote, photo):
    from tests.serving.grpc.conftest import request_of

    def requests():
        for number, name in enumerate(("pets", "nix", "weight")):
            yield request_of(INFER, {"model_name": name, "id": str(number), **image(photo)})

    replies = list(remote.stream(f"{SERVICE}.ModelStreamInfer")(requests(), timeout=30))
    assert [reply.infer_response.id for reply in replies] == ["0", "1", "2"]
    assert [bool(reply.error_message) for reply in replies] == [False, True, False]
    assert "nix" in replies[1].error_message


def test_everything_is_told_of_a_brain(remote):
    reply, _ = remote.call(f"{SERVICE}.ModelMetadata", name="pets")
    assert (reply.name, list(reply.versions)) == ("pets", ["1", "2"])
    assert [one.name for one in reply.inputs] == ["image", "pixels"]
    assert list(reply.outputs[0].shape) == [-1, 3]
    reply, _ = remote.call(f"{SERVICE}.ModelConfig", name="pets", version="1")
    assert list(reply.config.version_policy.specific.versions) == [1]
    assert [(one.name, one.data_type) for one in reply.config.input] == [
        ("image", 13),
        ("pixels", 2),
    ]


@pytest.mark.parametrize(
    ("fields", "ready"),
    [
        ({"name": "pets"}, True),
        ({"name": "pets", "version": "1"}, True),
        ({"name": "pets", "version": "9"}, False),
        ({"name": "nix"}, False),
    ],
    ids=str,
)
def test_readiness_of_brains(remote, fields, ready):
    assert remote.call(f"{SERVICE}.ModelReady", **fields)[0].ready is ready


def test_the_host_tells_of_itself(remote):
    assert remote.call(f"{SERVICE}.ServerLive")[0].live
    assert remote.call(f"{SERVICE}.ServerReady")[0].ready
    reply, _ = remote.call(f"{SERVICE}.ServerMetadata")
    assert reply.name == "ninebrains"
    assert "model_repository" in reply.extensions


def test_statistics_count_photos(remote, photo):
    def counted():
        reply, _ = remote.call(f"{SERVICE}.ModelStatistics", name="many", version="1")
        return reply.model_stats[0]

    before = counted()
    remote.call(INFER, model_name="many", **image(photo, photo))
    after = counted()
    assert after.inference_count - before.inference_count == 2
    assert after.inference_stats.success.count - before.inference_stats.success.count == 2
    assert after.inference_stats.compute_infer.ns > before.inference_stats.compute_infer.ns
    reply, _ = remote.call(f"{SERVICE}.ModelStatistics")
    assert {one.name for one in reply.model_stats} == {"pets", "many", "weight", "guest"}


def test_versions_are_unloaded_and_loaded_by_admins_alone(remote):
    def state():
        reply, _ = remote.call(f"{SERVICE}.RepositoryIndex")
        return {(one.name, one.version): one.state for one in reply.models}[("pets", "1")]

    asked = {"model_name": "pets", "parameters": {"version": {"int64_param": 1}}}
    unload, load = (f"{SERVICE}.RepositoryModel{verb}" for verb in ("Unload", "Load"))
    assert state() == "READY"
    with refused("UNAUTHENTICATED"):
        remote.call(unload, **asked)
    with refused("PERMISSION_DENIED"):
        remote.call(unload, metadata=(("x-api-key", READER),), **asked)
    assert state() == "READY"
    remote.call(unload, metadata=AS_ADMIN, **asked)
    assert state() != "READY"
    remote.call(load, metadata=AS_ADMIN, **asked)
    assert state() == "READY"
    with refused("INVALID_ARGUMENT"):
        remote.call(load, metadata=AS_ADMIN, model_name="pets", parameters={"config": {}})
    with refused("NOT_FOUND"):
        remote.call(load, metadata=AS_ADMIN, model_name="nix")


def test_loading_what_is_refused_is_no_fault_of_the_host(remote):
    (source,) = remote.host.settings.sources
    damaged = source / "pets" / "9.brain"
    damaged.write_bytes(b"no brain")
    asked = {"model_name": "pets", "parameters": {"version": {"int64_param": 9}}}
    with refused("FAILED_PRECONDITION") as told:
        remote.call(f"{SERVICE}.RepositoryModelLoad", metadata=AS_ADMIN, **asked)
    assert "pets@9 was refused" in told["details"]
    damaged.unlink()
    remote.host.catalog.refresh()


def one_input(shape, datatype="UINT8", **more):
    return {"inputs": [{"name": "x", "datatype": datatype, "shape": shape, **more}]}


PETS = {"model_name": "pets"}
MISTAKES = {
    "no name": (image(b""), "INVALID_ARGUMENT", "model_name"),
    "no inputs": (PETS, "INVALID_ARGUMENT", "0 inputs"),
    "no photo": (PETS | image(b"none"), "INVALID_ARGUMENT", "photo"),
    "no such brain": ({"model_name": "nix"} | image(b""), "NOT_FOUND", "nix"),
    "no such version": (PETS | {"model_version": "9"} | image(b""), "NOT_FOUND", "pets"),
    "no such datatype": (
        PETS | one_input([1], "TEXT") | {"raw_input_contents": [b"1"]},
        "INVALID_ARGUMENT",
        "datatype",
    ),
    "a negative shape": (
        PETS | one_input([-1]) | {"raw_input_contents": [b"1"]},
        "INVALID_ARGUMENT",
        "shape",
    ),
    "a huge shape": (
        PETS | one_input([2**30, 2**30]) | {"raw_input_contents": [b"1"]},
        "INVALID_ARGUMENT",
        "takes",
    ),
    "a huge listed shape": (
        PETS | one_input([2**30, 2**30], contents={"uint_contents": [1]}),
        "INVALID_ARGUMENT",
        "1 values",
    ),
    "more raw than inputs": (
        PETS | one_input([1]) | {"raw_input_contents": [b"1", b"1"]},
        "INVALID_ARGUMENT",
        "raw_input_contents",
    ),
    "raw and listed": (
        PETS | one_input([1], contents={"uint_contents": [1]}) | {"raw_input_contents": [b"1"]},
        "INVALID_ARGUMENT",
        "one of them",
    ),
    "values that do not fit": (
        PETS | one_input([1], contents={"uint_contents": [300]}),
        "INVALID_ARGUMENT",
        "no UINT8",
    ),
    "half floats listed": (PETS | one_input([1], "FP16"), "INVALID_ARGUMENT", "FP16"),
    "shared memory": (
        PETS | one_input([1], parameters={"shared_memory_region": {"string_param": "x"}}),
        "INVALID_ARGUMENT",
        "shared memory",
    ),
    "an endless timeout": (
        PETS | image(b"") | {"parameters": {"timeout": {"string_param": "long"}}},
        "INVALID_ARGUMENT",
        "whole number",
    ),
    "the same input twice": (
        PETS | {"inputs": one_input([0])["inputs"] * 2},
        "INVALID_ARGUMENT",
        "twice",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told(remote, case):
    fields, code, said = MISTAKES[case]
    with refused(code) as told:
        remote.call(INFER, **fields)
    assert said in told["details"]
