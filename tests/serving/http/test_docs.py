"""`/openapi.json` and `/docs`: every route is there, and nothing comes from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from ninebrains.serving.http.openapi import METHODS


@pytest.fixture
def document(client):
    reply = client.get("/openapi.json")
    assert reply.status_code == 200
    return reply.json()


def routes(app):
    """Path and method of every route that a host has, but those under `/admin`."""
    found = set()
    for route in app.routes:
        if isinstance(route, Route) and route.methods:
            path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
            found |= {(method.lower(), path) for method in route.methods - {"HEAD"}}
    return found


def shape(path):
    """A path whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_is_described_and_every_description_is_of_a_route(client, document):
    there = {(method, shape(path)) for method, path in routes(client.app)}
    told = {
        (method, shape(path))
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and not path.startswith("/admin/")
    }
    assert told == there


def test_what_administrators_can_do_is_described(document):
    """By FastAPI, which takes it from the routes themselves."""
    paths = {path for path in document["paths"] if path.startswith("/admin/")}
    assert {"/admin/brains", "/admin/brains/{name}/promote", "/admin/users/{user}"} <= paths
    assert all(
        document["paths"][path][method]["security"] == [{"bearer": []}, {"header": []}]
        for path in paths
        for method in document["paths"][path]
    )


def test_all_schemas_are_valid_and_all_references_lead_somewhere(document):
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = set(re.findall(r"#/components/schemas/([\w.-]+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_operation_says_what_it_does_what_it_needs_and_how_it_fails(document):
    ids = []
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                ids.append(operation["operationId"])
                assert operation["summary"], path
                assert operation["tags"], path
                assert "422" not in operation["responses"] or path.startswith("/v"), path
                assert "default" in operation["responses"], path
                assert isinstance(operation["security"], list), path
    assert len(ids) == len(set(ids))


class Page(HTMLParser):
    """Elements that are not closed, and whatever a page asks for from elsewhere."""

    empty = ("meta", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.asked = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in self.empty:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href") and not value.startswith(("#", "data:", "openapi.json")):
                self.asked.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_lists_every_operation_and_needs_nothing_from_elsewhere(client, document):
    reply = client.get("/docs")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    page = Page(reply.text)
    assert not page.open
    assert not page.asked
    assert "url(" not in reply.text
    assert "<script" not in reply.text
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                assert f'id="{item[method]["operationId"]}"' in reply.text, path
    assert "curl -F image=@cat.jpg http://localhost:8000/infer" in reply.text
    assert 'curl -H "Authorization: Bearer $KEY" -T pets.brain' not in reply.text  # quoted as HTML
    assert "prefers-color-scheme: dark" in reply.text
