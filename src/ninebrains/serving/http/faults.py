"""Which HTTP status an error is."""

from __future__ import annotations

from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DeadlineError,
    MissingError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
)

_STATUSES: tuple[tuple[type[NinebrainsError], int], ...] = (
    (PhotoError, 400),
    (MissingError, 404),
    (OverloadError, 429),
    (DeadlineError, 504),
    (ClosedError, 503),
    (OutputError, 507),
    (BrainError, 500),
)


def status_of(error: NinebrainsError) -> int:
    """The HTTP status that says what went wrong."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, AccessError):
        return 403 if error.is_known else 401
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
