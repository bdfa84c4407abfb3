"""The page shows at once what was done, and never what is not so."""

import json

from tests.browsing import until
from tests.studio.page.conftest import bring, counts_of, labels_of

CALLED = "n => document.querySelectorAll('.cell')[0].querySelector('.name').textContent === n"


def test_a_label_is_seen_before_the_server_has_it_and_sent_in_order(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets)
    until(page, "document.querySelectorAll('.cell').length === 24")
    sent = []

    def hold(route):
        sent.append(route.request.post_data_json["label"])
        route.continue_()

    page.route("**/api/label", hold)
    page.focus("#grid")
    shown = page.evaluate(
        """() => {
            const press = (key) => document.getElementById("grid").dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true }));
            press("2"); press("ArrowLeft"); press("1"); press("ArrowLeft"); press("2");
            return document.querySelector("[data-place='0'] .name").textContent;
        }"""
    )
    assert shown == "dog"
    until(page, "!document.querySelector('#undo').disabled")
    until(page, "async () => (await (await fetch('/api/project')).json()).revision > 3")
    page.wait_for_timeout(300)
    assert len(sent) == 3
    assert labels_of(page)[0] == "dog"


def test_a_refused_label_is_taken_back_and_said(visit, studio, few_pets):
    page = visit(studio, expect=("status of 422",))
    bring(page, studio, few_pets)
    until(page, "document.querySelectorAll('.cell').length === 24")
    page.route(
        "**/api/label",
        lambda route: route.fulfill(status=422, body=json.dumps({"error": "the disk is full"})),
    )
    page.focus("#grid")
    page.keyboard.press("2")
    page.wait_for_selector("text=Not saved, so taken back: the disk is full")
    assert labels_of(page)[0] == "cat"
    assert counts_of(page) == {"cat": 12, "dog": 12}


def test_two_tabs_show_the_same(visit, studio, few_pets):
    page = visit(studio)
    bring(page, studio, few_pets, labels=False)
    other = page.context.new_page()
    other.goto(studio.url)
    other.wait_for_selector(".cell")
    page.fill("#new-label", "cat")
    page.keyboard.press("Enter")
    other.wait_for_selector(".label .name:text-is('cat')")
    page.focus("#grid")
    page.keyboard.press("1")
    until(other, CALLED, "cat")
    until(other, "document.querySelector('.label .count').textContent === '1'")
    other.focus("#grid")
    other.keyboard.press("u")
    until(page, CALLED, "")
    until(page, "document.querySelector('.label .count').textContent === '0'")


def test_a_studio_that_is_gone_is_said_and_gets_the_labels_when_it_is_back(
    visit, start_studio, few_pets
):
    studio = start_studio()
    page = visit(studio, expect=("ERR_CONNECTION", "net::ERR", "Failed to load resource"))
    bring(page, studio, few_pets)
    until(page, "document.querySelectorAll('.cell').length === 24")
    studio.kill()
    page.wait_for_selector("#offline:visible")
    page.focus("#grid")
    page.keyboard.press("2")
    page.wait_for_selector("text=1 change will be sent then")
    assert labels_of(page)[0] == "dog"
    start_studio(studio.project, "--port", studio.url.rstrip("/").rsplit(":", 1)[1])
    page.wait_for_selector("#offline", state="hidden")
    until(page, "async () => (await (await fetch('/api/photos')).json()).labels[0] === 2")
    assert labels_of(page)[0] == "dog"
    assert counts_of(page) == {"cat": 11, "dog": 13}


def test_a_reload_while_it_learns_shows_where_it_is(visit, studio, pets):
    page = visit(studio)
    bring(page, studio, pets)
    page.evaluate("location.hash = '#/learn'")
    page.reload()
    until(page, "document.querySelector('#learn-stop, #headline')")
    page.wait_for_selector("#headline")
    until(page, "document.querySelector('#learn-now')", seconds=90)
    assert "%" in page.inner_text("#headline")
    assert page.inner_text("#pill") == f"{page.inner_text('#headline')} right"
