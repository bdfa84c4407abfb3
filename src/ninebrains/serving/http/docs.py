"""`/openapi.json`, and `/docs`: a page of all routes, without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.serving.http import host_schema
from ninebrains.serving.http.openapi import METHODS, Described, merge

if TYPE_CHECKING:
    from fastapi import FastAPI
    from markupsafe import Markup
    from starlette.requests import Request

Node = Mapping[str, Any]

_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_ADDRESS = "http://localhost:8000"


def routes(admin: FastAPI, described: Iterable[Described]) -> list[Route]:
    """The routes of this module.

    Args:
        admin: describes the routes under `/admin`.
        described: what other modules say about theirs.
    """
    described = (*described, host_schema.describe())

    @cache  # first asked for long after the start, or never
    def document() -> dict[str, object]:
        return merge(admin.openapi(), described)

    @cache
    def page() -> str:
        return make_page(document())

    async def openapi(_request: Request) -> Response:
        return Response(orjson.dumps(document()), media_type="application/json")

    async def docs(_request: Request) -> Response:
        return Response(page(), media_type="text/html", headers=_POLICY)

    return [
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
    ]


def make_page(document: Node) -> str:
    """The page that shows an OpenAPI document.

    Args:
        document: whole; references lead to its schemas.
    """
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("ninebrains.serving.http", "templates")
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page.filters["prose"] = _prose
    groups: dict[str, list[Node]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tag = operation.get("tags", ["more"])[0]
                groups.setdefault(tag, []).append(_shown(method, path, operation))
    schemas = {
        name: {"text": sketch(schema), "about": schema.get("description", "")}
        for name, schema in document["components"]["schemas"].items()
    }
    return page.get_template("docs.html.j2").render(
        info=document["info"], groups=groups, schemas=dict(sorted(schemas.items()))
    )


def _prose(text: str) -> Markup:
    """A text with `code` in it."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _shown(method: str, path: str, operation: Node) -> Node:
    bodies = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation.get("operationId", f"{method} {path}"),
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "about": operation.get("description", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "place": parameter["in"],
                "is_required": parameter.get("required", False),
                "form": sketch(parameter.get("schema", {})),
                "about": parameter.get("description", ""),
            }
            for parameter in operation.get("parameters", ())
        ],
        "bodies": {kind: sketch(body.get("schema", {})) for kind, body in bodies.items()},
        "replies": {
            status: {
                "about": reply.get("description", ""),
                "forms": {
                    kind: sketch(body.get("schema", {}))
                    for kind, body in reply.get("content", {}).items()
                },
            }
            for status, reply in operation.get("responses", {}).items()
        },
        "curl": curl(method, path, operation),
    }


def sketch(schema: object, indent: int = 0) -> str:
    """A schema as a short text that looks like the JSON it describes."""
    if not isinstance(schema, Mapping) or not schema:
        return "anything"
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(orjson.dumps(value).decode() for value in values)
    kind = schema.get("type", "anything")
    choices = next((schema[key] for key in ("anyOf", "oneOf", "allOf") if key in schema), None)
    if choices is None and isinstance(kind, list):
        choices = [{**schema, "type": one} for one in kind]
    if choices is not None:
        return " or ".join(dict.fromkeys(sketch(one, indent) for one in choices))
    if kind == "object":
        return _sketch_object(schema, indent)
    inner = sketch(schema.get("items"), indent)
    return f"[{inner}, …]" if kind == "array" else _sketch_plain(str(kind), schema)


def _sketch_object(schema: Node, indent: int) -> str:
    inner = "  " * (indent + 1)
    required = schema.get("required", ())
    lines = [
        f'{inner}"{name}"{"" if name in required else "?"}: {sketch(value, indent + 1)}'
        for name, value in schema.get("properties", {}).items()
    ]
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        lines.append(f"{inner}NAME: {sketch(more, indent + 1)}, …")
    if not lines:
        return "{…}"
    return "{\n" + ",\n".join(lines) + "\n" + "  " * indent + "}"


def _sketch_plain(kind: str, schema: Node) -> str:
    names = {
        "string": "bytes" if schema.get("format") == "binary" else "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true | false",
        "null": "null",
    }
    told = names.get(kind, kind)
    for key, sign in (
        *(("minimum", "≥"), ("exclusiveMinimum", ">")),
        *(("maximum", "≤"), ("exclusiveMaximum", "<")),
    ):
        if key in schema:
            told += f" {sign} {schema[key]}"
    if schema.get("default") is not None:
        told += f" = {orjson.dumps(schema['default']).decode()}"
    return told


def curl(method: str, path: str, operation: Node) -> str:
    """A line for the shell that sends such a request."""
    bodies = operation.get("requestBody", {}).get("content", {})
    words = ["curl"]
    if {} not in operation.get("security", ({},)):
        words.append('-H "Authorization: Bearer $KEY"')
    given = operation.get("x-curl")
    sends = ""
    if given is not None:
        sends = str(given)
    elif "multipart/form-data" in bodies:
        sends = "-F image=@cat.jpg"
    elif "application/json" in bodies:
        schema = bodies["application/json"].get("schema", {})
        example = bodies["application/json"].get("example", schema.get("example"))
        text = "{…}" if example is None else orjson.dumps(example).decode()
        sends = f"-H 'Content-Type: application/json' -d '{text}'"
    elif bodies:
        sends = "-T FILE"
    usual = "GET"
    if sends:
        usual = "PUT" if sends.startswith("-T") else "POST"
    if method.upper() != usual:
        words.append(f"-X {method.upper()}")
    if sends:
        words.append(sends)
    shown = re.sub(r"\{(\w+)(:path)?\}", lambda found: found[1].upper(), path)
    return " ".join([*words, _ADDRESS + shown])
