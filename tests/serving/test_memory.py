"""What a host holds after large requests, in a real process."""

import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.making import jpeg
from tests.serving.making import repository, running
from tests.serving.test_faults import wait_until

MEBIBYTE = 2**20
SIDE = 6000  # 103 MiB of pixels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; concerns glibc")


@pytest.fixture
def host(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    with running({"sources": [models], "mind": {"decoders": 2}}) as host:
        post(host, jpeg("cat", 1))
        yield host


def post(host, body):
    return httpx.post(f"{host}/infer", content=body, timeout=60).status_code


def resident(host):
    """Bytes of memory that the worker has."""
    (worker,) = host.workers()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.fixture
def huge():
    """A photo that is small as a file and large as pixels."""
    file = BytesIO()
    Image.new("RGB", (SIDE, SIDE), (90, 120, 30)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def test_memory_of_large_photos_is_given_back(host, huge):
    before = resident(host)
    assert [post(host, huge) for _ in range(3)] == [200] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(post, [host] * 4, [huge] * 4)) == [200] * 4
    # Less than one photo, of seven that were there; what stays is what smaller things need.
    wait_until(lambda: resident(host) - before < SIDE * SIDE * 3)


def test_memory_of_large_bodies_is_given_back(host):
    before = resident(host)
    body = bytes(60 * MEBIBYTE)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(post, [host] * 4, [body] * 4)) == [400] * 4
    wait_until(lambda: resident(host) - before < 50 * MEBIBYTE)
