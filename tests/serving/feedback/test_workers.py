"""Feedback and photos of a host in processes of its own, some of which are killed."""

import hashlib
import os
import signal
import time

import httpx
import pytest

from ninebrains.serving.ledger import Ledger
from tests.serving.http.conftest import jpeg
from tests.serving.making import repository, running


def ask(host, number):
    headers = {"X-Consent": "true", "X-User-Key": f"user {number % 3}"}
    reply = httpx.post(f"{host}/infer?brains=pets", content=jpeg(number), headers=headers)
    return reply.json()["photos"][0]["brains"]["pets"]["prediction_id"]


def give(host, prediction):
    said = {"prediction_id": prediction, "label": "sofa"}
    return httpx.post(f"{host}/feedback", json=said, timeout=20)


def test_no_feedback_is_lost_when_workers_are_killed(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    state = tmp_path / "state"
    settings = {"sources": [models], "state": state, "workers": 2}
    stored = 0
    with running({**settings, "feedback": {"low_confidence": 1.0}}) as host:
        predictions = [ask(host, number) for number in range(12)]
        for turn, prediction in enumerate(predictions):
            if turn in (4, 8):
                os.kill(host.workers()[0], signal.SIGKILL)
            for _ in range(100):
                try:
                    reply = give(host, prediction)
                    break
                except httpx.ReadTimeout:
                    pytest.fail("no worker answers")
                except httpx.TransportError:  # it was with the one that was killed
                    time.sleep(0.05)
            else:
                pytest.fail("no worker came back")
            assert reply.json()["stored"]
            stored += 1
        host.stop()
    ledger = Ledger(state / "host.db")
    with ledger.reading() as rows:
        assert rows.execute("SELECT COUNT(*) FROM feedback").fetchone()[0] == stored
        kept = {row["sha256"] for row in rows.execute("SELECT sha256 FROM photos")}
    files = {path.name for path in (state / "photos").glob("*/*")}
    assert files == kept <= {hashlib.sha256(jpeg(number)).hexdigest() for number in range(12)}
    assert len(files) >= 4  # but those that a killed worker still held
    ledger.close()
