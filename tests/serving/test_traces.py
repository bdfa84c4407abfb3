"""Traces of requests, as a collector gets them."""

import http.server
import subprocess
import sys
import threading
import time

import pytest

from tests.making import jpeg
from tests.serving.making import ask, repository, running

PHOTO = jpeg("cat", 1)


class Collector:
    """A collector of OTLP over HTTP; `spans` by name."""

    def __init__(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        spans = self.spans = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                told = ExportTraceServiceRequest.FromString(body)
                for resource in told.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.close()


def attributes(span):
    return {one.key: one.value for one in span.attributes}


def test_a_request_is_a_span_with_a_span_for_each_step(collector, tmp_path):
    models = repository(tmp_path / "models", {"pets": [1], "cars": [1]})
    settings = {"sources": [models], "state": tmp_path / "state", "traces": collector.address}
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    began = time.time_ns()
    with running(settings) as host:
        reply = ask(
            host,
            "/infer?brains=pets,cars",
            method="POST",
            content=PHOTO,
            headers={"traceparent": parent, "x-request-id": "mine"},
        )
        assert reply.status_code == 200
        assert ask(host, "/infer?brains=nobody", method="POST", content=PHOTO).status_code == 404
        assert host.stop() == 0  # sends what is left
    spans = [span for span in collector.spans if span.trace_id.hex() == parent[3:35]]
    (request,) = [span for span in spans if span.name == "POST /infer"]
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    told = attributes(request)
    assert told["http.response.status_code"].int_value == 200
    assert told["ninebrains.request_id"].string_value == "mine"
    brains = [one.string_value for one in told["ninebrains.brains"].array_value.values]
    assert brains == ["pets@1", "cars@1"]
    steps = {span.name: span for span in spans if span.parent_span_id == request.span_id}
    assert set(steps) == {"decode", "queue", "network", "head"}
    for step in steps.values():
        assert began <= request.start_time_unix_nano
        assert step.start_time_unix_nano <= step.end_time_unix_nano
        assert step.end_time_unix_nano <= request.end_time_unix_nano
    assert any(
        attributes(span)["http.response.status_code"].int_value == 404
        for span in collector.spans
        if span.name == "POST /infer"
    )


def test_a_collector_that_is_away_stops_nothing(collector, tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    collector.close()
    settings = {"sources": [models], "state": tmp_path / "state", "traces": collector.address}
    with running(settings) as host:
        reply = ask(host, "/infer?brains=pets", method="POST", content=PHOTO)
        assert reply.status_code == 200
        assert host.stop() == 0


def test_without_traces_nothing_that_sends_them_is_even_imported(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ninebrains.serving.host import Host\n"
        "from ninebrains.serving.http.app import make_app\n"
        "from ninebrains.serving.settings import Settings\n"
        "host = Host(Settings(state=Path(sys.argv[1])))\n"
        "make_app(host)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])\n"
        "host.close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
