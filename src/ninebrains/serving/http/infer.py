"""`/infer`: photos in, the answers of many brains out."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.brains import Inference
from ninebrains.serving.asking import Answered, Answers, Asker, Options
from ninebrains.serving.host import Host

Plain = dict[str, Any]


def routes(host: Host) -> list[Route]:
    """The routes of this module."""

    async def infer(request: Request) -> Response:
        body = await request.body()
        brains = request.query_params.get("brains")
        wanted = brains.split(",") if brains else None
        answers = await asyncio.gather(host.answer(body, wanted, Asker(), Options()))
        told = {"photos": [plain(answer) for answer in answers]}
        return Response(orjson.dumps(told), media_type="application/json")

    return [Route("/infer", infer, methods=["POST", "PUT"])]


def plain(answers: Answers) -> Plain:
    """The answers on one photo as plain values."""
    return {
        "photo_size": answers.photo_size,
        "brains": {item.chosen.name: _plain(item) for item in answers.answered},
        "timings": {name: round(value, 3) for name, value in answers.timings.items()},
    }


def _plain(item: Answered) -> Plain:
    told: Plain = {
        "version": item.chosen.number,
        "variant": item.chosen.variant,
        "prediction_id": item.prediction,
    }
    if item.inference is None:
        return told | {"error": str(item.error)}
    return told | answer(item.inference)


def answer(inference: Inference, top: int | None = 5, threshold: float = 0.0) -> Plain:
    """One brain's answer as plain values, without what is the same for all that were asked."""
    told = inference.to_dict(top, threshold)
    for name in ("photo_size", "timings", "brain"):
        told.pop(name)
    return told
