"""What goes wrong at a host is told by the same classes as here."""

import asyncio
import builtins
import hashlib
import io
import subprocess

import numpy as np
import pytest

import ninebrains as nb
from tests.connecting.misbehaving import misbehaving
from tests.making import jpeg
from tests.serving.making import free_port, repository, running, started

SECRETS = {name: f"nb_{name * 43}"[:46] for name in ("a", "b")}


@pytest.mark.parametrize(
    ("photo", "brains", "options", "kind"),
    [
        (b"no photo", "pets", {}, nb.PhotoError),
        (b"", "pets", {}, nb.PhotoError),
        ("no/such/photo.jpg", "pets", {}, nb.PhotoError),
        (np.zeros((3, 3), np.float32), "pets", {}, nb.PhotoError),
        (7, "pets", {}, nb.PhotoError),
        (io.BytesIO(), "pets", {}, nb.PhotoError),
        (None, "cars", {}, nb.MissingError),
        (None, "pets@9", {}, nb.MissingError),
        (None, ["pets", "pets,many"], {}, nb.RequestError),
        (None, [], {}, nb.RequestError),
        (None, "", {}, nb.RequestError),
        (None, "pets", {"deadline_ms": 1e9}, nb.RequestError),
        (None, "pets", {"priority": "soon"}, nb.RequestError),
        (None, "pets", {"on_error": "yield"}, nb.RequestError),
        (None, "pets", {"user": "x" * 300}, nb.RequestError),
        (None, "pets", {"user": "line\nbreak"}, nb.RequestError),
        (None, "pets", {"deadline_ms": 0.001}, nb.DeadlineError),
    ],
)
def test_mistakes(host, photo, brains, options, kind):
    content = jpeg("cat", 1) if photo is None else photo
    with pytest.raises(nb.NinebrainsError) as told:
        host.run(content, brains, **options)
    assert type(told.value) is kind


def test_one_brain_that_is_missing_among_others(host):
    with pytest.raises(nb.MissingError, match="cars"):
        host.run(jpeg("cat", 1), ["pets", "cars"])
    with pytest.raises(nb.MissingError, match="cars"):
        host.get("cars")
    with pytest.raises(nb.MissingError):
        host.get("../admin")


def test_streams_that_are_none(host):
    for photos in (b"one photo", "cat.jpg", 7):
        with pytest.raises(nb.PhotoError, match="run_many got one"):
            host.run_many(photos)
    with pytest.raises(nb.RequestError):
        host.run_many([], on_error="keep")


@pytest.mark.parametrize("said", [{}, {"rank": 1, "none": True}, {"rank": 0}, {"rank": 9}])
def test_feedback_that_makes_no_sense(host, said):
    answer = host.run(jpeg("cat", 1), "pets")["pets"]
    with pytest.raises((nb.RequestError, nb.MissingError)):
        host.feedback(answer, **said)


def test_feedback_on_what_no_host_answered(host, tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    local = nb.load(models / "pets/1.brain").run(jpeg("cat", 1))
    for answer in (local, None, host.run(jpeg("cat", 1))):
        with pytest.raises(nb.RequestError, match="prediction_id"):
            host.feedback(answer, rank=1)


def test_feedback_on_nothing(host):
    with pytest.raises((nb.MissingError, nb.RequestError)):
        host.feedback("what", rank=1)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://localhost",
        "http://",
        "http://user:secret@host",
        "http://host?x=1",
        "http://host:99999",
        "",
        None,
        "http://[::1",
    ],
)
def test_addresses_that_are_none(url):
    with pytest.raises(nb.HostError, match="http://localhost:8000") as told:
        nb.connect(url)
    assert "secret" not in str(told.value)


def test_a_scheme_that_is_none_is_named():
    with pytest.raises(nb.HostError, match="'ftp'"):
        nb.connect("ftp://localhost")


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ключ", 7])
def test_keys_that_are_none_are_not_told(key):
    with pytest.raises(nb.AccessError) as told:
        nb.connect("http://localhost", key)
    assert str(key) not in str(told.value) or not str(key)


def test_settings_that_make_no_sense(tmp_path):
    for options in ({"timeout": 0}, {"retries": -1}, {"at_once": 0}, {"user": " x"}):
        with pytest.raises(nb.RequestError):
            nb.connect("http://localhost", **options)
    with pytest.raises(nb.HostError, match="PEM"):
        nb.connect("http://localhost", authority=tmp_path / "none.pem")


def test_a_host_whose_name_nobody_knows_is_not_tried_again():
    with (
        nb.connect("http://host.invalid", retries=1000) as host,
        pytest.raises(nb.HostError, match=r"host\.invalid"),
    ):
        assert host.names


def test_after_closing(serving):
    host = nb.connect(str(serving))
    assert host.names
    host.close()
    host.close()
    for ask in (lambda: host.names, lambda: host.submit(b"x"), lambda: host.run(b"x")):
        with pytest.raises(nb.ClosedError, match="closed"):
            ask()
    with pytest.raises(nb.ClosedError):
        asyncio.run(host.answer(b"x"))


def test_without_httpx_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "httpx":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(nb.ExtraError, match=r"pip install 'ninebrains\[client\]'"):
        nb.connect("http://localhost:8000")


def test_keys_open_what_they_are_for(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    keys = {
        name: {"sha256": hashlib.sha256(SECRETS[name].encode()).hexdigest(), "scopes": [scope]}
        for name, scope in (("a", "infer"), ("b", "feedback"))
    }
    photo = jpeg("cat", 1)
    settings = {"sources": [models], "state": tmp_path / "state", "keys": keys, "public": []}
    with running(settings) as server:
        with nb.connect(str(server), SECRETS["a"]) as asking:
            answer = asking.run(photo)["pets"]
            with pytest.raises(nb.AccessError) as told:
                asking.feedback(answer, none=True)
            assert told.value.is_known
        with nb.connect(str(server), SECRETS["b"]) as telling:
            telling.feedback(answer, none=True)
            with pytest.raises(nb.AccessError):
                telling.run(photo)
        for key in (None, "nb_" + "c" * 43):
            with nb.connect(str(server), key) as stranger:
                with pytest.raises(nb.AccessError) as told:
                    stranger.run(photo)
                assert not told.value.is_known
                assert "ccc" not in str(told.value)
                assert "ccc" not in repr(stranger)


def test_a_host_that_ends_and_begins_again(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    settings = {"sources": [models], "state": tmp_path / "state", "port": free_port()}
    photo = jpeg("cat", 1)
    with nb.connect(f"http://127.0.0.1:{settings['port']}", retries=60) as host:
        with running(settings):
            before = host.run(photo)["pets"]
        # Another brain stands under the same number when it is back.
        new = repository(tmp_path / "new", {"pets": [1]}) / "pets/1.brain"
        named = nb.load(new).rename_label("cat", "lynx").rename_label("sofa", "couch")
        named.save(tmp_path / "other.brain").replace(models / "pets/1.brain")
        with started(settings):
            after = host.run(photo)["pets"]  # asked before it is ready
            host.feedback(before, none=True)
    assert (before.version, after.version) == (1, 1)
    np.testing.assert_allclose(before.answers, after.answers, rtol=1e-5)
    assert (before.top.label, after.top.label) in [("cat", "lynx"), ("sofa", "couch")]
    assert before.top.label_id == after.top.label_id


def test_a_proxy_is_for_other_machines(monkeypatch):
    with misbehaving() as proxy, misbehaving() as here:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        with nb.connect(here.url) as host:
            assert host.run(b"photo", "pets")["pets"].answer == "dog"
        assert (len(here.requests), len(proxy.requests)) == (1, 0)
        with nb.connect("http://host.invalid") as host:
            assert host.run(b"photo", "pets")["pets"].answer == "dog"
        assert (len(here.requests), len(proxy.requests)) == (1, 1)


def test_certificates_are_checked(tmp_path):
    certificate, key = tmp_path / "host.pem", tmp_path / "host.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    models = repository(tmp_path / "models", {"pets": [1]})
    tls = {"certificate": certificate, "key": key}
    with running({"sources": [models], "state": tmp_path / "state", "tls": tls}) as server:
        assert server.url.startswith("https://")
        with nb.connect(server.url, authority=certificate) as host:
            assert host.names == ("pets",)
        # Not tried again: it would end in the same way.
        with (
            nb.connect(server.url, retries=1000) as host,
            pytest.raises(nb.HostError, match=r"(?i)certificate.*authority="),
        ):
            assert host.names
        plain = server.url.replace("https", "http")
        with (
            nb.connect(plain, retries=0) as host,
            pytest.raises(nb.HostError, match="https://"),
        ):
            assert host.names


def test_a_host_without_tls_is_told_from_one_with(serving):
    with (
        nb.connect(str(serving).replace("http", "https"), retries=1000) as host,
        pytest.raises(nb.HostError, match="begins with http://"),
    ):
        assert host.names
