"""A cluster of two nodes with Ray, in an environment of its own (`make clients`)."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic.counts import Counts
from ninebrains.serving.traffic.states import State
from tests.making import jpeg
from tests.serving.clients.conftest import ROOT, python_of
from tests.serving.making import free_port, repository

SCRIPT = Path(__file__).parent / "asking" / "ask_cluster.py"
KEY = "nb_key-of-the-cluster-tests"


def test_two_nodes_answer_as_one_and_one_goes_on_alone(tmp_path):
    python = python_of(".venv-cluster")
    repository(tmp_path / "models", {"pets": [1, 2]})
    (tmp_path / "photo.jpg").write_bytes(jpeg("cat", 1))
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    settings = {
        "sources": [str(tmp_path / "models")],
        "state": str(tmp_path / "state"),
        "policy": {"load": "all"},
        "keys": {"all": {"sha256": digest, "scopes": ["infer", "feedback", "admin"]}},
    }
    told = {"settings": settings, "shared": str(tmp_path / "shared"), "replicas": 2, "cpus": 1}
    (tmp_path / "told.json").write_text(json.dumps(told))
    done = subprocess.run(
        [python, SCRIPT, KEY, str(free_port()), tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["without a key"] == 401
    assert len(seen["nodes"]) == 2
    assert seen["version"] == 2
    assert seen["feedback"] == [200]
    assert seen["feedback nodes"] == seen["nodes"]
    assert (seen["changed"], seen["stable"]) == (200, 1)
    # What the lost node had begun is lost; whoever asks again is answered.
    assert seen["after the loss"]["200"] >= 30
    assert seen["at last"] == [200]
    assert len(seen["nodes at last"]) == 1
    assert set(seen["nodes at last"]) < set(seen["nodes"])
    assert seen["stable at last"] == 1
    # The last replica ended in good order: it wrote down what it had counted until then.
    (last,) = seen["nodes at last"]
    ledger = Ledger(tmp_path / "state" / last / "host.db")
    counted = sum(
        tally.answered for tally in Counts(ledger, lambda _name: State()).counts().values()
    )
    ledger.close()
    lost = sum(num for status, num in seen["after the loss"].items() if status != "200")
    assert seen["answered"][last] <= counted <= seen["answered"][last] + lost
