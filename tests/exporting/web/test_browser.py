"""A web export in a real browser, from photo bytes on."""

import sys

import numpy as np
import pytest

from ninebrains.errors import ExportError
from ninebrains.exporting.targets.web import TARGET
from ninebrains.exporting.web.browser import ask_browser, ask_networks
from ninebrains.images import prepare
from tests.making import jpeg

OUTPUTS = ("scores", "unfamiliar", "heatmap", "features")


@pytest.fixture(scope="session")
def new_photos(tmp_path_factory):
    """Photos that no brain was trained on, and one that is none, in the middle."""
    folder = tmp_path_factory.mktemp("new")
    paths = [folder / f"{label}{n}.jpg" for label in ("cat", "dog") for n in range(300, 312)]
    for path in paths:
        path.write_bytes(jpeg(path.stem[:3], int(path.stem[3:])))
    paths.insert(5, folder / "broken.jpg")
    paths[5].write_bytes(jpeg("cat", 1)[:200])
    return paths


def expected(brain, photos, outputs):
    return brain.compute(np.stack([prepare(photo, brain.contract) for photo in photos]), outputs)


@pytest.mark.parametrize("with_browser", [True, False])
def test_an_export_answers_like_the_brain(
    request, monkeypatch, many_site, small_brain, new_photos, with_browser
):
    if with_browser:
        request.getfixturevalue("executable")
    else:
        monkeypatch.setenv("NINEBRAINS_BROWSER", "no-such-browser")
    found = TARGET.ask(many_site, 0, new_photos)
    assert ("modules" in found.runner) is with_browser
    assert bool(found.not_run) is not with_browser
    assert list(found.failed) == [5]
    rest = [place for place in range(len(new_photos)) if place != 5]
    assert found.places.tolist() == rest
    assert (found.ms > 0).all()
    wanted = expected(small_brain, [new_photos[place] for place in rest], OUTPUTS)
    assert sorted(found.outputs) == sorted(OUTPUTS)
    for name in OUTPUTS:
        assert found.outputs[name].dtype == np.float32
        assert found.outputs[name].shape == wanted[name].shape
        away = np.abs(found.outputs[name] - wanted[name])
        assert away.max() < 0.06 * max(1.0, np.abs(wanted[name]).max())
    tops = found.outputs["scores"].argmax(1), wanted["scores"].argmax(1)
    assert (tops[0] == tops[1]).mean() >= 0.95


def test_a_brain_that_measures_is_asked_by_its_place(many_site, small_regress_brain, new_photos):
    photos = new_photos[:4]
    found = ask_networks(many_site, 1, photos)
    wanted = expected(small_regress_brain, photos, ("values",))["values"]
    np.testing.assert_allclose(found.outputs["values"], wanted, rtol=0.05, atol=2.0)


def test_without_a_browser_there_is_no_answer(monkeypatch, one_site, new_photos):
    monkeypatch.setenv("NINEBRAINS_BROWSER", "no-such-browser")
    assert ask_browser(one_site, 0, new_photos[:1]) is None


@pytest.mark.parametrize(
    "name", ["app/engine.mjs", "app/more.mjs", "runtime/wasm/ort.wasm.bundle.min.mjs"]
)
def test_code_from_elsewhere_is_not_run(executable, one_site, site_copy, new_photos, name):
    folder = site_copy(one_site)
    path = folder / name
    path.write_text((path.read_text() if path.exists() else "") + "\n// more\n")
    with pytest.raises(ExportError, match="not run here"):
        ask_browser(folder, 0, new_photos)


def fake_browser(tmp_path, monkeypatch, script):
    path = tmp_path / "browser"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("NINEBRAINS_BROWSER", str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs there")
def test_a_browser_that_ends_or_hangs_is_told(monkeypatch, tmp_path, one_site, new_photos):
    fake_browser(tmp_path, monkeypatch, "raise SystemExit(7)")
    with pytest.raises(ExportError, match=r"ended by itself \(exit code 7\)"):
        ask_browser(one_site, 0, new_photos)
    child = "import subprocess, sys, time; subprocess.Popen(['sleep', '987']); time.sleep(987)"
    fake_browser(tmp_path, monkeypatch, child)
    with pytest.raises(ExportError, match="said nothing"):
        ask_browser(one_site, 0, new_photos, patience_s=1.0)


def test_a_damaged_export_is_told(executable, one_site, site_copy, new_photos):
    folder = site_copy(one_site)
    trunk = next((folder / "brains").glob("trunk-*"))
    trunk.write_bytes(trunk.read_bytes()[:-200])
    with pytest.raises(ExportError, match="Upload the whole export again"):
        ask_browser(folder, 0, new_photos)
    with pytest.raises(ExportError, match="damaged"):
        ask_networks(folder, 0, new_photos)


def test_two_hundred_real_photos_get_the_brains_label(executable, build_site, shared):
    """The default trunk, photos it was not trained on: the same label on at least 99 %."""
    import ninebrains as nb

    photos = sorted((shared / "data/classification/dogcat").glob("*/*.jpg"))
    brain = nb.train(shared / "data/classification/dogcat", name="dogcat")
    found = ask_browser(build_site(brain), 0, photos[::5])
    assert found.failed == {}
    wanted = expected(brain, photos[::5], ("scores",))["scores"]
    assert len(wanted) == 200
    agreed = found.outputs["scores"].argmax(1) == wanted.argmax(1)
    assert agreed.mean() >= 0.99
    assert np.abs(found.outputs["scores"] - wanted).max() < 0.05
