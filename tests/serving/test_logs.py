"""Logs: one object a line, without secrets, at little cost to who answers."""

import io
import json
import logging
import subprocess
import sys
import textwrap

import pytest

from ninebrains.serving.logs import AccessLog, Visit, redact

KEY = "nb_" + "k" * 43


def run(code, *arguments):
    """What a process that logs writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b""
    return done.stderr.decode()


def visit(**changes):
    usual = Visit(1_700_000_000.25, "id", "POST", "/infer", 200, 1.23456, "", ())
    return usual._replace(**changes)


def written(visits, *, is_plain=False):
    out, log = io.StringIO(), AccessLog()
    log.open(out, is_plain=is_plain)
    for one in visits:
        log.note(one)
    log.flush()
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing to hide", "nothing to hide"),
        (f"got {KEY} here", "got * here"),
        (f"Bearer {KEY}", "Bearer *"),
        ("at https://a.org/b?token=x&y=z, sorry", "at https://a.org/b?* sorry"),
        ("'https://a.org/?t=1'", "'https://a.org/?*'"),
        ("https://me:secret@a.org/b", "https://*@a.org/b"),
        ("nb_short", "nb_short"),
        ("what? nothing", "what? nothing"),
    ],
)
def test_what_is_secret_is_left_out(text, expected):
    assert redact(text) == expected


def test_a_request_is_one_line_of_json():
    line = written([visit(key="web", brains=("pets", "cars@2"))])
    assert line.endswith("}\n")
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "event": "request",
        "request_id": "id",
        "method": "POST",
        "path": "/infer",
        "status": 200,
        "ms": 1.235,
        "key": "web",
        "brains": ["pets", "cars@2"],
    }


@pytest.mark.parametrize(
    "path", ["/a\nb", '/"}{', "/\x1b[2J", "/\ud800", "/" + "a" * 10_000, f"/{KEY}", "/%0a", "/é"]
)
@pytest.mark.parametrize("is_plain", [True, False])
def test_no_path_breaks_the_form_of_a_line(path, is_plain):
    text = written([visit(path=path), visit(request_id="after")], is_plain=is_plain)
    first, second = text.splitlines()
    assert len(first) < 700
    assert first.isprintable()
    assert KEY not in text
    assert "after" in second
    if not is_plain:
        assert json.loads(first)["status"] == 200


def test_lines_beyond_what_may_wait_are_counted_and_told():
    out, log = io.StringIO(), AccessLog()
    for _ in range(20_003):
        log.note(visit())
    log.open(out)
    log.flush()
    assert out.getvalue().count('"request"') == 20_000
    last = json.loads(out.getvalue().splitlines()[-1])
    assert (last["event"], last["num_lines"], last["level"]) == ("left out", 3, "warning")


def test_a_log_that_nobody_reads_stops_nothing():
    class Broken(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    log = AccessLog()
    log.open(Broken())
    log.note(visit())
    log.flush()


LOGGING = f"""
    import logging, sys
    from ninebrains.serving import logs
    logs.start(sys.argv[1])
    ours = logging.getLogger("ninebrains.serving")
    ours.info("told of %s", "{KEY}")
    ours.debug("small things")
    ours.warning("be careful", extra={{"request_id": "abc", "path": "/infer"}})
    logging.getLogger("httpx").info("GET https://a.org/?token=TOKEN")
    logging.getLogger("other").warning("got https://me:PASSWORD@a.org/?token=TOKEN")
    logging.getLogger("_granian").warning("a worker")
    try:
        raise ValueError("no {KEY}, no https://a.org/?token=TOKEN")
    except ValueError:
        ours.exception("internal")
    logs.access.note(logs.Visit(1e9, "x", "GET", "/", 200, 1.0, "", ())) if logs.access.is_on else 0
"""


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_a_process_logs_lines_of_json_from_a_level_on(level):
    text = run(LOGGING, level)
    lines = [json.loads(line) for line in text.splitlines()]
    told = [line["event"] for line in lines]
    expected = ["told of *", "small things", "be careful", "got https://*@a.org/?*", "a worker"]
    expected += ["internal", "request"]
    if level != "debug":
        expected.remove("small things")
    if level == "warning":
        expected = expected[1:-1]
    assert told == expected
    for secret in (KEY, "TOKEN", "PASSWORD"):
        assert secret not in text
    careful = lines[told.index("be careful")]
    assert (careful["level"], careful["request_id"], careful["path"]) == (
        "warning",
        "abc",
        "/infer",
    )
    trace = lines[told.index("internal")]["exception"]
    assert "ValueError: no *, no https://a.org/?*" in trace
    assert lines[told.index("a worker")]["from"] == "_granian"


def test_on_a_terminal_lines_are_for_people():
    text = written([visit(key="web", brains=("pets",))], is_plain=True)
    assert text == (
        "22:13:20.250 info    request request_id=id method=POST path=/infer status=200 ms=1.235 "
        "key=web brains=pets\n"
    )


def test_nothing_is_noted_before_logging_starts():
    assert not AccessLog().is_on
    assert logging.getLogger("ninebrains.serving").handlers == []
