"""Every route of a real host against requests made from its own OpenAPI document, and random ones.

Whatever is sent: no fault of the host's own, and a reply in the form that the document says.
"""

import os
import random

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.http.conftest import jpeg
from tests.serving.making import put, repository, running

PHOTO = jpeg()
KNOWN = {
    "name": ("pets", "many", "none"),
    "wanted": ("pets", "pets@1", "many@stable", "pets@9", "none"),
    "brain": ("pets", "many", "none"),
    "number": (1, 2, 3),
    "version": (1, 2, 3),
    "user": ("anna",),
    "label": ("stable", "canary"),
}
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
EXPECTED = {503, 504}  # a deadline of a microsecond cannot be kept; a host may not be ready
QUICK = settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A host in processes of its own, an administrator's key, and its workers."""
    folder = tmp_path_factory.mktemp("fuzz")
    os.environ["NINEBRAINS_HOME"] = str(folder)
    models = repository(folder / "models", {"pets": [1, 2], "safe": [1]})
    put(models, "many", 1, names=tuple(f"label {n}" for n in range(20)))
    from ninebrains.serving.keys import Keys
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.settings import Settings

    state = folder / "state"
    ledger = Ledger(state / "host.db")
    secret = Keys(ledger, Settings()).add("boss", ["admin", "infer", "feedback"])
    ledger.close()
    told = {"sources": [models], "state": state, "policy": {"load": "all"}, "log_level": "error"}
    with running(told) as host:
        yield host, secret, host.workers()


@pytest.fixture(scope="module")
def sending(base):
    """A session with the key, and the document."""
    host, secret, _workers = base
    document = httpx.get(f"{host}/openapi.json").json()
    with requests.Session() as session:
        session.headers["X-Api-Key"] = secret
        config = schemathesis.Config.from_dict(
            {"generation": {"with-security-parameters": False}, "seed": 1}
        )
        yield host.url, session, schemathesis.openapi.from_dict(document, config=config)


def test_every_operation_keeps_to_its_description_whatever_it_is_sent(sending):
    url, session, schema = sending
    for found in schema.get_all_operations():
        fuzz(found.ok(), url, session)


def fuzz(operation, url, session):
    """Send one operation requests that fit its description, and some that do not."""
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]

    @QUICK
    @given(st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)))
    def send(case):
        chance = random.Random(f"{operation.label} {case.path_parameters} {case.body!r}")
        for name, values in KNOWN.items():
            if name in (case.path_parameters or {}) and chance.random() < 0.7:
                case.path_parameters[name] = chance.choice(values)
        if isinstance(case.body, bytes) and chance.random() < 0.5:
            case.body = PHOTO
        reply = case.call(base_url=url, session=session, timeout=20)
        check(case, reply)
        case.validate_response(reply, checks=CHECKS)

    send()


def check(what, reply):
    assert reply.status_code < 500 or reply.status_code in EXPECTED, (what, reply.text)


def nasty(chance):
    """A body that is none, and what it claims to be."""
    noise = chance.randbytes(chance.choice([1, 30, 3000]))
    numbers = ["NaN", "1e999", "-0", "1" * 5000, "[" * 3000, '"\\ud800"', "{}", "[]", "null", '""']
    said = chance.choice(["photos", "instances", "inputs", "prediction_id", "x"])
    return chance.choice(
        [
            (noise, "application/octet-stream"),
            (noise, "application/json"),
            (noise, "multipart/form-data; boundary=x"),
            (b"--x\r\n" + noise, "multipart/form-data; boundary=x"),
            (noise, "text/" + "x" * 300),
            (PHOTO[: chance.randrange(len(PHOTO))], "image/jpeg"),
            (f'{{"{said}": {chance.choice(numbers)}}}'.encode(), "application/json"),
            (f'{{"{said}": [{chance.choice(numbers)}]}}'.encode(), "application/json"),
        ]
    )


def test_bodies_that_are_none_are_refused_by_every_operation(sending):
    url, session, schema = sending
    chance = random.Random(5)
    for found in schema.get_all_operations():
        operation = found.ok()
        path = operation.path
        for name, values in KNOWN.items():
            path = path.replace(f"{{{name}}}", str(values[0]))
        for _ in range(10):
            body, kind = nasty(chance)
            headers = {"Content-Type": kind}
            reply = session.request(
                operation.method, url + path, data=body, headers=headers, timeout=20
            )
            check((operation.label, body[:100], kind), reply)


def test_the_host_is_as_it_was_after_all_that(base):
    """The same process, which answers a photo."""
    host, secret, workers = base
    assert host.workers() == workers
    headers = {"X-Api-Key": secret}
    reply = httpx.post(f"{host}/infer?brains=safe", content=PHOTO, headers=headers)
    assert reply.status_code == 200
