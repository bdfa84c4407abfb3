"""What the OpenAPI document says about TensorFlow Serving's routes."""

from __future__ import annotations

from collections.abc import Mapping

from ninebrains.serving.http.openapi import Described, Json, json_reply, object_of, ref

_TEXT: Json = {"type": "string"}
_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ()),
    ("/versions/{version}", ("version",)),
    ("/labels/{label}", ("label",)),
)
_IN_PATH: Mapping[str, Json] = {
    "name": {"schema": {"type": "string", "minLength": 1}, "description": "Of the brain."},
    "version": {"schema": {"type": "integer", "minimum": 1}, "description": "Its number."},
    "label": {
        "schema": {"type": "string", "enum": ["stable", "canary", "shadow"]},
        "description": "An alias of a version.",
    },
}
_IN_QUERY: Mapping[str, Json] = {
    "outputs": {
        "schema": _TEXT,
        "description": "Names with commas, such as scores,prediction_id; the usual ones if absent.",
    },
    "deadline_ms": {
        "schema": {"type": "number", "exclusiveMinimum": 0},
        "description": "Fail if there is no answer by then.",
    },
    "priority": {
        "schema": {"type": "string", "enum": ["interactive", "bulk"]},
        "description": "Interactive requests go first.",
    },
}
_PHOTO: Json = {"schema": {"type": "string", "format": "binary"}}


def describe() -> Described:
    """For the OpenAPI document."""
    paths: dict[str, Json] = {}
    for place, names in _PLACES:
        path = f"/v1/models/{{name}}{place}"
        inside = path_parameters("name", *names)
        suffix = "".join(f"_{name}" for name in names)
        paths[path] = {"get": _status(inside, suffix)}
        paths[f"{path}/metadata"] = {"get": _metadata(inside, suffix)}
        for verb, (summary, request, reply) in _VERBS.items():
            paths[f"{path}:{verb}"] = {
                "post": {
                    "operationId": f"tensorflow_{verb}{suffix}",
                    "tags": ["TensorFlow Serving"],
                    "summary": summary,
                    "parameters": [*inside, *_query(verb)],
                    "requestBody": {"required": True, "content": _bodies(verb, request)},
                    "responses": {"200": json_reply("The answers.", ref(reply))},
                }
            }
    return Described(paths, _schemas())


_VERBS = {
    "predict": ("Ask a brain about photos", "TensorFlowPredict", "TensorFlowPredicted"),
    "classify": ("Ask a brain for labels", "TensorFlowExamples", "TensorFlowClassified"),
    "regress": ("Ask a brain for a measured value", "TensorFlowExamples", "TensorFlowMeasured"),
}


def path_parameters(*names: str) -> list[Json]:
    """Parameters that stand in a path."""
    return [{"name": name, "in": "path", "required": True, **_IN_PATH[name]} for name in names]


def query_parameters(*names: str) -> list[Json]:
    """Parameters that may stand after the question mark."""
    return [{"name": name, "in": "query", **_IN_QUERY[name]} for name in names]


def _query(verb: str) -> list[Json]:
    names = ("outputs",) if verb == "predict" else ()
    return query_parameters(*names, "deadline_ms", "priority")


def _bodies(verb: str, request: str) -> Json:
    told: Json = {"application/json": {"schema": ref(request)}}
    if verb != "predict":
        return told
    form: Json = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}},
    }
    return told | {"image/*": _PHOTO, "multipart/form-data": {"schema": form}}


def _status(parameters: list[Json], suffix: str) -> Json:
    return {
        "operationId": f"tensorflow_status{suffix}",
        "tags": ["TensorFlow Serving"],
        "summary": "Which versions there are, and in which state",
        "parameters": parameters,
        "responses": {"200": json_reply("Their states.", ref("TensorFlowStatus"))},
    }


def _metadata(parameters: list[Json], suffix: str) -> Json:
    return {
        "operationId": f"tensorflow_metadata{suffix}",
        "tags": ["TensorFlow Serving"],
        "summary": "What a version takes and gives",
        "parameters": parameters,
        "responses": {"200": json_reply("Its signatures.", ref("TensorFlowMetadata"))},
    }


def _schemas() -> dict[str, Json]:
    anything: Json = {"description": "Nested lists of numbers or texts, or objects of such."}
    signature: Json = {"type": "string", "enum": ["serving_default", "pixels", ""]}
    value: Json = {
        "description": 'A photo: {"b64": "…"}, or pixels as nested lists; or {NAME: one of these}.'
    }
    features: Json = {"type": "object", "description": "One of its values is a photo."}
    status = object_of({"error_code": _TEXT, "error_message": _TEXT})
    states: Json = {
        "type": "string",
        "enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"],
    }
    version = object_of({"version": _TEXT, "state": states, "status": status})
    pair: Json = {"type": "array", "minItems": 2, "maxItems": 2, "description": "Label, score."}
    ranking: Json = {"type": "array", "items": pair}
    model = object_of({"name": _TEXT, "signature_name": _TEXT, "version": _TEXT})
    return {
        "TensorFlowPredict": {
            "type": "object",
            "description": "Either rows (instances) or columns (inputs).",
            "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
            "properties": {
                "signature_name": signature,
                "instances": {"type": "array", "minItems": 1, "items": value},
                "inputs": {"description": "The same by name, all photos in one array."},
            },
        },
        "TensorFlowPredicted": {
            "type": "object",
            "properties": {
                "predictions": {"type": "array", "items": anything},
                "outputs": anything,
            },
        },
        "TensorFlowExamples": object_of(
            {
                "signature_name": signature,
                "context": {"type": "object", "description": "Features that all examples share."},
                "examples": {"type": "array", "minItems": 1, "items": features},
            },
            "signature_name",
            "context",
        ),
        "TensorFlowClassified": object_of({"result": {"type": "array", "items": ranking}}),
        "TensorFlowMeasured": object_of({"result": {"type": "array", "items": {"type": "number"}}}),
        "TensorFlowStatus": object_of(
            {"model_version_status": {"type": "array", "items": version}}
        ),
        "TensorFlowMetadata": object_of({"model_spec": model, "metadata": {"type": "object"}}),
    }
