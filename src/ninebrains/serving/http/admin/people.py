"""Keys, users, feedback and settings under `/admin`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from ninebrains.serving.http.admin.forms import (
    Forgotten,
    KeysTold,
    KeyTold,
    NewKey,
    ReloadTold,
    SecretTold,
)

if TYPE_CHECKING:
    from ninebrains.serving.host import Host

KeyName = Annotated[str, Path(description="Of the key.", min_length=1, max_length=64)]
User = Annotated[str, Path(description="As requests name them.", min_length=1, max_length=256)]


def router(host: Host) -> APIRouter:
    """The routes of this module."""
    routes = APIRouter(tags=["keys, people and settings"])

    @routes.get("/keys", summary="All keys, without their secrets")
    def list_keys() -> KeysTold:
        return KeysTold(keys=[KeyTold.model_validate(asdict(entry)) for entry in host.keys.all()])

    @routes.post("/keys", summary="Make a key", status_code=201)
    def add_key(key: NewKey) -> SecretTold:
        """The secret is told this once; only its hash is kept."""
        secret = host.keys.add(
            key.name,
            key.scopes,
            requests_per_second=key.requests_per_second,
            at_once=key.at_once,
        )
        return SecretTold(name=key.name, secret=secret)

    @routes.delete("/keys/{name}", summary="Remove a key", status_code=204)
    def remove_key(name: KeyName) -> None:
        host.keys.remove(name)

    @routes.delete("/users/{user:path}", summary="Delete all that is kept of a user")
    def forget_user(user: User) -> Forgotten:
        """Their photos, waiting ones too, and all feedback from or for them."""
        return Forgotten.model_validate(host.feedback.forget(user))

    @routes.get("/feedback", summary="How much feedback and how many photos are kept")
    def feedback_stats() -> dict[str, object]:
        return dict(host.feedback.stats())

    @routes.post("/reload", summary="Read the settings anew")
    def reload_settings() -> ReloadTold:
        reloaded = host.reload()
        return ReloadTold(
            changed=list(reloaded.changed), needs_restart=list(reloaded.needs_restart)
        )

    return routes
