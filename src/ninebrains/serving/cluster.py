"""A host on many machines, with Ray Serve (`pip install "ninebrains[cluster]"`).

Example:
    from ray import serve
    from ninebrains.serving.cluster import app

    serve.run(app(settings, shared="/mnt/shared/ninebrains", replicas=(2, 8)))

Each node of the Ray cluster runs one replica: a whole host with all brains, since a mind shares
what brains have in common and uses all processors that it is given. Ray shares the requests among
them, starts more where many are being answered, and lets those that end answer what has begun.

What all nodes have in common: the folders of brains (on a file system that all see, or copied to
the same path on each), keys in the settings, routes and the secret of prediction ids (`spreading`).
What each node has of its own, in its ledger: keys made through `/admin`, counts and the verdicts of
gates on them, feedback and photos, drift, limits of keys, `/metrics`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from ninebrains.errors import ClosedError, ExtraError, SettingsError
from ninebrains.serving.settings import Group, MindSettings, Settings

if TYPE_CHECKING:
    from ray.serve import Application
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ninebrains.serving.host import Host

_LOOK_SECONDS = 0.25
_NODE = b"x-node"


class ClusterSettings(Group):
    """What `make` is told.

    Attributes:
        settings: of the host on each node.
        shared: folder that all nodes see and may write to.
        replicas: how many to have, or between how many.
        cpus: processors that a replica is given.
        ongoing: requests that a replica is to answer at a time, on average; more replicas are
            started above; twice as many are sent to one at most, and four times wait in a proxy.
    """

    settings: Settings
    shared: Path
    replicas: PositiveInt | tuple[PositiveInt, PositiveInt] = 2
    cpus: PositiveInt = 2
    ongoing: Annotated[int, Field(ge=1)] = 32


def make(told: Mapping[str, object]) -> Application:
    """The application, for `serve deploy` and `serve run ninebrains.serving.cluster:make`.

    Args:
        told: as in `ClusterSettings`.

    Raises:
        SettingsError: nobody could ask, or there is nothing to ask for.
        ValidationError: a setting is unknown or of no use.
    """
    asked = ClusterSettings.model_validate(told)
    return app(
        asked.settings,
        shared=asked.shared,
        replicas=asked.replicas,
        cpus=asked.cpus,
        ongoing=asked.ongoing,
    )


def app(
    settings: Settings,
    *,
    shared: Path | str,
    replicas: int | tuple[int, int] = 2,
    cpus: int = 2,
    ongoing: int = 32,
) -> Application:
    """The application of a host on many machines, for `ray.serve.run`.

    Args:
        settings: of the host on each node. `state` is a folder on each node's own disk; `address`,
            the ports, `workers` and `tls` are Ray's to say.
        shared: folder that all nodes see and may write to.
        replicas: how many to have, or between how many; at most one for each node.
        cpus: processors that a replica is given.
        ongoing: requests that a replica is to answer at a time, on average.

    Raises:
        SettingsError: nobody could ask, or there is nothing to ask for.
        ExtraError: Ray is not installed.
    """
    own = _settings_of_nodes(settings, cpus)
    try:
        from ray import serve
    except ImportError as error:
        raise ExtraError(
            f'{error.name} is missing; a cluster needs: pip install "ninebrains[cluster]"'
        ) from error
    least, most = replicas if isinstance(replicas, tuple) else (replicas, replicas)
    hosting = serve.deployment(
        name="host",
        max_ongoing_requests=2 * ongoing,
        max_queued_requests=4 * ongoing,  # beyond that Ray's proxy refuses (503) and lets none wait
        max_replicas_per_node=1,
        autoscaling_config={
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": ongoing,
        },
        # Ray sends nothing more and waits until all is answered; then the host itself ends.
        graceful_shutdown_timeout_s=own.drain_seconds + 5,
        ray_actor_options={"num_cpus": cpus},
    )
    application: Application = hosting(
        serve.ingress(_builder(own.model_dump_json(), str(shared)))()
    ).bind()
    return application


def _settings_of_nodes(settings: Settings, cpus: int) -> Settings:
    """Settings for a host that Ray's proxy stands before: whoever asks is not on loopback."""
    if not settings.sources or settings.state is None:
        raise SettingsError(
            "sources and state must be given: folders that are there on each node, and a folder on "
            "each node's own disk"
        )
    if not settings.keys and settings.public is None:
        raise SettingsError(
            "there is no key. Put one into the settings, under keys, so that all nodes know it; or "
            'let everybody ask: public = ["infer", "feedback"]'
        )
    mind = settings.mind
    if mind.threads is None:
        mind = MindSettings.model_validate(mind.model_dump() | {"threads": cpus})
    told = {"address": "0.0.0.0", "grpc_port": None, "workers": 1, "tls": None, "mind": mind}  # noqa: S104
    return settings.model_copy(update=told)


def _builder(settings: str, shared: str) -> Callable[[], ASGIApp]:
    def build() -> ASGIApp:
        from ray import get_runtime_context

        from ninebrains.serving.cluster import Replica

        node = get_runtime_context().get_node_id()
        return Replica(Settings.model_validate_json(settings), Path(shared), node)

    return build


class Replica:
    """The application of one node.

    Args:
        settings: of its host; what it keeps goes into a folder of the node's own in `state`.
        shared: folder that all nodes see.
        node: which one this is; replies say so in `X-Node`.
    """

    def __init__(self, settings: Settings, shared: Path, node: str) -> None:
        from ninebrains.mind.backends import give_back_large_blocks
        from ninebrains.serving.host import Host
        from ninebrains.serving.http.app import make_app
        from ninebrains.serving.ledger import Ledger
        from ninebrains.serving.logs import start
        from ninebrains.serving.spreading import Spreading, common_secret, plant
        from ninebrains.serving.state import state_file, state_folder

        start(settings.log_level)
        give_back_large_blocks()
        settings = settings.model_copy(update={"state": state_folder(settings) / node})
        ledger = Ledger(state_file(settings))
        plant(ledger, common_secret(shared))
        ledger.close()
        self._host: Host = Host(settings)
        self._app = make_app(self._host)
        self._spreading = Spreading(shared, self._host.traffic)
        self._node = node.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; a host that cannot be opened is a replica that does not start."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (_NODE, self._node)]
            await send(message)

        await self._app(scope, receive, sending)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        from ninebrains.serving.chores import Chores

        chores = Chores()

        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                if self._host.failure:
                    await asyncio.to_thread(self._host.close)
                    raise ClosedError(self._host.failure)  # makes it a start that failed
                await asyncio.to_thread(self._spread)  # so that it begins as the others are
                chores.start("routes of the cluster", _LOOK_SECONDS, self._spread)
            elif message["type"].startswith("lifespan.shutdown"):
                await asyncio.to_thread(chores.close)
            await send(message)

        await self._app(scope, receive, sending)

    def _spread(self) -> None:
        self._spreading.refresh(tuple(self._host.catalog.versions))
