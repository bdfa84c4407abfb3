"""`/brains`: what a client has to know of the brains here to act like a local one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from starlette.routing import Route

from ninebrains.brains import Manifest
from ninebrains.errors import MissingError
from ninebrains.serving.http.openapi import Described, json_reply, nullable, object_of, ref
from ninebrains.serving.http.replies import send_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ninebrains.serving.asking import Chosen
    from ninebrains.serving.host import Host

Plain = dict[str, object]


def routes(host: Host) -> list[Route]:
    """The routes of this module."""
    return [
        Route("/brains", _All(host), methods=["GET"]),
        Route("/brains/{wanted}", _One(host), methods=["GET"]),
    ]


class _All:
    """Every brain, by its stable version."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        told = []
        for name in tuple(self._host.catalog.versions):
            if self._host.catalog.ready(name):
                told.append(plain_brain(self._host, self._host.shown(name)))
        for one in told:
            one["metrics"] = None  # those of many brains with many labels are very long
        await send_json(send, {"brains": told})


class _One:
    """A brain by its name, `name@number` or `name@alias`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        wanted = scope["path_params"]["wanted"]
        await send_json(send, plain_brain(self._host, self._host.shown(wanted)))


def plain_brain(host: Host, chosen: Chosen) -> Plain:
    """What a version says about itself, as plain values.

    Raises:
        MissingError: it is not loaded any more.
    """
    version = host.catalog.find(chosen.name, chosen.number)
    facts = version.facts
    if facts is None:
        raise MissingError(f"{chosen.member} is not ready here")
    is_brain = isinstance(facts, Manifest)
    return {
        "name": chosen.name,
        "version": chosen.number,
        "variant": chosen.variant,
        "own_name": facts.name,
        "own_version": facts.version,
        "kind": "brain" if is_brain else "model",
        "task": _task(facts.task if isinstance(facts, Manifest) else None, bool(facts.labels)),
        "labels": [label.model_dump() for label in facts.labels],
        "contract": asdict(facts.contract),
        "digest": version.digest,
        "num_features": facts.trunk.num_features if isinstance(facts, Manifest) else None,
        "metrics": (
            orjson.Fragment(facts.metrics.model_dump_json())
            if isinstance(facts, Manifest) and facts.metrics is not None
            else None
        ),
    }


def _task(task: str | None, has_labels: bool) -> str | None:
    """Models from elsewhere do not say; with labels their scores are those of a classifier."""
    return task or ("classify" if has_labels else None)


def describe() -> Described:
    """For the OpenAPI document."""
    wanted = {
        "name": "wanted",
        "in": "path",
        "required": True,
        "description": "`name`, `name@3`, `name@stable`, `name@canary` or `name@shadow`.",
        "schema": {"type": "string", "minLength": 1},
    }
    return Described(
        {
            "/brains": {
                "get": {
                    "operationId": "list_brains",
                    "tags": ["answers"],
                    "summary": "Every brain that can be asked, without its metrics",
                    "responses": {
                        "200": json_reply(
                            "By name.",
                            object_of({"brains": {"type": "array", "items": ref("Brain")}}),
                        )
                    },
                }
            },
            "/brains/{wanted}": {
                "get": {
                    "operationId": "get_brain",
                    "tags": ["answers"],
                    "summary": "One brain, as the version that would answer",
                    "parameters": [wanted],
                    "responses": {"200": json_reply("The brain.", ref("Brain"))},
                }
            },
        },
        {"Brain": _brain_schema()},
    )


def _brain_schema() -> dict[str, object]:
    text: dict[str, object] = {"type": "string"}
    number: dict[str, object] = {"type": "integer"}
    label = object_of({"id": text, "index": number, "name": text})
    task: dict[str, object] = {"enum": ["classify", "multilabel", "regress", None]}
    contract = object_of(
        {
            "height": number,
            "width": number,
            "fit": {"enum": ["crop", "pad", "stretch"]},
            "resample": text,
            "color": text,
            "dtype": text,
            "pad_color": {"type": "array", "items": number},
        },
        description="How a photo becomes the network's input.",
    )
    return object_of(
        {
            "name": text,
            "version": {"type": "integer", "minimum": 1},
            "variant": {"enum": ["stable", "canary", "shadow", "version"]},
            "own_name": {**text, "description": "As it is called in its own file."},
            "own_version": text,
            "kind": {"enum": ["brain", "model"]},
            "task": task,
            "labels": {"type": "array", "items": label},
            "contract": contract,
            "digest": {**text, "description": "Of all it holds."},
            "num_features": nullable(number),
            "metrics": nullable({"type": "object", "description": "What was measured."}),
        }
    )
