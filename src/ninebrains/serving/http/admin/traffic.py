"""Traffic under `/admin`: routes, promotion and roll-back, history, gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request

from ninebrains.serving.http.admin.forms import (
    CountsTold,
    HistoryTold,
    Promotion,
    RollBack,
    RouteChange,
    TrialTold,
)
from ninebrains.serving.http.admin.versions import Name
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.traffic.route import Route

if TYPE_CHECKING:
    from ninebrains.serving.host import Host


def router(host: Host) -> APIRouter:
    """The routes of this module."""
    routes = APIRouter(tags=["traffic"])

    @routes.get("/brains/{name}/route", summary="How requests are shared among versions")
    def get_route(name: Name) -> Route:
        return host.traffic.route(name)

    @routes.patch("/brains/{name}/route", summary="Change how requests are shared")
    def change_route(name: Name, change: RouteChange, request: Request) -> Route:
        """All at once; what is not named stays. The reply is the whole route as it is now."""
        fields: dict[str, object] = {
            field: getattr(change, field) for field in change.model_fields_set - {"why"}
        }
        return host.traffic.change(name, _who(request), why=change.why, **fields)

    @routes.post("/brains/{name}/promote", summary="Make the canary, or a version, stable")
    def promote(name: Name, request: Request, promotion: Promotion | None = None) -> Route:
        asked = promotion or Promotion()
        return host.traffic.promote(name, _who(request), asked.number, why=asked.why)

    @routes.post("/brains/{name}/roll-back", summary="End the trial, or undo the last promotion")
    def roll_back(name: Name, request: Request, reason: RollBack | None = None) -> Route:
        why = reason.why if reason is not None else ""
        return host.traffic.roll_back(name, _who(request), why=why)

    @routes.get("/brains/{name}/history", summary="What happened to the route, and why")
    def get_history(name: Name) -> HistoryTold:
        return HistoryTold(history=list(host.traffic.history(name)))

    @routes.get("/brains/{name}/counts", summary="What became of requests, by version")
    def get_counts(name: Name) -> CountsTold:
        """Since the host's first day, but for what other workers counted in their last second."""
        host.traffic.route(name)  # whether it is there
        return CountsTold(versions=list(host.counts.summaries(name)))

    @routes.get("/brains/{name}/gate", summary="How the canary stands against its goals")
    def get_gate(name: Name) -> TrialTold:
        status = host.judge.status(name)
        return TrialTold(verdict=host.traffic.state(name).verdict, gate=status)

    return routes


def _who(request: Request) -> str:
    """Who asks, for the history: the name of the key."""
    return caller_of(request).key or "somebody"
