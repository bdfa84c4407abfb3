"""What the OpenAPI document says about `/infer`."""

from __future__ import annotations

from ninebrains.serving.http.openapi import Described, Json, json_reply, nullable, object_of, ref

_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_NUMBER: Json = {"type": "number"}
_SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}
_FLAG: Json = {"type": "boolean", "default": False}

_PARAMETERS: dict[str, tuple[Json, str]] = {
    "brains": (
        {"type": "array", "items": {**_TEXT, "minLength": 1, "maxLength": 120}},
        "`name`, `name@3`, or `name@` with stable, canary or shadow, each once; by default all.",
    ),
    "top": (
        {"type": "integer", "minimum": 0, "maximum": 100_000, "default": 5},
        "At most that many labels of each brain, the surest first; 0 for all.",
    ),
    "threshold": ({**_SHARE, "default": 0}, "Only labels whose score reaches it."),
    "heatmap": (
        {"enum": ["top", "all"]},
        "Also say where the evidence lies: for the top label, or for all.",
    ),
    "features": (_FLAG, "Also give the feature vectors."),
    "answers": (_FLAG, "Also give what the network gave for each label, by index."),
    "deadline_ms": (
        {"type": "number", "exclusiveMinimum": 0},
        "Fail with 504 if there is no answer by then.",
    ),
    "priority": (
        {"enum": ["interactive", "bulk"], "default": "interactive"},
        "`interactive` goes before `bulk`.",
    ),
    "user": (
        {**_TEXT, "maxLength": 256},
        "A user's key: always sent to the same version; their photos are deleted together.",
    ),
    "consent": (_FLAG, "Whether the photo may be kept to learn from."),
    "encoding": (
        {"enum": ["json", "b64"], "default": "json"},
        "Features, answers and heat maps as numbers, or as base64 of float32 in little endian.",
    ),
}
_HEADERS = {"X-User-Key": "user", "X-Consent": "consent", "X-Deadline-Ms": "deadline_ms"}


def describe() -> Described:
    """For the OpenAPI document."""
    operation: Json = {
        "tags": ["answers"],
        "summary": "Ask brains about photos",
        "description": (
            "The body is a photo; or a form whose every file is a photo and whose texts are "
            "parameters; or JSON. Each parameter may stand in one place: in the address, in a "
            "header or in the body. Where several photos are sent, one that fails has its error "
            "in its place; where all fail, the error is the reply."
        ),
        "parameters": _parameters(),
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": json_reply("The answers.", ref("Answers"))},
    }
    post = {"operationId": "infer", **operation}
    put = {"operationId": "infer_put", **operation, "x-curl": "-T cat.jpg"}
    return Described({"/infer": {"post": post, "put": put}}, _schemas())


def _parameters() -> list[Json]:
    told: list[Json] = []
    for name, (schema, what) in _PARAMETERS.items():
        one: Json = {"name": name, "in": "query", "description": what, "schema": schema}
        if name == "brains":
            one |= {"style": "form", "explode": False}  # with commas
        told.append(one)
    for header, name in _HEADERS.items():
        schema = _PARAMETERS[name][0]
        told.append(
            {
                "name": header,
                "in": "header",
                "description": f"In place of `{name}`.",
                "schema": {key: value for key, value in schema.items() if key != "default"},
            }
        )
    return told


def _bodies() -> Json:
    photo: Json = {"schema": {"type": "string", "format": "binary"}}
    said = {name: {**schema, "description": what} for name, (schema, what) in _PARAMETERS.items()}
    form: Json = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {
                "type": "string",
                "format": "binary",
                "description": "A photo, under any name; there may be several.",
            }
        },
    }
    listed: Json = {
        "type": "object",
        "required": ["photos"],
        "additionalProperties": False,
        "properties": {
            "photos": {"type": "array", "minItems": 1, "items": ref("SentPhoto")},
            **said,
        },
    }
    return {
        "image/*": photo,
        "application/octet-stream": photo,
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": listed},
    }


def _schemas() -> dict[str, Json]:
    return {
        "SentPhoto": _sent(),
        "Answers": object_of(
            {"request_id": _TEXT, "photos": {"type": "array", "items": ref("PhotoAnswers")}}
        ),
        "PhotoAnswers": object_of(
            {
                "name": {"type": ["string", "null"], "description": "As the sender calls it."},
                "error": nullable(ref("FaultInPlace")),
                "photo_size": nullable(
                    {
                        "type": "array",
                        "items": _WHOLE,
                        "minItems": 2,
                        "maxItems": 2,
                        "description": "Width and height of the upright photo.",
                    }
                ),
                "timings": {
                    "type": "object",
                    "additionalProperties": _NUMBER,
                    "description": "Milliseconds: queue_ms, decode_ms, network_ms, head_ms and "
                    "total_ms.",
                },
                "brains": {
                    "type": "object",
                    "additionalProperties": ref("BrainAnswer"),
                    "description": "By the names that were asked for.",
                },
            }
        ),
        "BrainAnswer": _answer(),
        "FaultInPlace": object_of({"code": _TEXT, "message": _TEXT}),
        "Floats": object_of(
            {"shape": {"type": "array", "items": _WHOLE}, "float32": {**_TEXT, "format": "byte"}},
            description="Values as base64 of float32 in little endian.",
        ),
    }


def _sent() -> Json:
    name: Json = {**_TEXT, "description": "Stands with the answers."}
    return {
        "oneOf": [
            {
                "type": "object",
                "required": [key],
                "additionalProperties": False,
                "properties": {key: {**_TEXT, "description": what}, "name": name},
            }
            for key, what in (
                ("b64", "A photo's file as base64."),
                ("url", "Where to fetch it, if the settings allow that."),
            )
        ]
    }


def _answer() -> Json:
    numbers: Json = {"type": "array", "description": "Numbers, or lists of them."}
    values: Json = {"anyOf": [numbers, ref("Floats")]}
    instance = object_of(
        {
            "label": {**_TEXT, "description": "For people; may change."},
            "label_id": {**_TEXT, "description": "For programs; never changes."},
            "index": _WHOLE,
            "score": {**_NUMBER, "description": "0 to 1; 1 for a measured value."},
            "value": {**_NUMBER, "description": "What a regression brain measured."},
        },
        "value",
    )
    heatmap = object_of(
        {"label_id": _TEXT, "shape": {"type": "array", "items": _WHOLE}, "values": values},
        "label_id",
    )
    return object_of(
        {
            "brain": _TEXT,
            "version": {"type": "integer", "minimum": 1},
            "variant": {"enum": ["stable", "canary", "shadow", "version"]},
            "prediction_id": {**_TEXT, "description": "For feedback; empty after an error."},
            "answer": {"type": ["string", "null"], "description": "null: none of these."},
            "unfamiliar": {
                "type": ["number", "null"],
                "description": "Above 1, trust no label; null where it is not measured.",
            },
            "instances": {"type": "array", "items": instance},
            "error": nullable(ref("FaultInPlace")),
            "outputs": {
                "type": "object",
                "additionalProperties": object_of(
                    {"shape": {"type": "array", "items": _WHOLE}, "dtype": _TEXT}
                ),
                "description": "What a model from elsewhere gives that has no labels.",
            },
            "answers": values,
            "features": nullable(values),
            "heatmap": nullable(heatmap),
        },
        "outputs",
        "answers",
        "features",
        "heatmap",
    )
