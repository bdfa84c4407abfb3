"""How many pieces a message falls into, found out before it is made.

An empty message inside another takes two bytes on the wire and some forty in memory, so that a body
within its limit could become gigabytes. Photos are few large pieces; what has tens of thousands of
small ones is no request for anything that a host does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninebrains.errors import RequestError

if TYPE_CHECKING:
    from ninebrains.serving.grpc.messages import Message

MOST_FIELDS = 20_000
"""In one message, those inside it included. A list of numbers is one."""

_SMALL_BYTES = 2**16
"""A message of fewer bytes can do no harm."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def check_fields(descriptor: Message, data: bytes) -> None:
    """Refuse a message that would fall into too many pieces.

    What is no message at all passes: whoever reads it will say so.

    Args:
        descriptor: of the message.
        data: as it came.

    Raises:
        RequestError: there are more pieces than any request needs (413).
    """
    if len(data) <= _SMALL_BYTES:
        return
    left = MOST_FIELDS
    waiting = [(descriptor, 0, len(data))]
    while waiting:
        kind, place, end = waiting.pop()
        known = kind.fields_by_number
        while place < end:
            left -= 1
            if left < 0:
                raise RequestError(
                    f"the message falls into more than {MOST_FIELDS:,} pieces; expected photos "
                    "whole, each as one piece",
                    413,
                )
            tag, place = _varint(data, place, end)
            wire = tag & 7
            if wire == _LENGTH:
                size, place = _varint(data, place, end)
                field = known.get(tag >> 3)
                if field is not None and field.message_type is not None:
                    waiting.append((field.message_type, place, min(place + size, end)))
                place += size
            elif wire == _VARINT:
                _, place = _varint(data, place, end)
            elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
                place += 8 if wire == _EIGHT_BYTES else 4
            else:  # groups, which no protocol here has
                return


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """A number, and where it ends; where it is none, the end of all."""
    value = shift = 0
    while place < end and shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    return 0, end
