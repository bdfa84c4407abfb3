"""A web export in a real browser, from photo bytes on."""

import sys

import numpy as np
import pytest

from ninebrains.errors import BrainError
from ninebrains.exporting.web.browser import answers, answers_without_browser
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
    request, many_site, small_brain, new_photos, with_browser
):
    if with_browser:
        request.getfixturevalue("executable")
        found = answers(many_site, new_photos, OUTPUTS)
    else:
        found = answers_without_browser(many_site, new_photos, OUTPUTS)
    assert found.in_browser is with_browser
    assert list(found.errors) == [5]
    assert np.isnan(found.ms[5])
    rest = [place for place in range(len(new_photos)) if place != 5]
    wanted = expected(small_brain, [new_photos[place] for place in rest], OUTPUTS)
    for name in OUTPUTS:
        assert found.values[name].dtype == np.float32
        assert np.isnan(found.values[name][5]).all()
        assert found.values[name][rest].shape == wanted[name].shape
        away = np.abs(found.values[name][rest] - wanted[name])
        assert away.max() < 0.06 * max(1.0, np.abs(wanted[name]).max())
    tops = found.values["scores"][rest].argmax(1), wanted["scores"].argmax(1)
    assert (tops[0] == tops[1]).mean() >= 0.95
    assert (found.ms[rest] >= found.run_ms[rest]).all()


def test_a_brain_that_measures_is_asked_by_its_place(many_site, small_regress_brain, new_photos):
    photos = new_photos[:4]
    found = answers_without_browser(many_site, photos, ("values",), brain=1)
    wanted = expected(small_regress_brain, photos, ("values",))["values"]
    np.testing.assert_allclose(found.values["values"], wanted, rtol=0.05, atol=2.0)


def test_without_a_browser_there_is_no_answer(monkeypatch, one_site, new_photos):
    monkeypatch.setenv("NINEBRAINS_BROWSER", "no-such-browser")
    assert answers(one_site, new_photos[:1], OUTPUTS) is None


def fake_browser(tmp_path, monkeypatch, script):
    path = tmp_path / "browser"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("NINEBRAINS_BROWSER", str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs there")
def test_a_browser_that_ends_or_hangs_is_told(monkeypatch, tmp_path, one_site, new_photos):
    fake_browser(tmp_path, monkeypatch, "raise SystemExit(7)")
    with pytest.raises(BrainError, match=r"ended by itself \(exit code 7\)"):
        answers(one_site, new_photos, OUTPUTS)
    child = "import subprocess, sys, time; subprocess.Popen(['sleep', '987']); time.sleep(987)"
    fake_browser(tmp_path, monkeypatch, child)
    with pytest.raises(BrainError, match="said nothing"):
        answers(one_site, new_photos, OUTPUTS, patience_s=1.0)


def test_a_damaged_export_is_told(executable, one_site, site_copy, new_photos):
    folder = site_copy(one_site)
    trunk = next((folder / "brains").glob("trunk-*"))
    trunk.write_bytes(trunk.read_bytes()[:-200])
    with pytest.raises(BrainError, match="Upload the whole export again"):
        answers(folder, new_photos, OUTPUTS)
    with pytest.raises(BrainError, match="damaged"):
        answers_without_browser(folder, new_photos, OUTPUTS)


def test_two_hundred_real_photos_get_the_brains_label(executable, build_site, shared):
    """The default trunk, photos it was not trained on: the same label on at least 99 %."""
    import ninebrains as nb

    photos = sorted((shared / "data/classification/dogcat").glob("*/*.jpg"))
    brain = nb.train(shared / "data/classification/dogcat", name="dogcat")
    found = answers(build_site(brain), photos[::5], ("scores",))
    assert found.errors == {}
    wanted = expected(brain, photos[::5], ("scores",))["scores"]
    assert len(wanted) == 200
    agreed = found.values["scores"].argmax(1) == wanted.argmax(1)
    assert agreed.mean() >= 0.99
    assert np.abs(found.values["scores"] - wanted).max() < 0.05
