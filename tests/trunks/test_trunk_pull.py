import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

import ninebrains
from ninebrains.errors import OutputError, TrunkError
from ninebrains.trunks import (
    CATALOG,
    HubFile,
    InputOverrides,
    ListedTrunk,
    Patience,
    list_trunks,
    load_trunk,
    pull_trunk,
    summarise,
)
from ninebrains.trunks.hub import Hub
from tests.trunks import hubs, networks

PATH = "someone/small/resolve/" + "a" * 40 + "/onnx/model.onnx"
CLEAR = {
    "size": (16, 16),
    "fit": "pad",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.25, 0.25, 0.25),
    "layout": "nchw",
    "color": "bgr",
}
QUICK = Patience(stall_s=20.0, tries=3, backoff_s=0.0, longest_wait_s=5.0)
NERVOUS = replace(QUICK, stall_s=1.0, tries=5)
DOCS = Path(__file__).parents[2] / "docs/trunks.md"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def model():
    return networks.torchvision().model().SerializeToString()


@pytest.fixture
def servers(model):
    with hubs.serving({PATH: model}) as running:
        yield running


@pytest.fixture
def entry(model):
    """A listed trunk whose digest is known."""
    file = HubFile("onnx/model.onnx", hashlib.sha256(model).hexdigest(), len(model))
    return ListedTrunk(
        name="small",
        repo="someone/small",
        revision="a" * 40,
        files=(file,),
        overrides=InputOverrides(size=(16, 16), layout="nchw"),
        params_millions=0.1,
        accuracy=50.0,
        accuracy_kind="top-1, 16 px",
        accuracy_source="nobody",
        licence="Apache-2.0",
        speed="fastest",
        take_it="never",
    )


@pytest.fixture
def unpinned(entry):
    """The same with nothing known but where it is."""
    return replace(entry, files=(HubFile("onnx/model.onnx"),))


def pull(entry, servers, **options):
    return pull_trunk(entry, **{"endpoint": servers.endpoint, "patience": QUICK, **options})


def downloads(home):
    """Files of downloads that are not finished."""
    found = sorted((home / "cache" / "downloads").glob("*/*"))
    return {path.name: path.read_bytes() for path in found}


def asked(requests, name):
    return [handler.headers.get(name) for handler in requests]


def test_a_trunk_is_downloaded_checked_imported_and_nothing_is_left_over(entry, servers, home):
    seen = []
    summary = pull(entry, servers, progress=lambda done, total: seen.append((done, total)))
    assert (summary.name, summary.problem) == ("small", None)
    assert summary.record.source == f"small.onnx sha256:{entry.files[0].sha256}"
    assert load_trunk("small").run(networks.photos(2)).shape == (2, networks.FEATURES)
    size = entry.files[0].size_bytes
    assert seen[-1] == (size, size)
    assert downloads(home) == {}


def test_a_trunk_that_is_here_is_not_asked_for_again_unless_replaced(entry, servers):
    first = pull(entry, servers)
    assert pull(entry, servers) == first
    assert len(servers.hub_requests) == 1
    assert pull(entry, servers, replace=True) == first
    assert len(servers.hub_requests) == 2


def test_a_name_that_is_taken_is_refused_before_anything_is_fetched(entry, servers, stored_trunk):
    with pytest.raises(TrunkError, match=r"another trunk 'small'.*--as NAME.*--replace"):
        pull(entry, servers)
    assert servers.hub_requests == []
    assert pull(entry, servers, name="other").name == "other"
    with pytest.raises(TrunkError, match="cannot be a trunk's name"):
        pull(entry, servers, name="../up")


def test_a_password_in_the_endpoint_is_not_repeated(entry, servers):
    with pytest.raises(TrunkError, match="HF_TOKEN") as caught:
        pull(entry, servers, endpoint="http://me:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


def test_the_embedded_trunk_cannot_be_replaced_by_a_pulled_one(entry, servers):
    with pytest.raises(TrunkError, match="'octo' comes with Ninebrains"):
        pull(entry, servers, name="octo", replace=True)
    assert servers.hub_requests == []


def test_a_damaged_trunk_is_mended_by_pulling_it_again(entry, servers, home):
    pull(entry, servers)
    next((home / "data" / "weights").glob("[0-9a-f]*")).unlink()
    assert pull(entry, servers).problem is None


def test_external_data_comes_along(tmp_path, entry):
    path = tmp_path / "model.onnx"
    onnx.save(
        networks.torchvision().model(),
        path,
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )
    both = {name: (tmp_path / name).read_bytes() for name in ("model.onnx", "model.onnx_data")}
    entry = replace(entry, files=tuple(HubFile(f"onnx/{name}") for name in both))
    folder = PATH.removesuffix("model.onnx")
    with hubs.serving({folder + name: data for name, data in both.items()}) as servers:
        assert pull(entry, servers).problem is None
        assert len(servers.cdn_requests) == 2
        del servers.files[folder + "model.onnx_data"]
        with pytest.raises(
            TrunkError, match=r"model\.onnx and \S*model\.onnx_data on another machine"
        ):
            pull(entry, servers, name="second")


def test_a_cut_download_goes_on_where_it_was_cut(unpinned, servers):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers)]
    assert pull(unpinned, servers).problem is None
    assert asked(servers.cdn_requests, "Range") == [None, f"bytes={hubs.STEP}-"]
    assert asked(servers.cdn_requests, "If-Range")[1] == hubs.etag(servers.files[PATH])


def test_what_has_arrived_outlasts_a_pull_that_gives_up(entry, servers, home):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers), *[hubs.status(503)] * 2]
    with pytest.raises(TrunkError, match=r"503.*busy.*Tried 3 times.*goes on from there"):
        pull(entry, servers)
    assert len(downloads(home)["small.onnx.part"]) == hubs.STEP
    pull(entry, servers)
    assert asked(servers.cdn_requests, "Range")[-1] == f"bytes={hubs.STEP}-"


def test_a_server_that_cannot_go_on_sends_the_whole_again(entry, servers, model):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers), hubs.sends(model)]
    assert pull(entry, servers).problem is None


def test_a_file_that_changed_in_between_is_begun_anew(unpinned, servers, home):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers), *[hubs.status(503)] * 2]
    with pytest.raises(TrunkError, match="503"):
        pull(unpinned, servers)
    servers.files[PATH] = networks.torchvision(opset=15).model().SerializeToString()
    # Even a server that ignores If-Range cannot make one file out of two.
    servers.cdn_faults = [
        lambda handler: hubs.answer(
            handler,
            206,
            servers.files[PATH][hubs.STEP :],
            **{
                "Content-Range": f"bytes {hubs.STEP}-{len(servers.files[PATH]) - 1}/"
                f"{len(servers.files[PATH])}"
            },
        )
    ]
    digest = hashlib.sha256(servers.files[PATH]).hexdigest()
    assert pull(unpinned, servers).record.source.endswith(digest)


@pytest.mark.parametrize(
    "wrong",
    ["bytes 0-9/10", "bytes 7-9/10", "items 1-2/3", ""],
    ids=["elsewhere", "nearby", "no bytes", "nothing"],
)
def test_a_server_that_goes_on_at_another_place_is_not_believed(entry, servers, wrong):
    servers.cdn_faults = [
        hubs.begins_with(hubs.STEP, servers),
        lambda handler: hubs.answer(handler, 206, b"x" * 10, **{"Content-Range": wrong}),
    ]
    assert pull(entry, servers).problem is None
    assert asked(servers.cdn_requests, "Range")[-1] is None


def test_a_part_longer_than_the_file_is_begun_anew(entry, servers, home):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers), hubs.status(416)]
    assert pull(entry, servers).problem is None
    assert len(servers.cdn_requests) == 3


@pytest.mark.parametrize("damage", ["{", "[1]", '{"url": 3, "size_bytes": "x"}', '{"other": 1}'])
def test_a_damaged_note_beside_a_part_only_costs_the_part(entry, servers, home, damage):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers), *[hubs.status(503)] * 2]
    with pytest.raises(TrunkError):
        pull(entry, servers)
    next((home / "cache" / "downloads").glob("*/*.json")).write_text(damage)
    assert pull(entry, servers).problem is None


@pytest.mark.parametrize("is_pinned", [True, False], ids=["listed digest", "the hub's digest"])
def test_a_damaged_file_is_dropped_and_named(entry, unpinned, servers, home, model, is_pinned):
    damaged = model[:500] + bytes([model[500] ^ 1]) + model[501:]
    servers.cdn_faults = [hubs.sends(damaged)]
    with pytest.raises(TrunkError, match=r"damaged: its SHA-256 is .*, expected .*deleted"):
        pull(entry if is_pinned else unpinned, servers)
    assert downloads(home) == {}
    assert "small" not in [trunk.name for trunk in list_trunks()]


def test_a_file_other_than_the_listed_one_is_refused_before_it_is_fetched(entry, servers, home):
    servers.files[PATH] += b"more"
    with pytest.raises(TrunkError, match=r"has the SHA-256 .*; expected .*another file"):
        pull(entry, servers)
    servers.states_digest = False
    with pytest.raises(TrunkError, match=r"has a size in bytes of \d+; expected \d+"):
        pull(entry, servers)
    assert downloads(home) == {}


def test_without_any_digest_the_size_decides(unpinned, servers):
    servers.states_digest = False
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers)] * 3
    with pytest.raises(TrunkError, match=r"the connection ended after 1,000 of [\d,]+ bytes"):
        pull(replace(unpinned), servers)
    servers.cdn_faults = []
    assert pull(unpinned, servers).problem is None


def test_a_length_that_lies_is_noticed(unpinned, servers, model):
    servers.cdn_faults = [hubs.sends(model, **{"Content-Length": str(len(model) - 9)})]
    with pytest.raises(TrunkError, match=r"has a size in bytes of \d+; expected \d+"):
        pull(unpinned, servers)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"\x08" * 65536)


def test_an_endless_body_ends_at_the_announced_size_or_the_limit(unpinned, servers, home):
    servers.cdn_faults = [endless]
    with pytest.raises(TrunkError, match=r"sends more than the [\d,]+ bytes that were expected"):
        pull(unpinned, servers)
    servers.hub_faults = [endless]  # without a word about the size
    with pytest.raises(TrunkError, match=r"sends more than the 300,000 bytes"):
        pull(unpinned, servers, patience=replace(QUICK, largest_bytes=300_000))
    assert downloads(home) == {}


def test_a_file_over_the_limit_or_larger_than_the_disk_is_not_begun(unpinned, servers):
    servers.stated_size = 2**50
    servers.cdn_faults = [endless, endless]
    with pytest.raises(TrunkError, match="the limit is 1,073,741,824"):
        pull(unpinned, servers)
    with pytest.raises(OutputError, match=r"bytes free; 1,125,899,906,842,624 more are needed"):
        pull(unpinned, servers, patience=replace(QUICK, largest_bytes=2**60))


def silence(servers):
    return lambda _handler, _rest: servers.go_on.wait(60)


def trickle(handler, rest):
    for byte in rest:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def test_a_server_that_falls_silent_is_left_and_asked_again(entry, servers):
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers, silence(servers))]
    assert pull(entry, servers, patience=NERVOUS).problem is None
    assert asked(servers.cdn_requests, "Range")[:2] == [None, f"bytes={hubs.STEP}-"]
    servers.hub_faults = [lambda _handler: servers.go_on.wait(60)]
    assert pull(entry, servers, replace=True, patience=NERVOUS).problem is None


def test_a_server_that_trickles_is_given_up(entry, servers):
    servers.cdn_faults = [hubs.begins_with(10, servers, trickle)]
    with pytest.raises(TrunkError, match=r"only \d+ bytes came in .* seconds\. Tried 1 times"):
        pull(entry, servers, patience=replace(NERVOUS, tries=1))


PATIENT_S = 20  # how long a server that never ends goes on, for a client that would never leave


def for_long(*pieces, pause_s=0.0):
    """A fault: the first pieces, then the last one again and again."""

    def fault(handler):
        handler.wfile.write(b"".join(pieces[:-1]))
        until = time.monotonic() + PATIENT_S
        while time.monotonic() < until:
            handler.wfile.write(pieces[-1])
            time.sleep(pause_s)

    return fault


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (for_long(b"HTTP/1.1 100 Continue\r\n\r\n"), "did not answer: timed out"),
        (for_long(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", pause_s=0.1), "did not answer: timed out"),
        (
            for_long(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: a\r\n"),
            "nothing of the file came for 0.5 seconds after 0 bytes",
        ),
        (
            for_long(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a", pause_s=0.1),
            "nothing of the file came for 0.5 seconds after 0 bytes",
        ),
    ],
    ids=["100s", "a slow head", "trailers", "a slow chunk"],
)
def test_a_server_that_talks_without_end_is_left(unpinned, servers, fault, message):
    servers.hub_faults = [fault]
    with pytest.raises(TrunkError, match=message):
        pull(unpinned, servers, patience=Patience(stall_s=0.5, tries=1))


def location(text):
    return hubs.status(302, Location=text)


def head(*lines):
    """A fault: an answer with these lines."""
    return lambda handler: handler.wfile.write(b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b"")))


REFUSALS = {
    "no such file": (hubs.status(404), r"404: there is no such file"),
    "no token": (hubs.status(401), r"401: .*account.*HF_TOKEN"),
    "gated": (hubs.status(403), r"403: .*accepting the terms"),
    "not understood": (hubs.status(400), r"400; expected the file"),
    "a web page": (hubs.sends(b"<html>", **{"Content-Type": "text/html; charset=utf-8"}), "page"),
    "a page in disguise": (hubs.sends(b"\n <!DOCTYPE html>"), "expected an ONNX file"),
    "a pointer": (hubs.sends(b"version https://git-lfs.github.com/spec/v1\n"), "LFS pointer"),
    "packed": (hubs.sends(b"x", **{"Content-Encoding": "gzip"}), "packed as 'gzip'"),
    "a long pause": (hubs.status(429, **{"Retry-After": "3600"}), r"in 3,600 seconds"),
    "a date far away": (
        hubs.status(503, **{"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        r"come back in [\d,]+ seconds",
    ),
    "a circle": (lambda handler: hubs.answer(handler, 302, Location=handler.path), "redirects"),
    "a file of this machine": (hubs.status(302, Location="file:///etc/passwd"), "redirects to"),
    "a port that is none": (hubs.status(302, Location="http://x:99999999/"), "redirects to"),
    "nowhere": (hubs.status(302), "redirects to None"),
    "an empty label": (location("http://a..b/"), r"redirects to 'http://a\.\.b/'"),
    "a long label": (location(f"http://{'a' * 70}.x/"), "redirects to 'http://aaaa"),
    "control characters": (location("http://x/\x01"), r"redirects to 'http://x/\\x01'"),
    "a host with a blank": (location("http://127.0.0.1%20x/"), "cannot be asked"),
    "a head too long": (head(b"X-A: " + b"a" * 70_000), "cannot be read: got more than 65536"),
    "too many lines": (head(*[b"X-A: a"] * 200), "cannot be read: got more than 100 headers"),
    "another HTTP": (lambda handler: handler.wfile.write(b"HTTP/3 200 OK\r\n"), "cannot be read"),
    "a size without end": (
        hubs.sends(b"x", **{"X-Linked-Size": "9" * 5000}),
        r"a size of 5,000 digits \(9{18}\.\.\.\)",
    ),
    "a page with a mark": (hubs.sends(b"\xef\xbb\xbf<!doctype html>"), "a web page.*not kept"),
    "a page in UTF-16": (hubs.sends("<html>".encode("utf-16")), "a web page.*not kept"),
    "JSON": (hubs.sends(b'{"error": "not today"}'), "in JSON.*not today.*not kept"),
    "packed in silence": (hubs.sends(b"\x1f\x8b\x08" + b"x" * 99), "gzip.*not kept"),
    "no HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0\r\n"), "did not answer.*3 times"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_explained_with_the_way_to_do_without(unpinned, servers, home, case):
    fault, message = REFUSALS[case]
    servers.hub_faults = [fault] * 7
    advice = "trunk add model.onnx --name small"
    with pytest.raises(TrunkError, match=rf"(?s){message}.*{advice}") as raised:
        pull(unpinned, servers)
    said = str(raised.value)
    assert ("Tried" in said) == ("times" in message)  # what another try cannot mend ends at once
    assert "goes on from there" not in said
    assert not any(downloads(home).values())
    servers.hub_faults = []
    assert pull(unpinned, servers).problem is None


def test_a_page_whose_first_byte_comes_alone_is_known_by_the_next(unpinned, servers, home):
    def fault(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for byte in b"\xef\xbb\xbf <html>":
            handler.wfile.write(bytes([byte]))
            time.sleep(0.005)

    servers.hub_faults = [fault]
    with pytest.raises(TrunkError, match="a web page"):
        pull(unpinned, servers)
    assert downloads(home) == {}


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"\xfc"'])
def test_a_part_that_cannot_be_gone_on_from_is_not_promised_to_be(unpinned, servers, home, etag):
    servers.states_digest = False

    def fault(handler):
        data = servers.content(handler)
        length = b"Content-Length: %d" % len(data)
        head(length, *([b"ETag: " + etag.encode("latin-1")] if etag else []))(handler)
        handler.wfile.write(data[: hubs.STEP])

    servers.cdn_faults = [fault] * 3
    with pytest.raises(TrunkError, match=r"ended after 1,000 .*Tried 3 times.*begins anew"):
        pull(unpinned, servers)
    assert pull(unpinned, servers).problem is None
    assert asked(servers.cdn_requests, "Range") == [None] * 4


def test_a_redirect_with_letters_outside_ascii_is_followed(entry, servers, model):
    servers.files[f"{PATH}?name=\xfc"] = model
    servers.hub_faults = [
        location(f"{servers.endpoint}/{PATH}?name=" + "ü".encode().decode("latin-1"))
    ]
    assert pull(entry, servers).problem is None
    assert servers.hub_requests[-1].path.endswith("?name=%C3%BC")


@pytest.mark.parametrize(
    "after",
    [
        "0",
        "",
        "soon",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Thu, 99999999999999999999 Jan 2026 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_a_busy_hub_is_asked_again(entry, servers, after):
    servers.hub_faults = [hubs.status(429, **{"Retry-After": after}), hubs.status(502)]
    assert pull(entry, servers).problem is None
    assert len(servers.hub_requests) == 3


@pytest.fixture
def certificate(servers, tmp_path):
    """The servers speak https; return the file with the certificate to trust."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    key, path = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", path], check=True, capture_output=True)
    servers.speak_https(path, key)
    return str(path)


def test_the_token_is_shown_to_the_hub_alone(entry, servers, monkeypatch, certificate):
    monkeypatch.setenv("HF_TOKEN", " hf_secret\n")
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    servers.files[f"{PATH}?moved=1"] = servers.files[PATH]
    servers.hub_faults = [hubs.status(307, Location=f"{servers.endpoint}/{PATH}?moved=1")]
    pull(entry, servers)
    assert asked(servers.hub_requests, "Authorization") == ["Bearer hf_secret"] * 2
    assert asked(servers.cdn_requests, "Authorization") == [None]
    assert "hf_secret" not in repr(Hub(token="hf_secret"))


def test_the_token_does_not_travel_in_the_clear(entry, servers, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(entry, servers)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", servers.endpoint)
    with pytest.raises(TrunkError, match="404"):
        pull(entry, servers, replace=True, endpoint="http://localhost:9")
    assert servers.hub_requests[-1].path.startswith("http://localhost:9/")
    assert asked(servers.hub_requests, "Authorization") == [None, None]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"HF_TOKEN": "two words"}, "HF_TOKEN holds spaces"),
        ({"HF_TOKEN": "a\r\nHost: b"}, "HF_TOKEN holds spaces"),
        ({"HF_ENDPOINT": "hub.example"}, "endpoint is 'hub.example'"),
        ({"HF_ENDPOINT": "file:///etc"}, "expected an address such as https://"),
        ({"HF_ENDPOINT": "http://user:secret@127.0.0.1"}, "expected an address"),
        ({"HF_ENDPOINT": "http://127.0.0.1:99999"}, "expected an address"),
        ({"HF_ENDPOINT": "http://[::1"}, "expected an address"),
        ({"HF_ENDPOINT": "http://a..b"}, r"(?s)endpoint is 'http://a\.\.b'.*trunk add"),
        ({"HF_ENDPOINT": "http://x/ü"}, "(?s)endpoint is 'http://x/ü'.*trunk add"),
        ({"HF_ENDPOINT": f"http://{'a' * 70}"}, "(?s)endpoint is 'http://aaaa.*trunk add"),
        (
            {"HF_ENDPOINT": "https://x.invalid", "https_proxy": "http://a..b", "no_proxy": ""},
            r"(?s)https://x\.invalid through the proxy 'a\.\.b' cannot be asked.*trunk add",
        ),
        (
            {"http_proxy": "http://127.0.0.1:notaport", "no_proxy": ""},
            "(?s)through the proxy '127.0.0.1:notaport' cannot be asked.*trunk add",
        ),
        ({"HF_HUB_OFFLINE": "1"}, "(?s)HF_HUB_OFFLINE=1 forbids.*trunk add"),
        ({"TRANSFORMERS_OFFLINE": "yes"}, "(?s)TRANSFORMERS_OFFLINE=yes forbids.*trunk add"),
    ],
)
def test_the_environment_is_respected(entry, servers, monkeypatch, variables, message):
    monkeypatch.setenv("HF_ENDPOINT", servers.endpoint)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrunkError, match=message) as raised:
        pull(entry, servers, endpoint=None)
    assert "Tried" not in str(raised.value)
    assert servers.hub_requests == []


def test_the_endpoint_variable_is_used_and_an_argument_goes_before_it(entry, servers, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", servers.endpoint + "/")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert pull(entry, servers, endpoint=None).problem is None
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert pull(entry, servers, replace=True).problem is None


def test_without_network_one_is_told_at_once_how_to_do_without(entry, servers, home):
    servers.close()
    with pytest.raises(TrunkError) as raised:
        pull(entry, servers, patience=replace(QUICK, backoff_s=100, longest_wait_s=1000))
    message = str(raised.value)
    assert f"cannot reach {servers.endpoint}: Connection refused" in message
    assert f"{servers.endpoint}/{PATH} on another machine" in message
    assert "trunk add model.onnx --name small --size 16x16 --layout nchw`" in message


def test_the_advice_to_fetch_by_hand_works(
    entry, servers, tmp_path, monkeypatch, ninebrains, model
):
    entry = replace(entry, overrides=InputOverrides(**CLEAR))
    servers.close()
    with pytest.raises(TrunkError) as raised:
        pull(entry, servers)
    command = str(raised.value).split("`")[1].split()
    (tmp_path / "model.onnx").write_bytes(model)
    ninebrains(*command[1:], cwd=tmp_path)
    assert load_trunk("small").contract.fit == "pad"


def test_a_hub_with_a_wrong_certificate_or_a_way_out_of_https_is_refused(
    entry, servers, monkeypatch, certificate
):
    with pytest.raises(TrunkError, match=r"cannot prove who it is: self.signed.*SSL_CERT_FILE"):
        pull(entry, servers)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    in_the_clear = servers.endpoint.replace("https:", "http:")
    servers.hub_faults = [location(f"{in_the_clear}/{PATH}")]
    with pytest.raises(TrunkError, match=r"redirects to 'http://.*expected an address with https"):
        pull(entry, servers)
    assert len(servers.hub_requests) == 1
    assert pull(entry, servers).problem is None


def test_a_file_that_is_no_trunk_is_kept_for_another_try(entry, home):
    data = networks.Net(17, "pytorch").model("x").SerializeToString()
    file = HubFile("onnx/model.onnx", hashlib.sha256(data).hexdigest())
    entry = replace(entry, files=(file,))
    with hubs.serving({PATH: data}) as servers:
        for _ in range(2):
            with pytest.raises(TrunkError, match=r"The file is kept at .*small\.onnx\.$"):
                pull(entry, servers)
        assert len(servers.hub_requests) == 1
    assert downloads(home) == {"small.onnx": data}


LISTED = next(entry for entry in CATALOG if not entry.is_pinned)


@pytest.fixture
def hub_of_the_list():
    """The public hub's address of a listed trunk, with a small network behind it."""
    net = networks.torchvision(shape=("N", 3, "height", "width"))
    key = f"{LISTED.repo}/resolve/{LISTED.revision}/{LISTED.files[0].path}"
    with hubs.serving({key: net.model().SerializeToString()}) as running:
        yield running


def environment(servers):
    return {**os.environ, "HF_ENDPOINT": servers.endpoint}


def test_the_command_pulls_and_shows_the_trunk(hub_of_the_list, ninebrains):
    command = ("trunk", "pull", LISTED.name, "--as", "mine", "--json")
    done = ninebrains(*command, "--endpoint", hub_of_the_list.endpoint)
    known = json.loads(done.out)
    assert (known["name"], known["num_features"]) == ("mine", networks.FEATURES)
    assert done.err == ""
    again = ninebrains(
        "trunk", "pull", LISTED.name, "--as", "mine", env=environment(hub_of_the_list)
    )
    assert "224x224 pixels, crop" in again.out
    assert len(hub_of_the_list.hub_requests) == 1


def test_a_killed_pull_goes_on_at_the_next(hub_of_the_list, ninebrains, home):
    servers = hub_of_the_list
    servers.cdn_faults = [hubs.begins_with(hubs.STEP, servers, silence(servers))]
    command = [sys.executable, "-m", "ninebrains.cli", "trunk", "pull", LISTED.name]
    process = subprocess.Popen(command, env=environment(servers), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(len(data) == hubs.STEP for data in downloads(home).values()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    ninebrains("trunk", "pull", LISTED.name, env=environment(servers))
    assert asked(servers.cdn_requests, "Range") == [None, f"bytes={hubs.STEP}-"]


def test_two_pulls_at_once_download_once_and_both_succeed(hub_of_the_list):
    servers = hub_of_the_list
    command = [sys.executable, "-m", "ninebrains.cli", "trunk", "pull", LISTED.name]
    processes = [subprocess.Popen(command, env=environment(servers)) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(servers.cdn_requests) == 1
    assert summarise(LISTED.name).problem is None


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix can")
def test_a_full_disk_is_named_and_the_pull_goes_on_when_there_is_room(entry, servers, home):
    code = (
        "import resource, sys\n"
        "from ninebrains.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({hubs.STEP}, {hubs.STEP}))\n"
        f"sys.argv = ['ninebrains', 'trunk', 'pull', '{LISTED.name}']\n"
        "main()\n"
    )
    net = networks.torchvision(shape=("N", 3, "height", "width")).model().SerializeToString()
    servers.files[f"{LISTED.repo}/resolve/{LISTED.revision}/{LISTED.files[0].path}"] = net
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(servers), capture_output=True, check=False)
    assert done.returncode == 2
    assert b"could not write" in done.stderr
    assert b"Free some space" in done.stderr
    pull_trunk(LISTED.name, endpoint=servers.endpoint)
    assert asked(servers.cdn_requests, "Range") == [None, f"bytes={hubs.STEP}-"]


def test_the_list_needs_no_network_and_shows_what_a_choice_needs(ninebrains, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    shown = ninebrains("trunk", "pull", "--list").out
    listed = json.loads(ninebrains("trunk", "pull", "--list", "--json").out)
    assert len(listed) == len(CATALOG)
    for line, entry in zip(shown.splitlines()[1:], listed, strict=True):
        for part in (entry["name"], entry["speed"], entry["licence"], f"{entry['accuracy']:.1f}"):
            assert part in line
    assert "which trunk?" in ninebrains("trunk", "pull", check=2).err
    with pytest.raises(TrunkError, match=r"Did you mean dinov2_small\?"):
        pull_trunk("dinov2-small")


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.name)
def test_every_listed_trunk_is_pinned_to_a_commit_and_says_how_it_is_fed(entry):
    assert [other.name for other in CATALOG].count(entry.name) == 1
    assert len(bytes.fromhex(entry.revision)) == 20
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in entry.files if file.sha256)
    assert entry.overrides.size is not None
    assert entry.overrides.mean is not None
    assert entry.overrides.layout is not None
    assert abs(entry.megabytes - 4 * entry.params_millions) < 0.1 * entry.megabytes
    assert 50 < entry.accuracy < 95
    assert entry.accuracy_source
    assert entry.licence


def test_the_table_in_the_docs_is_the_list():
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    expected = [
        f"| `{entry.name}` | {'' if entry.files[0].size_bytes else '≈ '}{entry.megabytes:.0f} MB | "
        f"{entry.speed} | {entry.accuracy:.1f} % ({entry.accuracy_kind}) | {entry.licence} | "
        f"{'yes' if entry.is_pinned else 'no'} | {entry.take_it} |"
        for entry in CATALOG
    ]
    assert rows == expected


def test_nothing_but_the_command_pulls():
    package = Path(ninebrains.__file__).parent
    users = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "pull_trunk" in path.read_text()
    }
    assert users == {"cli/pull.py", "trunks/__init__.py", "trunks/pulling.py"}
    clients = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(name in path.read_text() for name in ("urllib.request", "urllib import request"))
    }
    assert clients == {"trunks/connecting.py"}
