"""`/drift`: whether photos and answers still are as in training, as a page and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.reporting.pages import render_page
from ninebrains.serving.drift import VersionReport, charts, measures, report
from ninebrains.serving.host import Host
from ninebrains.serving.http.openapi import Described, Json, json_reply, object_of

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "cache-control": "no-store",
}
_WORDS = {"too few": "too few to tell", "steady": "steady", "slight": "slight", "drift": "drift"}
_MEANINGS = {
    "answers": "the share of answers that would have to be others (total variation)",
    "unfamiliar": "the largest gap between the shares of photos below any score (Kolmogorov and "
    "Smirnov)",
    "features": "the largest shift of a mean, in standard deviations of then",
    "values": "the shift of the mean value, in standard deviations of then",
}


def routes(host: Host) -> list[Route]:
    """The routes of this module."""

    async def page(request: Request) -> Response:
        html = await asyncio.to_thread(_page, host, request.query_params.get("brain"))
        return Response(html, media_type="text/html", headers=_HEADERS)

    async def data(request: Request) -> Response:
        reports = await asyncio.to_thread(_reports, host, request.query_params.get("brain"))
        told = {"versions": [report.to_dict() for report in reports]}
        return Response(orjson.dumps(told), media_type="application/json")

    return [
        Route("/drift", page, methods=["GET"]),
        Route("/drift/data", data, methods=["GET"]),
    ]


def describe() -> Described:
    """For the OpenAPI document."""
    brain: Json = {
        "name": "brain",
        "in": "query",
        "description": "One brain alone.",
        "schema": {"type": "string"},
    }
    html: Json = {
        "description": "A page.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    versions = object_of({"versions": {"type": "array", "items": {"type": "object"}}})
    return Described(
        {
            "/drift": {
                "get": {
                    "operationId": "get_drift_page",
                    "tags": ["host"],
                    "summary": "Whether photos and answers still are as in training, as a page",
                    "parameters": [brain],
                    "responses": {"200": html},
                }
            },
            "/drift/data": {
                "get": {
                    "operationId": "get_drift",
                    "tags": ["host"],
                    "summary": "The same as values, by version",
                    "parameters": [brain],
                    "responses": {"200": json_reply("Measures by version.", versions)},
                }
            },
        }
    )


def _reports(host: Host, name: str | None) -> Sequence[VersionReport]:
    return host.drift.reports() if name is None else host.drift.report(name)


def _page(host: Host, name: str | None) -> str:
    names = host.catalog.names
    if name is None and len(names) == 1:
        name = names[0]
    reports = _reports(host, name)
    return render_page(
        "drift.html.j2",
        "ninebrains.serving.http",
        name=name,
        reports=reports,
        is_part=len(names) > 1,
        charts=charts,
        stability=measures.population_stability,
        report_widest=_widest,
        matters=measures.MATTERS,
        few=measures.FEW,
        first=report.FIRST,
        words=_WORDS,
        meanings=_MEANINGS,
    )


def _widest(report: VersionReport) -> float:
    """The largest share of any label, now or then."""
    return max((max(now, then) for _, now, then in report.shares()), default=1.0)
