"""Versions on the studio's own host: tried, promoted, taken back."""

from tests.browsing import until
from tests.studio.page.conftest import go

SHARES = """() => Object.fromEntries([...document.querySelectorAll('#serving tbody tr')].map(row =>
    [row.querySelector('.name').textContent, row.children[1].textContent + ' '
     + row.children[2].textContent]))"""


def until_live(page, **wanted):
    """Wait until the host's versions stand like this."""
    wanted = {name.replace("_", " "): text for name, text in wanted.items()}
    same = f"""wanted => {{ const now = ({SHARES})();
        return Object.keys(wanted).every(name => now[name] === wanted[name]); }}"""
    until(page, same, wanted, seconds=60)


def test_a_version_is_split_promoted_and_rolled_back(visit, studio, pets):
    studio.bring_folder(pets)
    first = studio.learnt()["run"]
    studio.post("/api/label", ids=studio.get("/api/photos")["ids"][:1], label=2)
    assert studio.learnt(first["id"])["run"]["version"] == 2
    page = visit(studio)
    go(page, "ship")
    page.click("#serve-start")
    page.wait_for_selector("#publish", timeout=120_000)
    assert page.locator("#serving >> text=curl").count() == 0
    page.select_option("#publish-brain", label=page.inner_text("#publish-brain option >> nth=1"))
    page.click("#publish")
    until_live(page, version_1="stable 100 %")
    assert page.locator("#serving >> text=curl").count() == 1
    page.click("#publish")
    until_live(page, version_1="stable 90 %", version_2="on trial 10 %")
    page.click("button[id^=split-]")
    page.fill("#split-percent", "40")
    page.click("dialog >> text=Set the share")
    until_live(page, version_1="stable 60 %", version_2="on trial 40 %")
    page.click("button[id^=promote-]")
    assert "in place of version 1" in page.inner_text("dialog")
    page.click("dialog >> text=Promote >> nth=-1")
    until_live(page, version_2="stable 100 %")
    page.click("#roll-back")
    assert "Version 1 answers everybody again" in page.inner_text("dialog")
    page.click("dialog button[type=submit]")
    until_live(page, version_1="stable 100 %")
    page.click("#serve-stop")
    page.click("dialog >> text=Stop it")
    page.wait_for_selector("#serve-start")
