"""The FastAPI application of all routes under `/admin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ninebrains.errors import NinebrainsError, RequestError
from ninebrains.serving.http.admin import people, traffic, versions
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.faults import fault_of, respond

if TYPE_CHECKING:
    from ninebrains.serving.host import Host

_MOST_PROBLEMS = 5
_NO_OBJECT = ("model_attributes_type", "dict_type", "missing")


def make_admin(host: Host) -> FastAPI:
    """All routes under `/admin`, with errors in our own form."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_check_query)],
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            NinebrainsError: respond,
            HTTPException: respond,
            RequestValidationError: _respond_invalid,
            Exception: _respond_unexpected,
        },
    )
    for module in (versions, traffic, people):
        app.include_router(module.router(host), prefix="/admin")
    return app


async def _respond_invalid(request: Request, error: Exception) -> Response:
    """What FastAPI finds wrong with a request, as a request error of ours."""
    assert isinstance(error, RequestValidationError)
    problems = []
    for problem in error.errors()[:_MOST_PROBLEMS]:
        if problem["loc"][:1] == ("body",) and (
            problem["type"] == "json_invalid"
            or (problem["type"] in _NO_OBJECT and len(problem["loc"]) == 1)
        ):
            problems.append(_no_object(problem))
            continue
        where = ".".join(str(part) for part in problem["loc"][1:])
        what = problem["msg"].removeprefix("Value error, ")
        got = "" if problem["type"] == "missing" else _shown(problem["input"])
        problems.append(f"{where or problem['loc'][0]}: {what}{got}")
    return await respond(request, RequestError("; ".join(problems)[:2000]))


def _no_object(problem: Mapping[str, Any]) -> str:
    """What is wrong with a body that is not what all bodies here are."""
    if problem["type"] == "json_invalid":
        got = f"the body is no JSON: {problem['ctx']['error']}, at character {problem['loc'][1]}"
    else:
        got = "there is no body" if problem["type"] == "missing" else "the body is something else"
    return f"{got}; expected a JSON object, with the header 'Content-Type: application/json'"


def _check_query(request: Request) -> None:
    """No route here has parameters behind a `?`; one that is not looked at would mislead."""
    if request.query_params:
        name = next(iter(request.query_params))
        raise RequestError(
            f"got {name[:60]!r} behind the ?; nothing is expected there. What is meant stands in "
            "the path, such as PUT /admin/brains/pets/versions/7, or in the body; see /docs"
        )


async def _respond_unexpected(request: Request, error: Exception) -> Response:
    """What nobody expected, in our form; FastAPI hands it on to the guard, who logs it."""
    path = request.url.path
    fault = fault_of(error, path)
    body = fault.body(path, caller_of(request).request_id)
    return Response(body, fault.status, media_type="application/json")


def _shown(value: object) -> str:
    return f", got {str(value)[:80]!r}"
