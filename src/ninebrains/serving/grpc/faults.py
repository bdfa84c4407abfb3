"""Which gRPC status an error is: that which means the same as its HTTP status.

| HTTP               | gRPC                |
|--------------------|---------------------|
| 400, 413, 415, ... | INVALID_ARGUMENT    |
| 401                | UNAUTHENTICATED     |
| 403                | PERMISSION_DENIED   |
| 404                | NOT_FOUND           |
| 409, 412, 422      | FAILED_PRECONDITION |
| 429, 507           | RESOURCE_EXHAUSTED  |
| 501                | UNIMPLEMENTED       |
| 503                | UNAVAILABLE         |
| 408, 504           | DEADLINE_EXCEEDED   |
| 500                | INTERNAL            |
"""

from __future__ import annotations

from grpc import StatusCode

from ninebrains.errors import NinebrainsError
from ninebrains.serving.http.faults import status_of

_CODES = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.FAILED_PRECONDITION,
    412: StatusCode.FAILED_PRECONDITION,
    422: StatusCode.FAILED_PRECONDITION,
    429: StatusCode.RESOURCE_EXHAUSTED,
    501: StatusCode.UNIMPLEMENTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
    507: StatusCode.RESOURCE_EXHAUSTED,
}
_MOST_CHARACTERS = 1_000
"""Of a message: it travels as a header, and clients take 8 KB of these."""


def code_of(error: NinebrainsError) -> StatusCode:
    """The status that says what went wrong."""
    status = status_of(error)
    kind = StatusCode.INVALID_ARGUMENT if status < 500 else StatusCode.INTERNAL
    return _CODES.get(status, kind)


def details_of(error: NinebrainsError) -> str:
    """What the status says, short enough for a header."""
    text = str(error)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
