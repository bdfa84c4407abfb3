"""A host of small brains in this process, shared by the tests of a file."""

import asyncio
import io
import threading
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from PIL import Image

from ninebrains.serving.host import Host
from ninebrains.serving.http.app import make_app
from ninebrains.serving.settings import Settings
from tests.making import write_model
from tests.serving.making import put, repository


def jpeg(seed=0, size=(48, 40)):
    """A photo's file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def photo():
    return jpeg()


def make_host(folder, **settings):
    """A host, not yet open, of: pets 1 and 2, many (labels), weight (measures), a guest."""
    models = repository(folder / "models", {"pets": [1, 2]})
    names = tuple(f"label {n}" for n in range(300))
    put(models, "many", 1, names=names)
    put(models, "weight", 1, task="regress")
    (models / "guest" / "1").mkdir(parents=True)
    write_model(models / "guest" / "1" / "model.onnx")
    settings = {"grpc_port": None, "policy": {"load": "all"}} | settings
    return Host(Settings(sources=(models,), state=folder / "state", **settings))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return make_host(tmp_path_factory.mktemp("host"), limits={"photos": 4})


class Client:
    """Sends requests to an application in a thread of its own, as httpx.Client would to a host."""

    def __init__(self, app, address):
        self.app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50000))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")
        self._told = asyncio.Queue()
        self._heard = asyncio.Queue()

    def run(self, task):
        """What a coroutine gives, run where requests are."""
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(60)

    def begin(self):
        self._life = asyncio.run_coroutine_threadsafe(
            self.app({"type": "lifespan", "asgi": {}}, self._told.get, self._heard.put), self._loop
        )
        self._step("startup")

    def _step(self, step):
        self.run(self._told.put({"type": f"lifespan.{step}"}))
        heard = self.run(self._heard.get())
        assert heard["type"] == f"lifespan.{step}.complete", heard

    def end(self):
        self._step("shutdown")
        self._life.result(10)
        self.run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def request(self, method, url, **options):
        return self.run(self._client.request(method, url, **options))

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)


@contextmanager
def sending(host, address="127.0.0.1"):
    """A client of a host that is opened for it, and closed in the end."""
    client = Client(make_app(host), address)
    client.begin()
    try:
        yield client
    finally:
        client.end()


@pytest.fixture(scope="module")
def client(host):
    """Sends requests to the host, from loopback."""
    with sending(host) as client:
        yield client
