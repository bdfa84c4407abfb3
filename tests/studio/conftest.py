import pytest

from tests.studio.making import Page


@pytest.fixture(scope="session")
def studio_home(tmp_path_factory):
    """The home of studio processes; features that one has computed serve the next."""
    return tmp_path_factory.mktemp("studio-home")


@pytest.fixture
def open_page(studio_home):
    """Start a studio on a project and sign in; what was started is ended after the test."""
    pages = []

    def start(project, *options, **environment):
        page = Page(project, studio_home, *options, **environment)
        pages.append(page)
        return page.sign_in()

    yield start
    for page in pages:
        if page.process.poll() is None:
            page.close()
