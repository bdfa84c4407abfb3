"""What the OpenAPI document says about the routes that tell of the host itself."""

from __future__ import annotations

from ninebrains.serving.http.openapi import Described, Json, json_reply, object_of


def describe() -> Described:
    """For the OpenAPI document."""
    health = object_of(
        {
            "ready": {"type": "boolean"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "versions": {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "How many are in which state.",
            },
        }
    )
    live = object_of({"live": {"const": True}})
    ready: Json = {
        "200": json_reply("It may be sent requests.", health),
        "503": json_reply("Not now.", health),
    }
    return Described(
        {
            "/livez": _get(
                "is_live",
                "Whether the process lives",
                {"200": json_reply("It does.", live)},
                is_open=True,
            ),
            "/readyz": _get("is_ready", "Whether requests may be sent", ready, is_open=True),
            "/metrics": _get(
                "get_metrics",
                "Counters and histograms for Prometheus",
                {
                    "200": {
                        "description": "In the form of Prometheus or OpenMetrics.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    }
                },
            ),
            "/openapi.json": _get(
                "get_openapi",
                "This document",
                {"200": json_reply("OpenAPI.", {"type": "object"})},
            ),
            "/docs": _get(
                "get_docs",
                "This document as a page",
                {
                    "200": {
                        "description": "A page without anything from elsewhere.",
                        "content": {"text/html": {"schema": {"type": "string"}}},
                    }
                },
            ),
        }
    )


def _get(name: str, summary: str, responses: Json, *, is_open: bool = False) -> Json:
    operation: Json = {
        "operationId": name,
        "tags": ["host"],
        "summary": summary,
        "responses": responses,
    }
    if is_open:
        operation["security"] = []
    return {"get": operation}
