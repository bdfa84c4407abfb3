"""The page against axe-core's rules (https://github.com/dequelabs/axe-core, MPL-2.0)."""

import pytest

from tests.browsing import broken_rules, fetch_axe


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script; nothing of it is part of the project."""
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_is_broken_in_any_state(visit, many_site, axe, cat_file, scheme):
    page = visit(many_site, color_scheme=scheme, reduced_motion="reduce")
    assert broken_rules(page, axe) == []
    page.set_input_files("#file", cat_file)
    page.wait_for_selector(".card")
    page.click("#show-heat")
    page.click("summary >> nth=0")
    assert broken_rules(page, axe) == []
    page.click(".tick >> nth=0")
    page.wait_for_selector("#toast:visible")
    assert broken_rules(page, axe) == []
    page.click("#open-kept")
    page.wait_for_selector("#kept-list img")
    assert broken_rules(page, axe) == []
    page.keyboard.press("Escape")
    page.click("#open-about")
    assert broken_rules(page, axe) == []
    page.keyboard.press("Escape")
    page.click("#camera")
    page.wait_for_selector("#video:visible")
    assert broken_rules(page, axe) == []
