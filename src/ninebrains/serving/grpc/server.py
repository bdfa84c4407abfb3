"""The gRPC server of one process of a host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import grpc

from ninebrains.errors import SettingsError
from ninebrains.serving.grpc import health, inference, tensorflow
from ninebrains.serving.grpc.calls import Desk

if TYPE_CHECKING:
    from ninebrains.serving.grpc.messages import Message
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Settings, Tls

_LOG = logging.getLogger("ninebrains.serving")

_IDLE_MS = 60_000
"""After that long without a word from a client it is asked whether it is still there."""
_IDENTITY_ALONE = 1
"""Messages are taken as they are: some bytes of gzip may stand for gigabytes, which the library
would unpack before it looks at how much it is, and photos do not get smaller by it."""


@asynccontextmanager
async def answering_grpc(host: Host) -> AsyncGenerator[GrpcServer | None, None]:
    """While gRPC calls are answered, in the running event loop; a host that cannot do so fails."""
    try:
        server = await GrpcServer.start(host)
    except SettingsError as error:
        host.failure = str(error)
        _LOG.error("%s", error)
        yield None
        return
    _LOG.info("gRPC on %s, port %d", host.settings.address, server.port)
    try:
        yield server
    finally:
        await server.stop(host.settings.drain_seconds)


class GrpcServer:
    """Answers gRPC calls in the running event loop.

    Attributes:
        port: on which it listens.
    """

    def __init__(self, server: Message, port: int, stopping: asyncio.Event) -> None:
        self._server = server
        self._stopping = stopping
        self.port = port

    @classmethod
    async def start(cls, host: Host) -> Self:
        """Listen on the port that the host's settings name; any free one for 0.

        Raises:
            SettingsError: the port is taken, or the TLS files are none.
        """
        settings = host.settings
        stopping = asyncio.Event()
        desk = Desk(host, stopping)
        server = grpc.aio.server(
            options=_options(settings), maximum_concurrent_rpcs=settings.limits.connections
        )
        server.add_generic_rpc_handlers(
            (*inference.services(desk), *tensorflow.services(desk), *health.services(desk))
        )
        port = _listen(server, settings)
        await server.start()
        return cls(server, port, stopping)

    async def stop(self, seconds: float) -> None:
        """Take no more calls, answer those that had begun, and end; at the latest after so long."""
        self._stopping.set()
        await self._server.stop(seconds)


def _options(settings: Settings) -> list[tuple[str, int]]:
    limits = settings.limits
    return [
        ("grpc.max_receive_message_length", limits.body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", limits.header_bytes),
        ("grpc.absolute_max_metadata_size", limits.header_bytes),
        ("grpc.server_handshake_timeout_ms", int(limits.header_seconds * 1000)),
        ("grpc.keepalive_time_ms", _IDLE_MS),
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ALONE),
        ("grpc.so_reuseport", 1),  # workers share the port; see `ports`
    ]


def _listen(server: Message, settings: Settings) -> int:
    address = f"[{settings.address}]" if ":" in settings.address else settings.address
    place = f"{address}:{settings.grpc_port or 0}"
    try:
        if settings.tls is None:
            port: int = server.add_insecure_port(place)
        else:
            port = server.add_secure_port(place, _credentials(settings.tls))
    except RuntimeError as error:
        raise SettingsError(
            f"cannot listen for gRPC on {settings.address}, port {settings.grpc_port}. Choose "
            "another --grpc-port (0 for any that is free), --no-grpc, or stop who has it."
        ) from error
    return port


def _credentials(tls: Tls) -> Message:
    try:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read the TLS files: {error}") from error
    return grpc.ssl_server_credentials([pair])
