"""The port that all workers of a host share, each with a socket of its own."""

from __future__ import annotations

import socket

from ninebrains.errors import SettingsError


def reserve(address: str, port: int) -> socket.socket:
    """Keep a port for processes that are about to listen on it, as long as the socket is open.

    It takes no connections itself. The kernel shares these among the sockets that listen.

    Args:
        address: to listen on.
        port: 0 for any free one; `getsockname()[1]` of the socket tells which.

    Raises:
        SettingsError: another program has it, or the address is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            # A port that is shared already would be shared with us: ask for it unshared first.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((address, port))
            port = alone.getsockname()[1]
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((address, port))
    except OSError as error:
        raise SettingsError(
            f"cannot listen for gRPC on {address}, port {port}: {error.strerror or error}. Choose "
            "another --grpc-port (0 for any that is free), --no-grpc, or stop who has it."
        ) from error
    return held
