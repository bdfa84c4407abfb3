"""Measuring exports that no script runs: in a browser, or not at all."""

import shutil

import pytest

from ninebrains.errors import ExportError, ExtraError
from ninebrains.exporting import export
from ninebrains.exporting.benching import bench_exports


@pytest.fixture(scope="module")
def page(small_brain, pets, tmp_path_factory):
    """A brain as a web page; skips where the runtime for browsers cannot be had."""
    photos = tmp_path_factory.mktemp("photos")
    for photo in sorted((pets / "cat").iterdir())[:3]:
        shutil.copy(photo, photos)
    out = tmp_path_factory.mktemp("page") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(tmp_path_factory.mktemp("home")))
        try:
            return export(small_brain, "web", out, photos=photos).folder
        except ExtraError as error:
            pytest.skip(f"the runtime for browsers cannot be had here: {error}")


@pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    reason="there is no Chromium here",
)
def test_a_page_is_measured_in_a_browser(page):
    (row,) = bench_exports([page], runs=8)
    assert (row.target, row.runs, row.threads) == ("web", 8, None)
    assert "onnxruntime-web" in row.runtime
    assert row.p50_ms <= row.p99_ms


def test_a_page_is_not_measured_by_something_else(page, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExportError, match="not measured as it will run"):
        bench_exports([page], runs=5)


def test_a_page_takes_no_number_of_threads(page):
    with pytest.raises(ExportError, match="takes no --threads"):
        bench_exports([page], runs=5, threads=2)
