"""The lines for the shell in the pages about serving work as written."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.brains.making import make_brain
from tests.making import jpeg
from tests.serving.making import put, repository, running

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/asking.md", "docs/serving.md", "docs/traffic.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"(localhost|host\.example):8[05]0[01]")


def commands(page):
    """What a reader would type: one command each, over as many lines as its quotes span."""
    for kind, block in BLOCK.findall((ROOT / page).read_text("utf-8")):
        found = ""
        for line in () if kind else block.splitlines():
            found += line + "\n"
            if found.count("'") % 2 == 0:
                if re.match(r"(curl|echo|cp) ", found):
                    yield found
                found = ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works_in_a_shell(page, tmp_path, ninebrains):
    models = repository(tmp_path / "models", {"pets": [1], "hotdog": [1]})
    put(models, "pets", 2)
    for name in ("cat", "dog"):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(name, 1))
    make_brain(name="pets", head_seed=9).save(tmp_path / "pets.brain")
    make_brain(name="pets", head_seed=10).save(tmp_path / "new-pets")
    state = tmp_path / "state"
    key = ninebrains(
        "keys", "add", "boss", "--scope", "admin", "--scope", "infer", "--state", state
    )
    (secret,) = re.findall(r"nb_[\w-]+", key.out)
    settings = {"sources": [models], "state": state, "policy": {"load": "all"}}
    typed = list(commands(page))
    assert typed
    with running(settings) as host:
        for command in typed:
            code = ADDRESS.sub(host.url.removeprefix("http://"), command)
            done = subprocess.run(
                ["bash", "-c", code.replace("curl", "curl -sS")],
                check=False,
                cwd=tmp_path,
                env={"PATH": "/usr/bin:/bin", "KEY": secret},
                capture_output=True,
                timeout=60,
            )
            assert done.returncode == 0, (command, done.stderr)
            if done.stdout:
                assert "error" not in json.loads(done.stdout), (command, done.stdout)
