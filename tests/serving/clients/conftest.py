"""A host in a process of its own, and other people's clients, each in an environment of its own.

`make clients` makes these environments once. In `make test` they must be there; for somebody who
runs pytest by hand, tests that need one that is not there are skipped.
"""

import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serving.http.conftest import jpeg
from tests.serving.making import put, repository, running

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(__file__).parent / "asking"
ADMIN = "nb_admin-of-the-client-tests"


def python_of(environment):
    """The interpreter of an environment of clients."""
    python = ROOT / environment / "bin" / "python"
    if not (ROOT / environment / "installed").exists():
        said = f"the clients in {environment} are not installed; `make clients` does so"
        if os.environ.get("NINEBRAINS_TEST_CLIENTS") == "needed":
            pytest.fail(said)
        pytest.skip(said)
    return python


@dataclass
class Served:
    """A running host: where it is, and what its brains answer when run here."""

    http: str
    grpc: str
    models: Path
    photo: Path

    def scores(self, photo, number=2):
        from ninebrains import load

        return load(self.models / "pets" / f"{number}.brain").run(photo).answers.tolist()

    def ask(self, environment, script, *arguments):
        """What a script says that asks this host with somebody's client, as plain values."""
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [python_of(environment), SCRIPTS / f"ask_{script}.py", *arguments, self.photo],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **quiet},
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    models = repository(folder / "models", {"pets": [1, 2], "spare": [1]})
    put(models, "weight", 1, task="regress")
    photo = folder / "photo.jpg"
    photo.write_bytes(jpeg(3))
    admin = hashlib.sha256(ADMIN.encode()).hexdigest()
    settings = {
        "sources": [models],
        "state": folder / "state",
        "grpc_port": 0,
        "policy": {"load": "all"},
        "keys": {"admin": {"sha256": admin, "scopes": ["admin", "infer"]}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder))
        with running(settings) as host:
            (port,) = re.findall(r"gRPC on port (\d+)", host.log.read_text())
            yield Served(host.url.removeprefix("http://"), f"127.0.0.1:{port}", models, photo)
