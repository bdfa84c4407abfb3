"""Taking in files that are larger than memory: streamed to disk, and gone when not wanted."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import OutputError, RequestError
from ninebrains.serving.http.bodies import chunks
from ninebrains.serving.state import state_folder

if TYPE_CHECKING:
    from starlette.types import Receive

    from ninebrains.serving.settings import Settings

_BLOCK_BYTES = 4 * 2**20


@asynccontextmanager
async def received(receive: Receive, settings: Settings) -> AsyncIterator[Path]:
    """A request's body as a file in the state folder, while this lasts.

    Raises:
        RequestError: it is empty, or larger than `limits.upload_bytes` (413).
        OutputError: it cannot be written, such as on a full disk.
    """
    folder = state_folder(settings) / "uploads"
    path = await asyncio.to_thread(_draft, folder, 2 * settings.limits.upload_seconds)
    try:
        await _write(receive, path, settings.limits.upload_bytes)
        yield path
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _draft(folder: Path, seconds: float) -> Path:
    """An empty file. What a killed worker left is removed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.stat().st_mtime < time.time() - seconds:
                path.unlink(missing_ok=True)
        handle, name = tempfile.mkstemp(".brain", "upload-", folder)
    except OSError as error:
        raise _blamed(folder, error) from error
    os.close(handle)
    return Path(name)


async def _write(receive: Receive, path: Path, limit: int) -> None:
    """Write a body in large blocks, each in another thread: disks may be slow."""
    waiting, size = bytearray(), 0
    async for chunk in chunks(receive, limit):
        waiting += chunk
        size += len(chunk)
        if len(waiting) >= _BLOCK_BYTES:
            await asyncio.to_thread(_append, path, waiting)
            waiting = bytearray()
    if not size:
        raise RequestError("the body is empty; expected a brain, such as: curl -T pets.brain URL")
    await asyncio.to_thread(_append, path, waiting)


def _append(path: Path, block: bytearray) -> None:
    try:
        with path.open("ab") as file:
            file.write(block)
    except OSError as error:
        raise _blamed(path.parent, error) from error


def _blamed(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the upload cannot be stored: {error.strerror or error}. Free some space where the "
        f"state is, in a file system that can be written: {folder}"
    )
