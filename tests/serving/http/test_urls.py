"""Photos by their address: from hosts that are allowed, over addresses that are checked."""

import asyncio
import ipaddress
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ninebrains.errors import NinebrainsError, PhotoError, RequestError
from ninebrains.serving.http.urls import Fetcher, is_public
from ninebrains.serving.settings import Urls
from tests.serving.http.conftest import jpeg

PHOTO = jpeg()


class Handler(BaseHTTPRequestHandler):
    """Paths say what is to happen."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"], self.headers.get("Cookie")))
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.send_header("Set-Cookie", "a=b; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass
        elif path == "/slow":
            time.sleep(3)
        else:
            status = 404 if path == "/missing" else 200
            self.send_response(status)
            if path == "/packed":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(PHOTO)))
            self.end_headers()
            self.wfile.write(PHOTO)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def names(monkeypatch):
    """Names that lead to addresses, in place of the network's."""
    known = {}

    async def getaddrinfo(_loop, host, port, **_options):
        if host not in known:
            raise socket.gaierror(8, "no such name")
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in known[host]]

    asked = known["asked"] = []
    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


def any_address(_address):
    return True


def fetch(url, hosts=("photos.example.org",), may_reach=any_address, **limits):
    fetcher = Fetcher(Urls(hosts=hosts, **limits), may_reach)
    return asyncio.run(fetcher.fetch(url))


@pytest.fixture
def site(server, names):
    """Where the server is, by an allowed name."""
    names["photos.example.org"] = ["127.0.0.1"]
    return f"http://photos.example.org:{server.server_port}"


def test_a_photo_comes_from_an_allowed_host_by_its_own_name(site, server):
    assert fetch(f"{site}/cat.jpg?size=2") == PHOTO
    ((path, host, _cookie),) = server.asked
    assert path == "/cat.jpg?size=2"
    assert f"http://{host}" == site


@pytest.mark.parametrize(
    ("host", "hosts", "is_allowed"),
    [
        ("example.org", ("example.org",), True),
        ("EXAMPLE.org.", ("Example.ORG",), True),
        ("a.example.org", ("example.org",), False),
        ("a.example.org", ("*.example.org",), True),
        ("a.b.example.org", ("*.example.org",), True),
        ("example.org", ("*.example.org",), False),
        ("badexample.org", ("*.example.org",), False),
        ("example.org.evil.net", ("*.example.org", "example.org"), False),
        ("127.0.0.1", ("*.0.0.1",), True),
    ],
)
def test_hosts_are_allowed_by_name_or_by_what_they_end_in(server, names, host, hosts, is_allowed):
    for one in (host, host.lower(), host.lower().rstrip(".")):
        names[one] = ["127.0.0.1"]
    url = f"http://{host}:{server.server_port}/cat.jpg"
    if is_allowed:
        assert fetch(url, hosts) == PHOTO
    else:
        with pytest.raises(RequestError, match="not allowed"):
            fetch(url, hosts)
        assert not server.asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("2002:7f00:1::", "2002:a00:1::1", "2001:0:53aa:64c:0:0:8000:1", "2001:db8::1"),
    ],
)
def test_addresses_that_are_not_public_are_never_reached(server, names, address):
    assert not is_public(ipaddress.ip_address(address))
    names["photos.example.org"] = ["93.184.216.34", address]
    url = f"http://photos.example.org:{server.server_port}/"
    with pytest.raises(RequestError, match="not public"):
        fetch(url, may_reach=is_public)
    assert not server.asked


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_addresses_that_are_public_may_be_reached(address):
    assert is_public(ipaddress.ip_address(address))


def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_connected_to(site, names):
    def first_time_only(_address):
        names["photos.example.org"] = ["203.0.113.1"]
        return True

    assert fetch(f"{site}/cat.jpg", may_reach=first_time_only) == PHOTO
    assert names["asked"] == ["photos.example.org"]


def test_redirects_are_followed_where_each_step_is_allowed_and_without_cookies(site, server):
    assert fetch(f"{site}/to//to/{site}/cat.jpg") == PHOTO
    assert [cookie for _path, _host, cookie in server.asked] == [None, None, None]


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/to/http://inner.example.net/", RequestError, "not allowed"),
        ("/to/file:///etc/passwd", RequestError, "understood"),
        ("/to//to//to//to//cat.jpg", PhotoError, "redirects"),
        ("/missing", PhotoError, "404"),
        ("/packed", PhotoError, "packed"),
        ("/endless", PhotoError, "100,000 bytes"),
    ],
)
def test_what_leads_elsewhere_or_is_too_much_is_refused(site, path, error, says):
    with pytest.raises(error, match=says):
        fetch(f"{site}{path}", bytes=100_000)


def test_a_slow_host_is_given_up(site):
    with pytest.raises(PhotoError, match="took longer"):
        fetch(f"{site}/slow", seconds=0.2)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "cat.jpg",
            "ftp://photos.example.org/",
            "http://",
            "http://user:pw@photos.example.org/",
        ),
        *(
            "http://photos.example.org:99999/",
            "http://[::1",
            "https://photos.example.org\n/",
            "//x",
        ),
        *("http://photos.example.org/" + "x" * 2000, "file:///etc/passwd", "http://\u2100.example"),
        *("gopher://photos.example.org/", "http://photos.example.org:-1/", "http://%00/"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(names, url):
    with pytest.raises(NinebrainsError):
        fetch(url)


def test_a_host_without_a_name_or_a_service_is_a_failed_photo(names):
    with pytest.raises(PhotoError, match="cannot be fetched"):
        fetch("http://photos.example.org/")
    names["photos.example.org"] = ["127.0.0.1"]
    with pytest.raises(PhotoError, match="cannot be fetched"):
        fetch("http://photos.example.org:1/")


def test_what_follows_a_question_mark_is_not_told(site):
    with pytest.raises(PhotoError) as error:
        fetch(f"{site}/missing?token=secret")
    assert "secret" not in str(error.value)
