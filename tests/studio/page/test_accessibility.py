"""Every area against axe-core's rules, in light and dark, empty and full."""

import pytest

from tests.browsing import broken_rules, until
from tests.studio.page.conftest import bring, go

AREAS = (
    ("label/all", ".cell"),
    ("label/review", ".empty, .cell"),
    ("learn", "#headline"),
    ("understand/confusion", ".matrix"),
    ("understand/looks", ".pairs"),
    ("understand/threshold", "#threshold"),
    ("understand/slices", ".groups"),
    ("understand/map", "#map"),
    ("understand/compare", ".card"),
    ("try", "#try-choose"),
    ("ship", ".versions"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_is_broken_in_any_area(visit, studio, axe, pets, scheme):
    page = visit(studio, color_scheme=scheme, reduced_motion="reduce")
    assert broken_rules(page, axe) == []
    bring(page, studio, pets)
    page.wait_for_selector("#pill:has-text('%')", timeout=60_000)
    go(page, "learn")
    until(page, "document.querySelector('#learn-now')", seconds=90)
    for place, shows in AREAS:
        go(page, place)
        page.wait_for_selector(shows)
        page.wait_for_timeout(300)
        assert broken_rules(page, axe) == [], place
    go(page, "label/all")
    page.wait_for_selector(".cell")
    page.focus("#grid")
    page.keyboard.press("Shift+ArrowRight")
    assert broken_rules(page, axe) == []
    page.keyboard.press("Space")
    page.wait_for_selector(".single .bars")
    assert broken_rules(page, axe) == []
    page.keyboard.press("Escape")
    for opens in ("#edit-1", "#add-photos", "#open-help"):
        page.click(opens)
        assert broken_rules(page, axe) == [], opens
        page.keyboard.press("Escape")
