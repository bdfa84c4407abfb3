"""A small server of static files, to try a web export on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from ninebrains.errors import OutputError

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
HEADERS = {
    # Threads in WebAssembly are for pages that share their process with nobody.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Handler(BaseHTTPRequestHandler):
    """Gives the files of one folder, by GET and HEAD, and nothing else."""

    protocol_version = "HTTP/1.1"
    server_version = "ninebrains"
    sys_version = ""
    timeout = 30  # seconds that a silent connection is kept
    types: ClassVar[dict[str, str]] = TYPES

    def __init__(self, *arguments: object, folder: Path) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Give a file."""
        self._give(with_body=True)

    def do_HEAD(self) -> None:
        """Give a file's headers."""
        self._give(with_body=False)

    def _give(self, *, with_body: bool) -> None:
        path = find(self.folder, self.path)
        try:
            data = None if path is None else path.read_bytes()
        except OSError:
            data = None
        if path is None or data is None:
            self.reply(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain; charset=utf-8", with_body)
            return
        kind = self.types.get(path.suffix.lower(), "application/octet-stream")
        self.reply(HTTPStatus.OK, data, kind, with_body)

    def reply(self, status: HTTPStatus, data: bytes, kind: str, with_body: bool = True) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: standard error is for mistakes."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers leave in the middle of files; that is no mistake of anybody."""


def find(folder: Path, url: str) -> Path | None:
    """The file that a URL's path names inside a folder; None where there is none.

    Links that lead out of the folder, hidden files and folders themselves are not given.
    """
    path = unquote(urlsplit(url).path)
    parts = [part for part in path.split("/") if part]
    if any(part.startswith(".") or "\\" in part or "\0" in part or ":" in part for part in parts):
        return None
    root = folder.resolve()
    target = root.joinpath(*parts)
    try:
        target = target.resolve()
        if not target.is_relative_to(root):
            return None
        if path.endswith("/"):
            target /= "index.html"
        return target if target.is_file() else None
    except OSError:
        return None


def make_server(folder: Path, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder that is bound and not yet running.

    Args:
        folder: of a web export.
        host: loopback unless others should reach it; browsers give them no camera without HTTPS.
        port: 0 for any that is free.

    Raises:
        OutputError: the folder holds no page, or the address is taken.
    """
    if not (folder / "index.html").is_file():
        raise OutputError(
            f"there is no index.html in {folder}; expected a web export. "
            "Make one with: ninebrains export BRAIN --to web -o FOLDER"
        )
    return bind(partial(Handler, folder=folder), host, port)


def bind(handler: Callable[..., Handler], host: str, port: int) -> ThreadingHTTPServer:
    """A server with a handler of one's own.

    Raises:
        OutputError: the address is taken.
    """
    try:
        return _Server((host, port), handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"cannot serve at {host}:{port}: {reason}. Choose another port, 0 for any."
        ) from error


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Run a server in a thread for as long as it is needed; gives its URL."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield url_of(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def url_of(server: ThreadingHTTPServer) -> str:
    """Where to look; with the host that it is bound to."""
    host, port = server.server_address[:2]
    name = host.decode() if isinstance(host, bytes) else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


def serve(
    folder: Path, host: str = "127.0.0.1", port: int = 8080, *, tell: Callable[[str], None]
) -> None:
    """Serve a web export until the process is interrupted (Ctrl-C).

    Args:
        folder: of the export.
        host: as in `make_server`.
        port: as in `make_server`.
        tell: called with a line that says where.

    Raises:
        OutputError: the folder holds no page, or the address is taken.
    """
    with make_server(folder, host, port) as server:
        tell(f"{url_of(server)} shows it; stop with Ctrl-C")
        server.serve_forever()
