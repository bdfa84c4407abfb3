"""The lines for the shell in docs/asking.md work as written."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.brains.making import make_brain
from tests.making import jpeg
from tests.serving.making import put, repository, running

PAGE = (Path(__file__).parents[3] / "docs" / "asking.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [block for block in BLOCKS if "localhost:8000" in block]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_every_line_of_the_page_works_in_a_shell(tmp_path, ninebrains):
    models = repository(tmp_path / "models", {"pets": [1], "hotdog": [1]})
    put(models, "pets", 2)
    for name in ("cat", "dog"):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(name, 1))
    make_brain(name="pets", head_seed=9).save(tmp_path / "pets.brain")
    state = tmp_path / "state"
    key = ninebrains(
        "keys", "add", "boss", "--scope", "admin", "--scope", "infer", "--state", state
    )
    (secret,) = re.findall(r"nb_[\w-]+", key.out)
    settings = {"sources": [models], "state": state, "policy": {"load": "all"}}
    with running(settings) as host:
        for block in LINES:
            for line in block.splitlines():
                code = line.replace("localhost:8000", host.url).replace("curl", "curl -sS")
                done = subprocess.run(
                    ["bash", "-c", code],
                    check=False,
                    cwd=tmp_path,
                    env={"PATH": "/usr/bin:/bin", "KEY": secret},
                    capture_output=True,
                    timeout=60,
                )
                assert done.returncode == 0, (line, done.stderr)
                if done.stdout:
                    assert "error" not in json.loads(done.stdout), (line, done.stdout)
