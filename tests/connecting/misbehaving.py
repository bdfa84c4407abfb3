"""A host that answers by a script, over real sockets: late, never, half, or nonsense."""

import base64
import json
import re
import socket
import struct
import threading
from contextlib import contextmanager

LABELS = [{"id": f"id-{name}", "index": n, "name": name} for n, name in enumerate(("cat", "dog"))]
FACTS = {
    "name": "pets",
    "version": 1,
    "task": "classify",
    "labels": LABELS,
    "contract": {
        "height": 32,
        "width": 32,
        "fit": "crop",
        "resample": "bilinear",
        "color": "RGB",
        "dtype": "uint8",
        "pad_color": [1, 2, 3],
    },
    "digest": "",
    "metrics": None,
}
VALUES = struct.pack("<2f", 0.25, 0.75)
ONE = {
    "brain": "pets",
    "version": 1,
    "variant": "stable",
    "prediction_id": "abc",
    "answer": "dog",
    "unfamiliar": None,
    "instances": [{"label": "dog", "label_id": "id-dog", "index": 1, "score": 0.75}],
    "answers": {"shape": [2], "float32": base64.b64encode(VALUES).decode()},
    "error": None,
}


def answers(one=None, **others):
    """A reply to `/infer`."""
    told = {"name": None, "error": None, "photo_size": [4, 3], "timings": {"total_ms": 1.0}}
    brains = {"pets": one or ONE, **others}
    return http(200, {"request_id": "r", "photos": [{**told, "brains": brains}]})


def http(status, body, **headers):
    """A reply as it travels."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def fault(status, code, **headers):
    """An error as our hosts tell it."""
    error = {"code": code, "message": "as it is", "request_id": "r"}
    return http(status, {"error": error}, **headers)


RESET = "reset"
SILENCE = "silence"


def half(reply):
    """The beginning of a reply, and no more."""
    return [reply[: len(reply) * 2 // 3], RESET]


def dripping(reply):
    """A reply whose body comes a byte at a time."""
    head, _, body = reply.partition(b"\r\n\r\n")
    return [head + b"\r\n\r\n", *(bytes([one]) for one in body)]


class Misbehaving:
    """Answers requests for answers by its script, and others about the brain `pets`.

    `requests`: heads of what came to `/infer`; `num_connections`: ever opened.
    """

    def __init__(self, script, *, closes=False):
        self.script, self.closes = list(script), closes
        self.requests, self.num_connections = [], 0
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def end(self):
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.num_connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        connection.settimeout(0.05)
        with connection:
            while (head := self._read(connection)) is not None:
                reply = self._reply(head)
                for piece in reply if isinstance(reply, list) else [reply]:
                    if not self._send(connection, piece, pause=isinstance(reply, list)):
                        return
                if self.closes:
                    return

    def _read(self, connection):
        got = b""
        while not self._ended.is_set():
            head, end, body = got.partition(b"\r\n\r\n")
            if end:
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
                if len(body) >= int(fields.get(b"content-length", 0)):
                    return head.decode()
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return None
            if not piece:
                return None
            got += piece
        return None

    def _reply(self, head):
        head = re.sub(r"^(\w+) http://[^/]+", r"\1 ", head)  # as proxies are asked
        if head.startswith("GET /brains/"):
            return http(200, FACTS)
        if head.startswith("GET /brains"):
            return http(200, {"brains": [FACTS]})
        self.requests.append(head)
        return self.script.pop(0) if self.script else answers()

    def _send(self, connection, piece, *, pause):
        if piece == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if piece == SILENCE:
            self._ended.wait(30)
            return False
        try:
            connection.sendall(piece)
        except OSError:
            return False
        return not (pause and self._ended.wait(0.02))


@contextmanager
def misbehaving(*script, **options):
    """A host in threads of this process."""
    host = Misbehaving(script, **options)
    try:
        yield host
    finally:
        host.end()
