"""What holds for every call: keys, deadlines, limits, mistakes, and the end of the host."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from ninebrains.errors import SettingsError
from ninebrains.serving.grpc.ports import reserve
from tests.serving.grpc.conftest import KEYS, READER, key, refused, remote_of, request_of, tensor
from tests.serving.http.conftest import make_host

PREDICT = "tensorflow.serving.PredictionService.Predict"
INFER = "inference.GRPCInferenceService.ModelInfer"
CHECK = "grpc.health.v1.Health.Check"
WATCH = "grpc.health.v1.Health.Watch"


def asked(photo, **more):
    return {"model_spec": {"name": "pets"}, "inputs": {"x": tensor([photo])}} | more


def test_keys_open_what_their_scopes_say(tmp_path, photo):
    limited = {"slow": key("nb_slow-key-of-tests", "infer", requests_per_second=0.001)}
    host = make_host(tmp_path, grpc_port=0, keys=KEYS | limited, public=())
    with remote_of(host) as remote:
        with refused("UNAUTHENTICATED") as told:
            remote.call(PREDICT, **asked(photo))
        assert "key" in told["details"]
        with refused("UNAUTHENTICATED"):
            remote.call(PREDICT, metadata=(("x-api-key", "nb_wrong"),), **asked(photo))
        for name, value in (("authorization", f"Bearer {READER}"), ("x-api-key", READER)):
            remote.call(PREDICT, metadata=((name, value),), **asked(photo))
        slow = (("x-api-key", "nb_slow-key-of-tests"),)
        remote.call(PREDICT, metadata=slow, **asked(photo))
        with refused("RESOURCE_EXHAUSTED"):
            remote.call(PREDICT, metadata=slow, **asked(photo))
        assert remote.call(CHECK)[0].status == 1
        assert remote.call("inference.GRPCInferenceService.ServerLive")[0].live


def test_user_and_consent_come_as_metadata(remote, photo):
    metadata = (("x-user-key", "ann"), ("x-consent", "true"), ("x-request-id", "mine-7"))
    _, trailing = remote.call(PREDICT, metadata=metadata, **asked(photo))
    prediction = remote.host.seal.open(trailing["x-prediction-ids"])
    assert prediction.user == remote.host.seal.user("ann")
    assert prediction.consent
    assert trailing["x-request-id"] == "mine-7"
    with refused("INVALID_ARGUMENT"):
        remote.call(PREDICT, metadata=(("x-consent", "perhaps"),), **asked(photo))


@pytest.mark.parametrize("method", [PREDICT, INFER])
@pytest.mark.parametrize("data", [b"\xff" * 40, b"\x0a\x05ab", b"\x0a\x04\x0a\x02\xff\xfe"])
def test_messages_that_are_none_are_the_callers_mistake(remote, method, data):
    with refused("INVALID_ARGUMENT"):
        remote.send(method, data)


def test_messages_over_the_limit_and_compressed_ones_are_refused(remote, photo):
    import grpc

    with refused("RESOURCE_EXHAUSTED"):
        remote.call(PREDICT, **asked(b"\0" * 2**21))
    with refused("UNIMPLEMENTED"):
        remote.call(PREDICT, compression=grpc.Compression.Gzip, **asked(b"\0" * 2**21))
    remote.call(PREDICT, **asked(photo))


BOMBS = {
    "examples": ("tensorflow.serving.PredictionService.Classify", b"\x12", b"\x0a"),
    "parameters": (INFER, b"\x2a", b"\x22"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_messages_of_countless_pieces_are_refused_before_they_are_made(remote, case):
    method, outer, inner = BOMBS[case]
    pieces = (inner + b"\0") * 300_000
    wrapped = _field(outer, _field(b"\x0a", pieces) if case == "examples" else pieces)
    with refused("INVALID_ARGUMENT") as told:
        remote.send(method, wrapped)
    assert "pieces" in told["details"]


def _field(tag, data):
    size, length = len(data), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return tag + length + bytes([size]) + data


def test_long_lists_of_numbers_are_refused(tmp_path):
    host = make_host(tmp_path, grpc_port=0)
    with remote_of(host) as remote, refused("INVALID_ARGUMENT") as told:
        listed = {"dtype": 4, "int_val": [1] * (2**20 + 1)}
        remote.call(PREDICT, model_spec={"name": "pets"}, inputs={"x": _tensor(listed)})
    assert "raw bytes" in told["details"]


def _tensor(fields):
    from ninebrains.serving.grpc.messages import message

    made = message("tensorflow.TensorProto")(**fields)
    made.tensor_shape.dim.add(size=2**20 + 1)
    return made


def test_messages_of_all_calls_together_have_a_limit(tmp_path, photo):
    host = make_host(tmp_path, grpc_port=0, limits={"bodies_bytes": len(photo)})
    with remote_of(host) as remote:
        with refused("RESOURCE_EXHAUSTED") as told:
            remote.call(PREDICT, **asked(photo))
        assert "open here already" in told["details"]
        with refused("INVALID_ARGUMENT"):
            remote.call(PREDICT, **asked(b"small"))


def test_a_call_without_its_message_is_given_up(tmp_path):
    host = make_host(tmp_path, grpc_port=0, limits={"body_seconds": 0.05})
    with remote_of(host) as remote:
        path = "/tensorflow.serving.PredictionService/Predict"
        with refused("DEADLINE_EXCEEDED") as told:

            def never():
                time.sleep(1)
                yield b""

            remote.channel.stream_unary(path)(never(), timeout=30)
        assert "no message" in told["details"]
        with refused("INVALID_ARGUMENT"):
            remote.channel.stream_unary(path)(iter(()), timeout=30)


def test_a_deadline_that_cannot_be_kept_is_told(remote, photo):
    import grpc

    with pytest.raises(grpc.RpcError) as caught:
        remote.call(PREDICT, metadata=(("x-deadline-ms", "0.001"),), **asked(photo))
    assert caught.value.code().name in ("DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
    timeout = {"timeout": {"int64_param": 1}}
    raw = len(photo).to_bytes(4, "little") + photo
    sent = {"name": "image", "datatype": "BYTES", "shape": [1]}
    with pytest.raises(grpc.RpcError) as caught:
        remote.call(
            INFER,
            model_name="pets",
            inputs=[sent],
            raw_input_contents=[raw],
            parameters=timeout,
        )
    assert caught.value.code().name in ("DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")


def test_a_cancelled_call_is_not_answered(remote, photo):
    file = io.BytesIO()
    Image.fromarray(np.zeros((5000, 5000, 3), np.uint8)).save(file, "PNG")
    answered = []
    watcher = type("Watcher", (), {"saw": lambda _self, answered_: answered.append(answered_)})()
    remote.host.watchers.append(watcher)
    try:
        call = remote.begin(PREDICT).future(request_of(PREDICT, asked(file.getvalue())))
        time.sleep(0.02)
        call.cancel()
        remote.call(PREDICT, **asked(photo))
        remote.run(remote.host.answer(file.getvalue(), ["pets"]))
    finally:
        remote.host.watchers.remove(watcher)
    assert [one.photo for one in answered] == [photo, file.getvalue()]


def test_an_error_of_ours_says_nothing_of_the_inside(remote, photo, monkeypatch):
    async def broken(*_arguments, **_options):
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(remote.host, "answer", broken)
    with refused("INTERNAL") as told:
        remote.call(PREDICT, **asked(photo))
    assert "secret" not in told["details"]


def test_unknown_methods_are_unimplemented(remote):
    with refused("UNIMPLEMENTED"):
        remote.send("inference.GRPCInferenceService.TraceSetting", b"")


def test_health_is_told_by_service(remote):
    for service in ("", "tensorflow.serving.PredictionService"):
        assert remote.call(CHECK, service=service)[0].status == 1
    with refused("NOT_FOUND"):
        remote.call(CHECK, service="nix")


def test_watchers_are_told_of_the_end_and_let_the_host_go(tmp_path):
    with remote_of(make_host(tmp_path, grpc_port=0)) as remote:
        watching = remote.stream(WATCH)(iter([request_of(CHECK, {})]), timeout=30)
        assert next(watching).status == 1
        remote.host.begin_drain()
        assert next(watching).status == 2
        idle = remote.stream("inference.GRPCInferenceService.ModelStreamInfer")
        sleeping = idle(iter([]), timeout=30)
        remote.run(remote.server.stop(60))
        assert list(sleeping) == []


def test_a_reserved_port_is_taken_for_others():
    with reserve("127.0.0.1", 0) as held, pytest.raises(SettingsError, match="grpc-port"):
        reserve("127.0.0.1", held.getsockname()[1])


def test_a_host_that_is_not_ready_says_so(tmp_path, photo):
    host = make_host(tmp_path, grpc_port=0)
    with remote_of(host) as remote:
        host.is_ready = False
        with refused("UNAVAILABLE") as told:
            remote.call(PREDICT, **asked(photo, model_spec={"name": "later"}))
        assert "not ready" in told["details"]
        ready = "inference.GRPCInferenceService.ModelReady"
        assert not remote.call(ready, name="later")[0].ready
        assert remote.call(CHECK)[0].status == 2
