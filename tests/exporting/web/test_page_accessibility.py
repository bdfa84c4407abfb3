"""The page against axe-core's rules (https://github.com/dequelabs/axe-core, MPL-2.0)."""

import base64
import hashlib
import shutil
import subprocess
import tarfile

import pytest

VERSION = "4.14.1"
INTEGRITY = (  # as the registry's `dist.integrity` says
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script, from the npm registry; nothing of it is part of the project."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which fetches axe-core")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "pack", f"axe-core@{VERSION}", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip("the npm registry cannot be reached, which has axe-core")
    package = folder / f"axe-core-{VERSION}.tgz"
    assert base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() == INTEGRITY
    with tarfile.open(package) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


def faults(page, axe):
    """Rules that are broken, with where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        (rule["id"], [node["html"][:100] for node in rule["nodes"]]) for rule in found["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_is_broken_in_any_state(visit, many_site, axe, cat_file, scheme):
    page = visit(many_site, color_scheme=scheme, reduced_motion="reduce")
    assert faults(page, axe) == []
    page.set_input_files("#file", cat_file)
    page.wait_for_selector(".card")
    page.click("#show-heat")
    page.click("summary >> nth=0")
    assert faults(page, axe) == []
    page.click(".tick >> nth=0")
    page.wait_for_selector("#toast:visible")
    assert faults(page, axe) == []
    page.click("#open-kept")
    page.wait_for_selector("#kept-list img")
    assert faults(page, axe) == []
    page.keyboard.press("Escape")
    page.click("#open-about")
    assert faults(page, axe) == []
    page.keyboard.press("Escape")
    page.click("#camera")
    page.wait_for_selector("#video:visible")
    assert faults(page, axe) == []
