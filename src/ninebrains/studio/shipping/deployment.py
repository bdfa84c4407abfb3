"""What is live: the host that the studio watches and changes, its own or one elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ninebrains.errors import MissingError, NinebrainsError, RequestError
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Folder
from ninebrains.studio.shipping.client import HostClient
from ninebrains.studio.shipping.own import find_host, start_host, stop_host
from ninebrains.studio.shipping.publishing import path_of, put_live, split

_LOOK_SECONDS = 2.0
_DRIFT_EVERY = 5
_KEPT = 900
_HISTORY = 20


class Deployment:
    """A host and what is known of it, looked at every two seconds.

    Args:
        folder: of the project.
        events: told of `serve` after each look.
        name: of the project's brain.
    """

    def __init__(self, folder: Folder, events: Events, name: str) -> None:
        self._folder, self._events, self.name = folder, events, name
        self._lock = threading.RLock()
        self._client: HostClient | None = None
        self._is_own = False
        self._trouble: str | None = None
        self._told: dict[str, Any] = {}
        self._series: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._before: Mapping[tuple[int, str], Mapping[str, Any]] = {}
        self._looks = 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="studio-host", daemon=True)

    def start(self) -> None:
        """Find the host of an earlier studio again, if it is still there."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking, and end our own host."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)
        with self._lock:
            was_own = self._is_own
            self._forget()
        if was_own:
            stop_host(self._folder)

    def start_own(self, port: int | None) -> None:
        """Start a host of our own, and watch it.

        Raises:
            HostError: it does not start.
        """
        host = start_host(self._folder, port)
        with self._lock:
            self._forget()
            self._client, self._is_own = HostClient(host.url, host.key), True
        self._look_now()

    def stop_own(self) -> None:
        """End our own host.

        Raises:
            MissingError: there is none.
        """
        with self._lock:
            if not self._is_own:
                raise MissingError("no host of this studio is running")
            self._forget()
        stop_host(self._folder)
        self._tell()

    def connect(self, url: str, key: str | None) -> None:
        """Watch a host elsewhere.

        Raises:
            AccessError: the key is not one for administrators.
            HostError: it cannot be reached.
        """
        client = HostClient(url, key)
        try:
            client.get("/admin/brains")
        except BaseException:
            client.close()
            raise
        with self._lock:
            if self._is_own:
                client.close()
                raise RequestError("a host of this studio is running; stop it first", 409)
            self._forget()
            self._client = client
        self._look_now()

    def disconnect(self) -> None:
        """Look at no host any more; it goes on."""
        with self._lock:
            if self._is_own:
                raise RequestError("this is the studio's own host; stop it instead", 409)
            self._forget()
        self._tell()

    def put_live(self, brain: Path, version: int, role: str, percent: float) -> dict[str, Any]:
        """Give the host a brain, and a part in answering; see `publishing.put_live`.

        Args:
            brain: its file.
            version: of the brain, and of what is served where that number is free there.
            role: `stable` (answers everybody), `canary` (answers a share) or `shadow` (runs along).
            percent: the share of a canary or shadow.

        Raises:
            HostError: or any other error of a host.
        """
        try:
            number = put_live(self._need(), self.name, brain, version, role, percent)
        finally:
            self._look_now()
        return {"number": number}

    def split(self, number: int, role: str, percent: float) -> None:
        """Give a version a part in answering; see `publishing.split`."""
        split(self._need(), self.name, number, role, percent)
        self._look_now()

    def promote(self, number: int | None) -> None:
        """Make the canary stable, or that version."""
        fields: dict[str, Any] = {"why": "from the studio"}
        if number is not None:
            fields["number"] = number
        self._need().send("POST", self._path("promote"), fields)
        self._look_now()

    def roll_back(self) -> None:
        """End the trial, or undo the last promotion."""
        self._need().send("POST", self._path("roll-back"), {"why": "from the studio"})
        self._look_now()

    def told(self) -> dict[str, Any]:
        """Everything about the host, for the page."""
        with self._lock:
            client = self._client
            return {
                "state": "off" if client is None else "trouble" if self._trouble else "on",
                "url": client.url if client else None,
                "is_own": self._is_own,
                "error": self._trouble,
                "name": self.name,
                **self._told,
                "series": list(self._series),
                "command": f"ninebrains serve {self._folder.models}",
            }

    def _need(self) -> HostClient:
        with self._lock:
            if self._client is None:
                raise MissingError("no host is running or connected; start one first")
            return self._client

    def _path(self, what: str) -> str:
        return path_of(self.name, what)

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._is_own, self._trouble = None, False, None
        self._told, self._before = {}, {}
        self._series.clear()

    def _run(self) -> None:
        host = find_host(self._folder)
        if host is not None:
            with self._lock:
                if self._client is None:
                    self._client, self._is_own = HostClient(host.url, host.key), True
        while not self._closing:
            if self._client is not None:
                self._look_now()
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()

    def _look_now(self) -> None:
        """See how the host is doing, and tell the pages."""
        client = self._client
        if client is None:
            return
        try:
            found = self._look(client)
        except NinebrainsError as error:
            with self._lock:
                if self._client is client:
                    self._trouble = str(error)
        else:
            with self._lock:
                if self._client is client:
                    self._trouble = None
                    self._told |= found
                    self._series.append(self._point(found["counts"]))
        self._tell()

    def _look(self, client: HostClient) -> dict[str, Any]:
        names = client.get("/admin/brains")["names"]
        own = next((one for one in names if one["name"] == self.name), None)
        found: dict[str, Any] = {
            "names": [one["name"] for one in names],
            "route": own["route"] if own else None,
            "versions": own["versions"] if own else [],
            "counts": [],
            "history": [],
            "gate": None,
        }
        if own is not None:
            get: Callable[[str], Any] = client.get
            found["counts"] = get(self._path("counts"))["versions"]
            found["history"] = get(self._path("history"))["history"][:_HISTORY]
            found["gate"] = get(self._path("gate"))
            if self._looks % _DRIFT_EVERY == 0:
                drift = get(f"/drift/data?brain={quote(self.name)}")
                found["drift"] = drift["versions"]
        self._looks += 1
        return found

    def _point(self, counts: list[dict[str, Any]]) -> dict[str, Any]:
        """What happened since the last look, by version and variant."""
        now = {(one["number"], one["variant"]): one for one in counts}
        point = []
        for key, one in now.items():
            old = self._before.get(key, {})
            num = one["answered"] - old.get("answered", 0)
            spent = _total_ms(one) - _total_ms(old)
            point.append(
                {
                    "number": one["number"],
                    "variant": one["variant"],
                    "answered": num if self._before else 0,
                    "failed": one["failed"] - old.get("failed", 0) if self._before else 0,
                    "mean_ms": spent / num if num > 0 and self._before else None,
                    "confirmed": one["confirmed"],
                    "disputed": one["disputed"],
                }
            )
        self._before = now or {(0, ""): {}}
        return {"at": time.time(), "versions": point}

    def _tell(self) -> None:
        told = self.told()
        told["series"] = told["series"][-1:]
        self._events.tell("serve", **told)


def _total_ms(summary: Mapping[str, Any]) -> float:
    mean = summary.get("mean_ms")
    return 0.0 if mean is None else float(mean) * int(summary["answered"])
