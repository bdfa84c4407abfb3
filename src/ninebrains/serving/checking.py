"""What is looked at before a host starts, so that what cannot work is told in one line."""

from __future__ import annotations

import shlex
import ssl
from pathlib import Path

from ninebrains.errors import SettingsError
from ninebrains.serving.keys import Keys, is_loopback
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Settings, Tls
from ninebrains.serving.state import state_file
from ninebrains.serving.traces import exporter_to


def check(settings: Settings) -> None:
    """Refuse settings that cannot be kept to on this machine.

    Raises:
        SettingsError: says which one, and what to do.
        ExtraError: one of them needs packages that are not installed.
        OutputError: nothing can be written to the folder for the state.
    """
    _check_sources(settings.sources)
    if settings.tls is not None:
        _check_tls(settings.tls)
    if settings.traces is not None:
        exporter_to(settings.traces)
    ledger = Ledger(state_file(settings))
    try:
        _check_access(settings, ledger)
    finally:
        ledger.close()


def _check_sources(sources: tuple[Path, ...]) -> None:
    if not sources:
        raise SettingsError(
            "sources: there is nothing to serve. Give a folder NAME/VERSION/, which may be empty "
            "yet, or brain files: ninebrains serve models/"
        )
    for source in sources:
        if not source.exists():
            raise SettingsError(
                f"sources: there is no {source}; expected a folder NAME/VERSION/, a brain or an "
                "ONNX file"
            )


def _check_tls(tls: Tls) -> None:
    for name, path in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"tls.{name}: {path} cannot be read: {error.strerror or error}; expected a PEM file"
            ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"tls: {tls.certificate} and {tls.key} do not go together: {error}; expected a "
            "certificate and its key, without a password, in PEM"
        ) from error


def _check_access(settings: Settings, ledger: Ledger) -> None:
    if is_loopback(settings.address) or settings.public is not None:
        return
    if not settings.keys and not Keys(ledger, settings).all():
        raise SettingsError(
            f"address: {settings.address} can be reached by others, and there is no key yet. Make "
            f"one with `ninebrains keys add NAME --state {shlex.quote(str(ledger.path.parent))}` "
            "or under [keys] in the TOML file, or let everybody ask: --public infer --public "
            "feedback; or listen on 127.0.0.1"
        )
