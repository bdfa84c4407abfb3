"""The server that a web export is tried with."""

import http.client
from urllib.parse import urlsplit

import pytest

from ninebrains.errors import OutputError
from ninebrains.exporting.web.serving import make_server, serving


@pytest.fixture
def folder(tmp_path):
    site = tmp_path / "site"
    (site / "app").mkdir(parents=True)
    (site / "index.html").write_text("<title>here</title>")
    for name in ("app/main.mjs", "manifest.webmanifest", "x.wasm", "x.wasm.gz", ".hidden"):
        (site / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(tmp_path / "secret.txt")
    return site


@pytest.fixture
def ask(folder):
    with serving(make_server(folder)) as url:
        address = urlsplit(url)

        def ask(path, method="GET"):
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer, body

        yield ask


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?x=1", "text/html; charset=utf-8"),
        ("/app/main.mjs", "text/javascript; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/x.wasm", "application/wasm"),
        ("/x.wasm.gz", "application/gzip"),
    ],
)
def test_files_come_with_their_type_and_isolated(ask, path, kind):
    answer, body = ask(path)
    assert answer.status == 200
    assert body
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/app/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/link.txt",
        "/.hidden",
        "/app",
        "/app/",
        "/nothing",
        "/%00",
        "/" + "a" * 5000,
    ],
)
def test_nothing_else_is_given(ask, path):
    answer, body = ask(path)
    assert answer.status == 404
    assert body == b"not found\n"


def test_heads_are_without_bodies_and_other_methods_are_refused(ask):
    answer, body = ask("/index.html", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    assert ask("/index.html", "POST")[0].status == 501


def test_it_is_bound_to_loopback(folder):
    with serving(make_server(folder)) as url:
        assert urlsplit(url).hostname == "127.0.0.1"


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"no index\.html"):
        make_server(tmp_path)


def test_a_taken_port_is_told(folder):
    server = make_server(folder)
    with serving(server), pytest.raises(OutputError, match="Choose another port"):
        make_server(folder, port=server.server_address[1])
