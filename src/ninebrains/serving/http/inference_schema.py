"""What the OpenAPI document says about the routes of the Open Inference Protocol."""

from __future__ import annotations

from ninebrains.serving.http.openapi import Described, Json, json_reply, object_of, ref
from ninebrains.serving.http.tensorflow_schema import path_parameters, query_parameters
from ninebrains.serving.wire import DATATYPES

_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_OBJECT: Json = {"type": "object"}
_FLAG: Json = {"type": "boolean"}
_BINARY: Json = {"schema": {"type": "string", "format": "binary"}}
_OF_VERSION = (
    ("", "metadata", "What a version takes and gives", "InferenceMetadata"),
    ("/ready", "is_ready", "Whether a version can be asked", "InferenceIsReady"),
    ("/config", "config", "The same in the form of Triton's configuration", "InferenceConfig"),
    ("/stats", "stats", "How often versions answered, and what took how long", "InferenceStats"),
)
_OF_SERVER = (
    ("/v2", "server", "Who answers here", "InferenceServer"),
    ("/v2/health/live", "live", "Whether the process is alive", "InferenceLive"),
    ("/v2/health/ready", "ready", "Whether every brain can be asked", "InferenceReady"),
    ("/v2/models/stats", "all_stats", "The statistics of all versions", "InferenceStats"),
)


def describe() -> Described:
    """For the OpenAPI document."""
    paths: dict[str, Json] = {
        path: {"get": _operation(name, summary, [], reply)}
        for path, name, summary, reply in _OF_SERVER
    }
    for place, names in (("", ()), ("/versions/{version}", ("version",))):
        base = f"/v2/models/{{name}}{place}"
        inside, suffix = path_parameters("name", *names), "_version" if names else ""
        for end, name, summary, reply in _OF_VERSION:
            paths[base + end] = {"get": _operation(name + suffix, summary, inside, reply)}
        paths[f"{base}/infer"] = {"post": _infer(inside, suffix)}
    paths["/v2/repository/index"] = {"post": _index()}
    for verb, summary in (("load", "Load versions"), ("unload", "Let go of versions")):
        paths[f"/v2/repository/models/{{name}}/{verb}"] = {"post": _change(verb, summary)}
    return Described(paths, _schemas())


def _operation(name: str, summary: str, parameters: list[Json], reply: str) -> Json:
    return {
        "operationId": f"inference_{name}",
        "tags": ["Open Inference Protocol"],
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": json_reply("What it says.", ref(reply))},
    }


def _infer(inside: list[Json], suffix: str) -> Json:
    length: Json = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "How many bytes of the body are JSON; binary data follows. 0: the body is "
        "one photo.",
        "schema": {"type": "integer", "minimum": 0},
    }
    parameters = [*inside, *query_parameters("deadline_ms", "priority"), length]
    told = _operation(f"infer{suffix}", "Ask a brain about photos", parameters, "InferenceAnswers")
    bodies = {"application/json": {"schema": ref("Inference")}, "application/octet-stream": _BINARY}
    answered = {
        "description": "The answers; with binary data where it was asked for.",
        "content": {
            "application/json": {"schema": ref("InferenceAnswers")},
            "application/octet-stream": _BINARY,
        },
    }
    body = {"required": True, "content": bodies}
    return told | {"requestBody": body, "responses": {"200": answered}}


def _index() -> Json:
    told = _operation("index", "Which versions there are, in which state", [], "InferenceIndex")
    schema: Json = {"type": "object", "properties": {"ready": _FLAG}}
    return told | {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _change(verb: str, summary: str) -> Json:
    schema: Json = {
        "type": "object",
        "properties": {
            "parameters": {
                "type": "object",
                "properties": {
                    "version": {"type": "string", "description": "One version only."},
                    "unload_dependents": _FLAG,
                },
                "additionalProperties": False,
            }
        },
    }
    return {
        "operationId": f"inference_{verb}",
        "tags": ["Open Inference Protocol"],
        "summary": summary,
        "description": "Needs a key with the scope `admin`.",
        "security": [{"bearer": []}, {"header": []}],
        "parameters": path_parameters("name"),
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "Done."}},
    }


def _schemas() -> dict[str, Json]:
    sizes: Json = {"type": "array", "items": {"type": "integer"}, "maxItems": 8}
    datatype: Json = {"type": "string", "enum": list(DATATYPES.values())}
    tensor: dict[str, Json] = {"name": _TEXT, "datatype": datatype, "shape": sizes}
    data: Json = {
        "type": "array",
        "description": "Flat or nested; files as texts in base64. Absent where it is binary.",
    }
    given = object_of({**tensor, "data": data, "parameters": _OBJECT}, "data", "parameters")
    wanted = object_of({"name": _TEXT, "parameters": _OBJECT}, "parameters")
    described: Json = {"type": "array", "items": object_of(tensor)}
    return {
        "Inference": object_of(
            {
                "id": {"type": "string", "maxLength": 1000},
                "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": given},
                "outputs": {"type": "array", "items": wanted},
                "parameters": _OBJECT,
            },
            "id",
            "outputs",
            "parameters",
        ),
        "InferenceAnswers": object_of(
            {
                "id": _TEXT,
                "model_name": _TEXT,
                "model_version": _TEXT,
                "outputs": {"type": "array", "items": given},
            },
            "id",
        ),
        "InferenceServer": object_of({"name": _TEXT, "version": _TEXT, "extensions": _TEXTS}),
        "InferenceLive": object_of({"live": _FLAG}),
        "InferenceReady": object_of({"ready": _FLAG}),
        "InferenceIsReady": object_of({"name": _TEXT, "ready": _FLAG}),
        "InferenceMetadata": object_of(
            {
                "name": _TEXT,
                "versions": _TEXTS,
                "platform": _TEXT,
                "inputs": described,
                "outputs": described,
            }
        ),
        "InferenceConfig": _OBJECT,
        "InferenceStats": object_of({"model_stats": {"type": "array", "items": _OBJECT}}),
        "InferenceIndex": {
            "type": "array",
            "items": object_of(
                {
                    "name": _TEXT,
                    "version": _TEXT,
                    "state": {
                        "type": "string",
                        "enum": ["READY", "LOADING", "UNLOADING", "UNAVAILABLE"],
                    },
                    "reason": _TEXT,
                }
            ),
        },
    }
