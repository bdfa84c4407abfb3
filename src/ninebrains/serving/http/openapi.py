"""The OpenAPI document of all routes.

FastAPI describes the routes under `/admin`. Every other module that `app` joins may export
`describe() -> Described`: path items and schemas as they are to stand in the document, as in
https://spec.openapis.org/oas/v3.1.0. They are merged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass(frozen=True)
class Described:
    """What a module says about its routes.

    Attributes:
        paths: path items by path; operations without `responses.default` get our form of errors.
        schemas: by name, for `{"$ref": "#/components/schemas/NAME"}`.
    """

    paths: Mapping[str, Json]
    schemas: Mapping[str, Json] = field(default_factory=dict)


METHODS = ("get", "put", "post", "patch", "delete", "head", "options")

SECURITY: list[Json] = [{"bearer": []}, {"header": []}]
"""A key in one of the two places."""

SECURITY_OR_LOCAL: list[Json] = [*SECURITY, {}]
"""The same, or none, as far as the settings allow that."""

_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}

_ABOUT = """\
Brains answer photos at `/infer` and by the protocols of other servers: TensorFlow Serving under
`/v1`, Open Inference (KServe, Triton) under `/v2`. Whatever changes something needs a key with the
scope `admin`, but for feedback, which has a scope of its own."""

CODES = (
    *("photo", "request", "missing", "access", "overload", "deadline", "closed", "storage"),
    *("brain", "internal"),
)

ERROR: Json = {
    "type": "object",
    "description": "Why there is no answer.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"type": "string", "enum": list(CODES)},
                "message": {
                    "type": "string",
                    "description": "What was received, what was expected, and how to mend it.",
                },
                "request_id": {"type": "string"},
            },
        }
    },
}
PROTOCOL_ERROR: Json = {
    "type": "object",
    "description": "Why there is no answer, as clients of this protocol expect it.",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}


def ref(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_reply(description: str, schema: Json) -> Json:
    """A response with a JSON body."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def object_of(properties: Mapping[str, Json], *optional: str, description: str = "") -> Json:
    """A schema of an object; all its properties are required but those named."""
    told: Json = {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": dict(properties),
    }
    return told | ({"description": description} if description else {})


def nullable(schema: Json) -> Json:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def merge(base: Json, described: Iterable[Described]) -> Json:
    """The whole document.

    Args:
        base: what FastAPI says about the routes under `/admin`.
        described: what other modules say about theirs; these come first.
    """
    paths: Json = {}
    schemas: Json = {"Error": ERROR, "ProtocolError": PROTOCOL_ERROR}
    for one in described:
        for path, item in one.paths.items():
            paths[path] = _with_errors(path, item)
        schemas.update(one.schemas)
    components = base.get("components", {})
    assert isinstance(components, dict)
    for name, schema in components.get("schemas", {}).items():
        if name not in ("HTTPValidationError", "ValidationError"):  # ours have another form
            schemas.setdefault(name, schema)
    admin = base.get("paths", {})
    assert isinstance(admin, dict)
    for path, item in admin.items():
        paths[path] = _with_errors(path, _without_422(item), SECURITY)
    return {
        **base,
        "info": {"title": "Ninebrains", "version": _version(), "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


def _with_errors(path: str, item: Json, security: list[Json] | None = None) -> Json:
    """Every operation with a response for all that goes wrong."""
    name = "ProtocolError" if path.startswith(("/v1/", "/v2/")) else "Error"
    told = dict(item)
    for method in METHODS:
        operation = told.get(method)
        if isinstance(operation, dict):
            error = json_reply("What went wrong.", ref(name))
            responses = {**operation.get("responses", {})}
            responses.setdefault("default", error)
            told[method] = {
                "security": security if security is not None else SECURITY_OR_LOCAL,
                **operation,
                "responses": responses,
            }
    return told


def _without_422(item: Json) -> Json:
    """FastAPI's own form of errors is never sent."""
    told: Json = {}
    for method, operation in item.items():
        if isinstance(operation, dict):
            responses = operation.get("responses", {})
            kept = {status: reply for status, reply in responses.items() if status != "422"}
            told[method] = {**operation, "responses": kept}
        else:
            told[method] = operation
    return told


def _version() -> str:
    import ninebrains

    return ninebrains.__version__
