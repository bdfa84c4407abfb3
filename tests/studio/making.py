"""A studio in a process of its own, and a client that is signed in to it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

PATIENCE_SECONDS = 90


class Page:
    """What a browser is to a studio."""

    def __init__(self, project, home, *options, **environment):
        self.project = Path(project)
        self._start(home, options, environment)

    def _start(self, home, options, environment):
        command = [sys.executable, "-m", "ninebrains.cli", "studio", str(self.project)]
        if "--port" not in options:
            command += ["--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--no-open", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NINEBRAINS_HOME": str(home), **environment},
        )
        self._errors = []
        self._reader = threading.Thread(target=self._errors.extend, args=(self.process.stderr,))
        self._reader.start()
        lines = [self.process.stdout.readline() for _ in range(2)]
        if not lines[1]:
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()
            self.process.stderr.close()
            raise AssertionError("".join(self._errors))
        self.url = lines[0].rsplit(" ", 1)[1].strip()
        self.link = lines[1].rsplit(" ", 1)[1].strip()
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, verify=False)

    @property
    def errors(self):
        return "".join(self._errors)

    def sign_in(self):
        assert self.http.get(self.link).status_code == 303
        return self

    def get(self, path, **query):
        reply = self.http.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path, status=200, /, **fields):
        reply = self.http.post(path, json=fields)
        assert reply.status_code == status, reply.text
        return reply.json()

    def refused(self, path, status, **fields):
        return self.post(path, status, **fields)["error"]

    def wait(self, job, state="done"):
        end = time.monotonic() + PATIENCE_SECONDS
        while (told := self.get(f"/api/jobs/{job}"))["state"] in ("waiting", "running"):
            assert time.monotonic() < end, told
            time.sleep(0.02)
        assert told["state"] == state, told
        return told

    def bring(self, *files, **query):
        """Upload (name, bytes) pairs as a form."""
        parts = [("photos", (name, data, "image/jpeg")) for name, data in files]
        reply = self.http.post("/api/import", params=query, files=parts)
        assert reply.status_code == 202, reply.text
        return self.wait(reply.json()["job"])["result"]

    def bring_raw(self, name, data, **query):
        reply = self.http.post("/api/import", params={"name": name, **query}, content=data)
        assert reply.status_code == 202, reply.text
        return reply.json()["job"]

    def bring_folder(self, path, **options):
        reply = self.post("/api/import/folder", 202, path=str(path), **options)
        return self.wait(reply["job"])["result"]

    def learnt(self, after=0):
        """Wait until a run later than `after` is there and nothing is left to do; the project."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            told = self.get("/api/project")
            learning = told["learning"]
            is_new = told["run"] is not None and told["run"]["id"] > after
            if is_new and learning["up_to_date"] and learning["stage"] == "idle":
                return told
            assert learning["error"] is None, learning
            assert time.monotonic() < end, learning
            time.sleep(0.05)

    def events(self, num, last=None):
        """The next so many events as (id, kind, data)."""
        headers = {} if last is None else {"last-event-id": last}
        found, fields = [], {}
        with self.http.stream("GET", "/api/events", headers=headers) as stream:
            for line in stream.iter_lines():
                key, _, value = line.partition(": ")
                if key in ("id", "event", "data"):
                    fields[key] = value
                elif not line and fields.get("event"):
                    found.append((fields["id"], fields["event"], json.loads(fields["data"])))
                    fields = {}
                    if len(found) == num:
                        return found
        return found

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def close(self):
        self.process.terminate()
        self._ended()
        assert "Traceback" not in self.errors, self.errors

    def _ended(self):
        self.process.wait(timeout=PATIENCE_SECONDS)
        self._reader.join()
        self.http.close()
        self.process.stdout.close()
        self.process.stderr.close()
