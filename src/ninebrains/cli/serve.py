"""`ninebrains serve`: a host that answers over HTTP and gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ninebrains.cli.hosts import needing_serving


def serve(
    sources: Annotated[
        Optional[list[Path]],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders NAME/VERSION/, watched; or brains and ONNX files.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Optional[Path], typer.Option(help="TOML file with settings; flags go before it.")
    ] = None,
    name: Annotated[
        Optional[str], typer.Option(help="What to call the brain where there is just one.")
    ] = None,
    address: Annotated[
        Optional[str], typer.Option(help="Address to listen on; default 127.0.0.1.")
    ] = None,
    port: Annotated[
        Optional[int], typer.Option(min=0, max=65535, help="HTTP port; default 8000; 0: any.")
    ] = None,
    grpc_port: Annotated[
        Optional[int], typer.Option(min=0, max=65535, help="gRPC port; default 8001; 0: any.")
    ] = None,
    no_grpc: Annotated[bool, typer.Option("--no-grpc", help="Answer over HTTP alone.")] = False,
    workers: Annotated[
        Optional[int], typer.Option(min=1, help="Processes that answer; default 1.")
    ] = None,
    state: Annotated[
        Optional[Path], typer.Option(help="Folder for what outlives the host.")
    ] = None,
    latest: Annotated[
        Optional[int], typer.Option(min=1, help="Load so many of the newest versions of a name.")
    ] = None,
    public: Annotated[
        Optional[list[str]],
        typer.Option(help="What needs no key: infer, feedback. May be repeated."),
    ] = None,
    url_host: Annotated[
        Optional[list[str]],
        typer.Option(help="Host that photos may be fetched from by URL. May be repeated."),
    ] = None,
    tls_certificate: Annotated[Optional[Path], typer.Option(help="PEM file.")] = None,
    tls_key: Annotated[Optional[Path], typer.Option(help="PEM file.")] = None,
    log_level: Annotated[Optional[str], typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Answer requests for many brains and versions until it is stopped.

    Each flag has a name in the TOML file and a variable NINEBRAINS_SERVE_...; a flag goes before
    the variable, and that before the file.
    """
    with needing_serving():
        from ninebrains.serving.reading import read_settings
        from ninebrains.serving.supervising import supervise
    flags: dict[str, Any] = {
        "sources": sources or None,
        "name": name,
        "address": address,
        "port": port,
        "grpc_port": grpc_port,
        "workers": workers,
        "state": state,
        "policy": {"latest": latest} if latest else None,
        "public": public or None,
        "urls": {"hosts": url_host} if url_host else None,
        "tls": _tls(tls_certificate, tls_key),
        "log_level": log_level,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    if no_grpc:
        given["grpc_port"] = None
    settings = read_settings(given, config)
    raise typer.Exit(supervise(settings, given, config))


def _tls(certificate: Path | None, key: Path | None) -> dict[str, Path] | None:
    both = {"certificate": certificate, "key": key}
    return {name: path for name, path in both.items() if path is not None} or None
