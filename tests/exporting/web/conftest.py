"""Sites to look at, a server for them, and a real browser."""

import io
import shutil
from contextlib import ExitStack

import pytest
from PIL import Image

from ninebrains.errors import ExtraError
from ninebrains.exporting.target import Job
from tests.browsing import launch, note_mistakes
from tests.making import jpeg, write_pairs, write_photos


@pytest.fixture(scope="session")
def build_site(trained_home, tmp_path_factory):
    """Build a web export of some brains; skips where the runtime cannot be had."""
    from ninebrains.exporting.targets.web import TARGET

    def build(*brains, precision="int8-weights"):
        folder = tmp_path_factory.mktemp("site")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NINEBRAINS_HOME", str(trained_home))
            try:
                TARGET.require(precision)
            except ExtraError as error:
                pytest.skip(f"the runtime for browsers cannot be had here: {error}")
            build.built[folder] = TARGET.build(Job(tuple(brains), precision), folder)
        return folder

    build.built = {}
    return build


@pytest.fixture(scope="session")
def pairs_brain(train, tmp_path_factory):
    """Which two of three things there are, on the small trunk."""
    return train(write_pairs(tmp_path_factory.mktemp("pairs")), "pairs")


HOSTILE = {
    "<img src=x onerror=alert(1)>": 12,
    "cat, \"the\" 'best' 🐈": 12,
    "=HYPERLINK(1)": 12,
    "a/b\\c:d*?; e": 12,
}


@pytest.fixture(scope="session")
def hostile_brain(train, tmp_path_factory):
    """Labels that a careless page would run, break or lose."""
    import csv

    folder = tmp_path_factory.mktemp("hostile")
    write_photos(folder, {"cat": 12, "dog": 12, "bird": 12, "fish": 12})
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for kind, label in zip(("cat", "dog", "bird", "fish"), HOSTILE, strict=True):
            writer.writerows((f"{kind}/{kind}{n:03}.jpg", label) for n in range(12))
    return train(folder / "labels.csv", "hostile", task="classify")


@pytest.fixture(scope="session")
def one_site(build_site, small_brain):
    """One classifier."""
    return build_site(small_brain)


@pytest.fixture(scope="session")
def many_site(build_site, small_brain, small_regress_brain, pairs_brain):
    """A classifier, a measuring brain and one of several labels, all on one trunk."""
    return build_site(small_brain, small_regress_brain, pairs_brain)


@pytest.fixture(scope="session")
def hostile_site(build_site, hostile_brain):
    return build_site(hostile_brain)


@pytest.fixture(scope="session")
def executable():
    """A browser of the Chromium family on this machine."""
    from ninebrains.exporting.web.chromium import find_browser

    found = find_browser()
    if found is None:
        pytest.skip("there is no Chromium, Chrome or Edge on this machine")
    return str(found)


@pytest.fixture(scope="package")
def drawn_y4m(tmp_path_factory):
    """What the fake camera shows: a drawn cat."""
    return write_film(tmp_path_factory.mktemp("film") / "cat.y4m")


def write_film(path):
    """A short film of one photo, as uncompressed YUV 4:2:0."""
    image = Image.open(io.BytesIO(jpeg("cat", 200))).resize((320, 240)).convert("YCbCr")
    planes = [plane.tobytes() for plane in image.split()[:1]]
    planes += [plane.resize((160, 120)).tobytes() for plane in image.split()[1:]]
    frame = b"FRAME\n" + b"".join(planes)
    path.write_bytes(b"YUV4MPEG2 W320 H240 F10:1 Ip A1:1 C420jpeg\n" + frame * 5)
    return path


@pytest.fixture(scope="package")
def chromium(drawn_y4m):
    """A browser with a fake camera. Ends with this package: its loop must not outlive it."""
    playwright, browser = launch(f"--use-file-for-fake-video-capture={drawn_y4m}")
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture
def visit(chromium):
    """Open a site in a window of its own; fails where the page makes any mistake."""
    from ninebrains.exporting.web.serving import make_server, serving

    with ExitStack() as stack:
        mistakes = []

        def visit(site, *, ready=True, **options):
            url = stack.enter_context(serving(make_server(site)))
            context = chromium.new_context(permissions=["camera"], **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(20_000)
            note_mistakes(page, mistakes)
            page.goto(url)
            if ready:
                page.wait_for_selector("html[data-ready]")
            return page

        yield visit
    assert mistakes == []


@pytest.fixture(scope="session")
def cat_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "a cat.jpg"
    path.write_bytes(jpeg("cat", 100))
    return path


@pytest.fixture
def site_copy(tmp_path):
    """A copy of a site that a test may damage."""

    def copy(site):
        return shutil.copytree(site, tmp_path / "copy")

    return copy
