"""Signatures: who vouches for a brain (Ed25519, RFC 8032).

What is signed are the canonical bytes of `brain.json`. They hold the hashes of the graph and the
card, and the graph names every weight by its hash, so the signature covers every byte of the brain.

A public key is `ed25519:` and 64 hex digits; a private key, which stays in its file, is
`ed25519-private:` and 64.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ninebrains.brains.brain import Brain, Signature
from ninebrains.brains.encoding import canonical
from ninebrains.errors import BrainError, OutputError
from ninebrains.places import write_bytes

_PUBLIC = re.compile(r"ed25519:([0-9a-f]{64})")
_PRIVATE = re.compile(r"ed25519-private:([0-9a-f]{64})")


def new_key(path: str | os.PathLike[str]) -> str:
    """Make a key pair: the private key into a new file for its owner alone, the public into `.pub`.

    Returns:
        The public key's text, for those who will trust it.

    Raises:
        OutputError: a file is there already, or cannot be written.
    """
    from nacl.signing import SigningKey

    path = Path(path)
    beside = path.with_name(path.name + ".pub")
    for place in (path, beside):
        if os.path.lexists(place):
            raise OutputError(f"{place} exists; a key is never overwritten. Choose another name.")
    key = SigningKey.generate()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created for its owner alone from the first moment on.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"ed25519-private:{bytes(key).hex()}\n")
    except OSError as error:
        raise OutputError(f"could not write {path}: {error.strerror or error}") from error
    public = f"ed25519:{bytes(key.verify_key).hex()}"
    write_bytes(beside, f"{public}\n".encode())
    return public


def sign(brain: Brain, key: str | os.PathLike[str]) -> Brain:
    """The same brain, signed with the private key in the file `key`.

    Raises:
        BrainError: the file holds no private key.
    """
    from nacl.signing import SigningKey

    secret = SigningKey(bytes.fromhex(_read_key(Path(key), _PRIVATE, "private")))
    signed = secret.sign(canonical(brain.manifest)).signature
    signature = Signature(public_key=bytes(secret.verify_key).hex(), signature=signed.hex())
    return replace(brain, signature=signature)


def verify(brain: Brain, trusted: Collection[str]) -> str:
    """Insist that one of the `trusted` public keys has signed the brain; return that key.

    Args:
        brain: as loaded.
        trusted: public keys, or paths of files that hold one each.

    Raises:
        BrainError: it is not signed, by another key, or not as it was when it was signed; or
            `trusted` is empty, or one key instead of a list.
    """
    if isinstance(trusted, (str, bytes)):
        raise BrainError("trusted is a list of public keys; put the one key into a list: [key]")
    keys = [public_key(item) for item in trusted]
    if not keys:
        raise BrainError(
            f"no key is trusted (the list of trusted keys is empty), so {brain.name} is refused. "
            "Name a public key, or give no list at all to load without a signature."
        )
    if brain.signature is None:
        raise BrainError(
            f"{brain.name} is not signed; expected a signature by {' or '.join(keys)}. "
            "Sign it with `ninebrains brain sign`."
        )
    signer = f"ed25519:{brain.signature.public_key}"
    if signer not in keys:
        raise BrainError(
            f"{brain.name} is signed by {signer}, which is not trusted here; trusted: "
            f"{', '.join(keys)}"
        )
    check_signature(brain)
    return signer


def check_signature(brain: Brain) -> None:
    """Check a signature against the key that it names, trusted or not.

    Raises:
        BrainError: the brain is not as it was when it was signed.
    """
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    assert brain.signature is not None
    try:
        key = VerifyKey(bytes.fromhex(brain.signature.public_key))
        key.verify(canonical(brain.manifest), bytes.fromhex(brain.signature.signature))
    except (BadSignatureError, ValueError, RuntimeError) as error:
        raise BrainError(
            f"the signature of {brain.name} does not fit: the brain was changed after it was "
            "signed. Get it again from its source."
        ) from error


def public_key(text_or_path: str | os.PathLike[str]) -> str:
    """A public key's text, from itself or from a file that holds it.

    Raises:
        BrainError: neither.
    """
    text = os.fspath(text_or_path).strip()
    if _PUBLIC.fullmatch(text):
        return text
    return f"ed25519:{_read_key(Path(text), _PUBLIC, 'public')}"


def _read_key(path: Path, pattern: re.Pattern[str], kind: str) -> str:
    try:
        text = path.read_bytes()[:200].decode("ascii", "replace").strip()
    except OSError as error:
        raise BrainError(
            f"cannot read the {kind} key {path}: {error.strerror or error}. "
            "`ninebrains brain key NEW_FILE` makes a pair."
        ) from error
    match = pattern.fullmatch(text)
    if match is None:
        raise BrainError(
            f"{path} holds no {kind} key; expected {pattern.pattern.split('(')[0]} and 64 hex "
            "digits"
        )
    return match.group(1)
