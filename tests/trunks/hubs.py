"""A model hub on this machine: a server that redirects, and a second one that has the files."""

import hashlib
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

STEP = 1000  # bytes


class HubServers:
    """Two real HTTP servers with the layout and the headers of the public hub.

    Each entry of `hub_faults` and `cdn_faults` is used up by one request: a function that is given
    the request's handler and answers in its own way, or None for the usual answer.
    """

    def __init__(self, files, host="127.0.0.1"):
        self.files = dict(files)  # "owner/name/resolve/revision/path" -> bytes
        self.states_digest = True
        self.stated_size = None
        self.hub_faults, self.cdn_faults = [], []
        self.hub_requests, self.cdn_requests = [], []
        self.go_on = threading.Event()
        self.hub = _server(host, self._redirect)
        self.cdn = _server(host, self._serve)

    @property
    def endpoint(self):
        return _address(self.hub)

    def speak_https(self, certificate, key):
        """From now on, with a certificate that only those trust who are told to."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        for server in (self.hub, self.cdn):
            server.socket = context.wrap_socket(server.socket, server_side=True)

    def close(self):
        self.go_on.set()
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    def _redirect(self, handler):
        self.hub_requests.append(handler)
        if _faulty(self.hub_faults, handler):
            return
        key = unquote(handler.path).lstrip("/")
        if key not in self.files:
            answer(handler, 404, b"Entry not found", **{"X-Error-Code": "EntryNotFound"})
            return
        data = self.files[key]
        headers = {"X-Linked-Size": str(self.stated_size or len(data)), "X-Repo-Commit": "c" * 40}
        if self.states_digest:
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(data).hexdigest()}"'
        answer(handler, 302, Location=f"{_address(self.cdn)}/{key}?signature=1", **headers)

    def _serve(self, handler):
        self.cdn_requests.append(handler)
        if _faulty(self.cdn_faults, handler):
            return
        data = self.content(handler)
        start = wanted_start(handler, data)
        if start >= len(data):
            answer(handler, 416, **{"Content-Range": f"bytes */{len(data)}"})
            return
        headers = {"ETag": etag(data)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        answer(handler, 206 if start else 200, data[start:], **headers)

    def content(self, handler):
        return self.files[unquote(handler.path).split("?")[0].lstrip("/")]


@contextmanager
def serving(files, **options):
    servers = HubServers(files, **options)
    try:
        yield servers
    finally:
        servers.close()


def etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def wanted_start(handler, data):
    """Where to begin: as asked, unless the file is another one than the asker's."""
    condition = handler.headers.get("If-Range", etag(data))
    if "Range" not in handler.headers or condition != etag(data):
        return 0
    return int(handler.headers["Range"].removeprefix("bytes=").split("-")[0])


def answer(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code, **headers):
    """A fault: this status."""
    return lambda handler: answer(handler, code, b"no", **headers)


def begins_with(count, servers, then=None):
    """A fault: the first bytes only, though all were announced; then `then`, or the end."""

    def fault(handler):
        data = servers.content(handler)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", etag(data))
        handler.end_headers()
        handler.wfile.write(data[:count])
        handler.wfile.flush()
        if then is not None:
            then(handler, data[count:])

    return fault


def sends(body, **headers):
    """A fault: other content, as if all were well."""
    return lambda handler: answer(handler, 200, body, **headers)


def _faulty(faults, handler):
    fault = faults.pop(0) if faults else None
    if fault is not None:
        fault(handler)
    return fault is not None


def _address(server):
    scheme = "https" if isinstance(server.socket, ssl.SSLSocket) else "http"
    return f"{scheme}://{server.server_address[0]}:{server.server_address[1]}"


def _server(host, respond):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                respond(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client has left, as clients do

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
