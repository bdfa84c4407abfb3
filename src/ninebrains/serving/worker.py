"""One process of a host, as the server starts it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SETTINGS = "NINEBRAINS_SERVE_SETTINGS"
"""The environment variable in which a worker finds its settings, as JSON."""


def make() -> ASGIApp:
    """The application of this process."""
    from ninebrains.serving.host import Host
    from ninebrains.serving.http.app import make_app
    from ninebrains.serving.settings import Settings

    return make_app(Host(Settings.model_validate_json(os.environ[SETTINGS])))
