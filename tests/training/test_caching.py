"""The feature cache under kills, crowds, damage and full disks."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from ninebrains.errors import OutputError
from ninebrains.training.caching import FeatureCache, cache_key


def test_values_come_back_after_closing(tmp_path):
    path = tmp_path / "features.sqlite"
    with FeatureCache(path) as cache:
        cache.put([(cache_key("a"), b"one"), (cache_key("b"), b"two")])
    with FeatureCache(path) as cache:
        assert cache.get(cache_key("a")) == b"one"
        assert cache.get(cache_key("c")) is None
        assert cache.trouble is None


def test_keys_keep_their_parts_apart():
    assert cache_key("ab", "c") != cache_key("a", "bc")


def test_the_least_recently_used_go_first(tmp_path):
    path = tmp_path / "features.sqlite"
    keys = [cache_key(str(number)) for number in range(20)]
    for key in keys:
        with FeatureCache(path, max_bytes=10**9) as cache:
            cache.put([(key, b"x" * 1000)])
    with FeatureCache(path, max_bytes=10**9) as cache:
        assert cache.get(keys[0]) is not None
    with FeatureCache(path, max_bytes=10_000):
        pass
    with FeatureCache(path, max_bytes=10**9) as cache:
        left = [number for number, key in enumerate(keys) if cache.get(key) is not None]
    assert len(left) == 9
    assert 0 in left
    assert set(left) - {0} == set(range(12, 20))


def test_a_damaged_database_is_started_afresh(tmp_path):
    path = tmp_path / "features.sqlite"
    path.write_bytes(b"this is not a database" * 1000)
    with FeatureCache(path) as cache:
        cache.put([(cache_key("a"), b"one")])
        assert cache.get(cache_key("a")) == b"one"
        assert cache.trouble is None


def test_a_folder_that_cannot_be_made_costs_the_cache_only(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with FeatureCache(tmp_path / "file" / "features.sqlite") as cache:
        cache.put([(cache_key("a"), b"one")])
        assert cache.get(cache_key("a")) is None
        assert "features are not kept" in cache.trouble


def test_size_zero_switches_it_off(tmp_path):
    with FeatureCache(tmp_path / "features.sqlite", max_bytes=0) as cache:
        cache.put([(cache_key("a"), b"one")])
        assert cache.get(cache_key("a")) is None
    assert not (tmp_path / "features.sqlite").exists()


WRITER = """
import sys
from pathlib import Path
from ninebrains.training.caching import FeatureCache, cache_key
cache = FeatureCache(Path(sys.argv[1]))
number = 0
while number < int(sys.argv[3]):
    cache.put([(cache_key(sys.argv[2], str(number + k)), b"v" * 5000) for k in range(8)])
    number += 8
    print(number, flush=True)
assert cache.trouble is None, cache.trouble
cache.close()
"""


def writer(path, name, count):
    """A process of its own that fills the cache."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_two_runs_at_once_lose_nothing(tmp_path):
    path = tmp_path / "features.sqlite"
    runs = [writer(path, name, 200) for name in ("one", "two")]
    for run in runs:
        run.communicate(timeout=60)
        assert run.returncode == 0
    with FeatureCache(path) as cache:
        for name in ("one", "two"):
            assert all(cache.get(cache_key(name, str(number))) for number in range(200))


def test_a_kill_leaves_whole_batches(tmp_path):
    path = tmp_path / "features.sqlite"
    run = writer(path, "killed", 10**9)
    reported = [int(run.stdout.readline()) for _ in range(5)][-1]
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    with FeatureCache(path) as cache:
        assert all(cache.get(cache_key("killed", str(number))) for number in range(reported))
        assert cache.trouble is None


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux file size limits")
def test_a_full_disk_costs_the_cache_only(tmp_path):
    script = """
    import resource, signal, sys
    from pathlib import Path
    from ninebrains.training.caching import FeatureCache, cache_key
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    cache = FeatureCache(Path(sys.argv[1]))
    for number in range(100):
        cache.put([(cache_key(str(number)), b"v" * 20_000)])
    print(cache.trouble)
    cache.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "features.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "features are not kept for next time" in done.stdout


@pytest.mark.parametrize("text", ["nonsense", "1e9", "2GiB", "-5"])
def test_a_size_that_is_no_number_is_a_user_s_mistake(tmp_path, monkeypatch, text):
    monkeypatch.setenv("NINEBRAINS_CACHE_BYTES", text)
    with pytest.raises(OutputError, match="number of bytes"):
        FeatureCache(tmp_path / "features.sqlite")
