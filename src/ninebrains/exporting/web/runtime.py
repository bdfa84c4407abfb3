"""The runtime in the browser: ONNX Runtime Web, one pinned version, fetched once.

It comes through the `npm` client, so that a company's own registry and proxy are used as they are
set up there. What arrives must have the hash below. `NINEBRAINS_ONNXRUNTIME_WEB` names the file
where there is no network.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ninebrains.errors import ExtraError
from ninebrains.places import cache_folder, holding, write_bytes

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
SHA512 = (  # as the registry's `dist.integrity` says, in hexadecimal
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
VARIABLE = "NINEBRAINS_ONNXRUNTIME_WEB"

_FETCH_SECONDS = 300
_LARGEST_BYTES = 400 * 1024 * 1024  # of the package, and of any file in it


@dataclass(frozen=True)
class Build:
    """One build of the runtime.

    Attributes:
        module: the script, as named in the package.
        wasm: the program, as named in the package.
    """

    module: str
    wasm: str


BUILDS: Mapping[str, Build] = {
    "wasm": Build("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": Build("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
"""`wasm` runs everywhere; `webgpu` is larger and is only fetched where it might be faster."""


def require_runtime() -> None:
    """Make sure that the runtime is here, fetching it where it is not.

    Raises:
        ExtraError: it cannot be had; the message says what to do.
    """
    _package()


def runtime_files() -> dict[str, bytes]:
    """The files of both builds, by their name in the package.

    Raises:
        ExtraError: the package is not here and cannot be had; the message says what to do.
    """
    data = _package()
    wanted = {name for build in BUILDS.values() for name in (build.module, build.wasm)}
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            folder, _, name = member.name.rpartition("/")
            if folder == "package/dist" and name in wanted and member.isfile():
                file = archive.extractfile(member)
                found[name] = file.read(_LARGEST_BYTES) if file else b""
    return found


def packed(data: bytes) -> bytes:
    """A program of the runtime packed with gzip, which takes seconds and is therefore kept."""
    path = cache_folder() / "web" / f"{hashlib.sha256(data).hexdigest()}.gz"
    kept = _read(path)
    if kept is not None and _unpacks_to(kept, data):
        return kept
    small = gzip.compress(data, 7, mtime=0)
    write_bytes(path, small)
    return small


def _unpacks_to(small: bytes, data: bytes) -> bool:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(small, len(data) + 1) == data
    except zlib.error:
        return False


def _package() -> bytes:
    """The package as published, from the file named, the cache, or the registry."""
    named = os.environ.get(VARIABLE)
    if named:
        return _named(Path(named))
    cached = cache_folder() / "web" / f"{PACKAGE}-{VERSION}.tgz"
    with holding(cached.with_suffix(".lock")):
        data = _read(cached)
        if data is None or not _is_right(data):
            data = _fetch()
            write_bytes(cached, data)
    return data


def _named(path: Path) -> bytes:
    data = _read(path)
    if data is None:
        raise ExtraError(
            f"{VARIABLE} names {path}, which cannot be read; expected the file of "
            f"`npm pack {PACKAGE}@{VERSION}`."
        )
    if not _is_right(data):
        raise ExtraError(
            f"{VARIABLE} names {path}, which is not {PACKAGE} {VERSION} as published; get it with "
            f"`npm pack {PACKAGE}@{VERSION}` on a machine with a network."
        )
    return data


def _read(path: Path) -> bytes | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _is_right(data: bytes) -> bool:
    return hashlib.sha512(data).hexdigest() == SHA512


def _fetch() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise ExtraError(_hint("there is no `npm` on this machine. Install Node.js, or"))
    with tempfile.TemporaryDirectory(prefix="ninebrains-npm-") as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent"]
        try:
            done = subprocess.run(  # noqa: S603 - found by name, and all arguments are ours
                command, cwd=folder, capture_output=True, timeout=_FETCH_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExtraError(_hint(f"`npm pack` failed: {error}. Try again, or")) from error
        data = _read(Path(folder) / f"{PACKAGE}-{VERSION}.tgz")
        if done.returncode or data is None:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = f" ({said[-1][:200]})" if said else ""
            raise ExtraError(_hint(f"`npm pack` failed{reason}. Check the network, or"))
    if not _is_right(data):
        raise ExtraError(
            _hint("what `npm pack` fetched is not what was published. Check the registry, or")
        )
    return data


def _hint(reason: str) -> str:
    return (
        f"a web export needs {PACKAGE} {VERSION}, and {reason} get the file elsewhere with "
        f"`npm pack {PACKAGE}@{VERSION}` and name it: {VARIABLE}={PACKAGE}-{VERSION}.tgz"
    )
