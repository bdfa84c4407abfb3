"""What the OpenAPI document says about `/feedback`."""

from __future__ import annotations

from ninebrains.serving.http.openapi import SECURITY, Described, Json, json_reply, object_of, ref

_TEXT: Json = {"type": "string"}
_FLAG: Json = {"type": "boolean"}
_USER: Json = {**_TEXT, "maxLength": 256, "description": "The key of a user."}


def describe() -> Described:
    """For the OpenAPI document."""
    stored = object_of({"stored": _FLAG, "confirmed": _FLAG, "kept_photo": _FLAG})
    forgotten = object_of({"photos": {"type": "integer"}, "feedback": {"type": "integer"}})
    return Described(
        {
            "/feedback": {
                "post": {
                    "operationId": "give_feedback",
                    "tags": ["feedback"],
                    "summary": "Say whether an answer was right, or what would have been",
                    "requestBody": _body(ref("Feedback")),
                    "responses": {"200": json_reply("It is stored.", stored)},
                }
            },
            "/feedback/forget": {
                "post": {
                    "operationId": "forget_feedback",
                    "tags": ["feedback"],
                    "summary": "Delete the photos and the feedback of a user",
                    "security": SECURITY,
                    "requestBody": _body(
                        object_of({"user": {**_USER, "minLength": 1}}) | _NOTHING_ELSE
                    ),
                    "responses": {"200": json_reply("How many there were.", forgotten)},
                }
            },
            "/feedback/stats": {
                "get": {
                    "operationId": "get_feedback_stats",
                    "tags": ["feedback"],
                    "summary": "How much feedback and how many photos are kept",
                    "security": SECURITY,
                    "responses": {"200": json_reply("Counts.", {"type": "object"})},
                }
            },
        },
        {"Feedback": _feedback()},
    )


_NOTHING_ELSE: Json = {"additionalProperties": False}


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _feedback() -> Json:
    ways: dict[str, Json] = {
        "rank": {"type": "integer", "minimum": 1, "description": "1: the top label was right."},
        "label": {**_TEXT, "description": "Name or id of the right label, or a new one."},
        "none": {"const": True, "description": "None of these."},
    }
    prediction: Json = {**_TEXT, "description": "Of the answer, unchanged."}
    return {
        "oneOf": [
            object_of({"prediction_id": prediction, name: way, "user": _USER}, "user")
            | _NOTHING_ELSE
            for name, way in ways.items()
        ],
        "example": {"prediction_id": "…", "rank": 1},
    }
