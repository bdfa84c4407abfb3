"""Who moves in from another server does as docs/serving.md says, word by word."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving.making import ask, repository, running

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
SECTIONS = {
    part.partition("\n")[0]: part for part in PAGE.split("\n## ") if part.startswith("Moving from")
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a photo that is too large for a command line."""
    folder = tmp_path_factory.mktemp("moving")
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    Image.fromarray(noise).save(folder / "cat.jpg", quality=95)
    assert (folder / "cat.jpg").stat().st_size > 2**17
    repository(folder / "models", {"pets": [1]})
    return folder


@pytest.mark.parametrize("section", SECTIONS)
def test_every_request_of_the_page_is_answered(folder, section):
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("curl or bash is not installed")
    (block,) = re.findall(r"^```\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    text = SECTIONS[section]
    port = "8501" if "--port 8501" in text else "8000"
    assert "--address 0.0.0.0 --public infer" in text
    settings = {"sources": [folder / "models"], "state": folder / f"state{port}"}
    with running(settings | {"address": "0.0.0.0", "public": ["infer"]}) as host:
        for line in block.splitlines():
            command = line.replace(f"localhost:{port}", host.url.partition("//")[2])
            command = command.replace("curl ", "curl -sS --fail-with-body ")
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert ask(host, "/v2/repository/index", method="POST").status_code == 200
        assert ask(host, "/v2/repository/models/pets/unload", method="POST").status_code == 401
