"""Prediction ids: a sealed note of what was answered, so that feedback needs no record of it.

An id says which version answered, why that one, its best labels, when, and who asked (as a keyed
hash). Only the host's own secret can seal one, so feedback on answers that never were is refused;
nothing is written when a photo is answered, and a killed worker forgets nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from ninebrains.errors import RequestError
from ninebrains.serving.asking import Variant
from ninebrains.serving.ledger import Ledger

NUM_LABELS = 5
_VARIANTS: tuple[Variant, ...] = ("stable", "canary", "shadow", "version")
_HEAD = struct.Struct("<B8sI8sQBBB")
_FORM = 1
_MAC_BYTES = 10
_MOST_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was answered once.

    Attributes:
        key: 16 hex digits that no other prediction has.
        name: of the brain.
        number: of the version.
        variant: why that version.
        user: keyed hash of who asked, 16 hex digits; zeros for nobody.
        seconds: when, since 1970.
        labels: indices of the best labels, the surest first.
        is_rejected: whether the answer was "none of these".
        consent: whether the photo may be kept.
    """

    key: str
    name: str
    number: int
    variant: Variant
    user: str
    seconds: int
    labels: tuple[int, ...]
    is_rejected: bool
    consent: bool


class Seal:
    """Makes and opens prediction ids.

    Args:
        secret: 32 bytes that every worker of the host has and nobody else.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def user(self, user: str) -> str:
        """Stands for a user in all that is stored: 16 hex digits, zeros for nobody."""
        if not user:
            return "0" * 16
        key = hashlib.sha256(b"user" + self._secret).digest()
        return hashlib.blake2b(user.encode(), digest_size=8, key=key).hexdigest()

    def make(
        self,
        name: str,
        number: int,
        variant: Variant,
        *,
        labels: tuple[int, ...],
        user: str = "",
        is_rejected: bool = False,
        consent: bool = False,
    ) -> str:
        """An id for an answer that is being given; `user` is in plain, the rest as in Prediction.

        Returns:
            Letters, digits, `-` and `_`.
        """
        best = labels[:NUM_LABELS]
        head = _HEAD.pack(
            _FORM,
            os.urandom(8),
            int(time.time()) & 0xFFFFFFFF,
            bytes.fromhex(self.user(user)),
            number,
            _VARIANTS.index(variant),
            is_rejected | consent << 1,
            len(best),
        )
        body = head + struct.pack(f"<{len(best)}I", *best) + name.encode()
        return base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def open(self, text: str) -> Prediction:
        """What an id says.

        Raises:
            RequestError: this host never gave that id.
        """
        body = self._body(text)
        form, key, seconds, user, number, variant, flags, count = _HEAD.unpack_from(body)
        if form != _FORM:
            raise RequestError("this prediction id was given by another version of the host")
        labels = struct.unpack_from(f"<{count}I", body, _HEAD.size)
        return Prediction(
            key=key.hex(),
            name=body[_HEAD.size + 4 * count :].decode(),
            number=number,
            variant=_VARIANTS[variant],
            user=user.hex(),
            seconds=seconds,
            labels=tuple(labels),
            is_rejected=bool(flags & 1),
            consent=bool(flags & 2),
        )

    def _body(self, text: str) -> bytes:
        """What was sealed; whoever has the secret can rely on its form."""
        data = b""
        if len(text) <= _MOST_CHARACTERS:
            with suppress(ValueError):  # neither base64 nor, perhaps, ASCII
                data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise RequestError(
                "this is no prediction id of this host; expected the prediction_id of an answer, "
                "unchanged"
            )
        return body

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=self._secret).digest()


def secret_of(ledger: Ledger) -> bytes:
    """The host's own secret, made once."""
    ledger.prepare("CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY, value BLOB)")
    with ledger.writing() as rows:
        rows.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (os.urandom(32),))
        (value,) = rows.execute("SELECT value FROM secret").fetchone()
    return bytes(value)
