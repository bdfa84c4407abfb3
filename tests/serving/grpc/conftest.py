"""A host of small brains in this process, asked over gRPC by a client of the library's own."""

import asyncio
import hashlib
import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from tests.serving.http.conftest import jpeg, make_host

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

ADMIN = "nb_admin-of-the-tests"
READER = "nb_reader-of-the-tests"


def key(secret, *scopes, **limits):
    return {"sha256": hashlib.sha256(secret.encode()).hexdigest(), "scopes": scopes, **limits}


KEYS = {"admin": key(ADMIN, "admin", "infer"), "reader": key(READER, "infer")}


@pytest.fixture(scope="module")
def photo():
    return jpeg()


class Remote:
    """A running server, and calls to it by the full names of their methods."""

    def __init__(self, host, server, loop):
        import grpc

        self.host, self.server, self.loop = host, server, loop
        self.channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")

    def call(self, method, timeout=30, metadata=(), compression=None, **fields):
        """The reply, and the trailing metadata, of one call; `fields` are those of its request."""
        reply, done = self.begin(method).with_call(
            request_of(method, fields), timeout=timeout, metadata=metadata, compression=compression
        )
        return reply, {item.key: item.value for item in done.trailing_metadata()}

    def begin(self, method):
        """A method as the library gives it."""
        return self.channel.unary_unary(path_of(method), *_coders(method))

    def stream(self, method):
        """A method that streams, as the library gives it."""
        return self.channel.stream_stream(path_of(method), *_coders(method))

    def send(self, method, data):
        """Any bytes as the request of a call; its reply as bytes."""
        return self.channel.unary_unary(path_of(method))(data, timeout=30)

    def run(self, task):
        """Something to be awaited, in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(task, self.loop).result(30)


def path_of(method):
    """Where a method is on the wire."""
    return "/{}/{}".format(*method.rsplit(".", 1))


def request_of(method, fields):
    """The request of a method."""
    return _kinds(method)[0](**fields)


def _kinds(method):
    from google.protobuf.message_factory import GetMessageClass

    from ninebrains.serving.grpc.messages import service

    name, _, method = method.rpartition(".")
    described = service(name).methods_by_name[method]
    return GetMessageClass(described.input_type), GetMessageClass(described.output_type)


def _coders(method):
    return lambda message: message.SerializeToString(), _kinds(method)[1].FromString


@contextmanager
def remote_of(host):
    """Open a host, and answer gRPC calls to it."""
    from ninebrains.serving.grpc.server import GrpcServer

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(GrpcServer.start(host), loop).result(30)
    remote = Remote(host, server, loop)
    try:
        host.open()
        yield remote
    finally:
        remote.channel.close()
        remote.run(server.stop(5))
        host.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote")
    host = make_host(folder, grpc_port=0, keys=KEYS, limits={"photos": 4, "body_bytes": 2**20})
    with remote_of(host) as made:
        yield made


@contextmanager
def refused(code):
    """A call that is to fail so; gives what the error says, as `details` once it is over."""
    import grpc

    told = {}
    with pytest.raises(grpc.RpcError) as caught:
        yield told
    assert caught.value.code().name == code, caught.value.details()
    told["details"] = caught.value.details()


def tensor(array):
    """A TensorProto of bytes or of an array."""
    from ninebrains.serving.grpc.tensor_protos import tensor_of

    if isinstance(array, list):
        texts = np.empty(len(array), object)
        texts[:] = array
        array = texts
    return tensor_of(np.asarray(array))
