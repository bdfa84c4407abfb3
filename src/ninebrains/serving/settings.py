"""What a host may be told, in one place: a TOML file, environment variables, flags.

A flag goes before the environment, which goes before the file. A variable is the path of a setting
in capitals: `NINEBRAINS_SERVE_PORT`, `NINEBRAINS_SERVE_LIMITS__BODY_BYTES`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from ninebrains.brains.manifest import NAME_PATTERN, Sha256

Scope = Literal["infer", "feedback", "admin"]
PublicScope = Literal["infer", "feedback"]
Port = Annotated[int, Field(ge=0, le=65535)]
Versions = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    """Settings that belong together; unknown ones are errors, as they are mostly misspelt."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MindSettings(Group):
    """How the brains run; see `ninebrains.Mind`."""

    threads: PositiveInt | None = None
    decoders: PositiveInt | None = None
    max_pending: PositiveInt = 256
    max_memory: int | None = Field(default=None, ge=0)


class Limits(Group):
    """What one request may cost.

    `deadline_ms` holds for requests that name none, and is the longest that they may name.
    `upload_bytes` and `upload_seconds` are for brains that an administrator sends; `body_bytes` and
    `body_seconds` for all else. `bodies_bytes` is for all bodies together that one worker holds,
    brains aside.
    """

    body_bytes: PositiveInt = 64 * 2**20
    photo_bytes: PositiveInt = 32 * 2**20
    photo_pixels: PositiveInt = 100_000_000
    photos: PositiveInt = 64
    header_bytes: PositiveInt = 32 * 2**10
    header_seconds: PositiveFloat = 10.0
    body_seconds: PositiveFloat = 30.0
    bodies_bytes: PositiveInt = 2**30
    upload_bytes: PositiveInt = 4 * 2**30
    upload_seconds: PositiveFloat = 1800.0
    deadline_ms: PositiveFloat = 30_000.0
    connections: PositiveInt = 1024


class Urls(Group):
    """Fetching photos by URL. Off while `hosts` is empty."""

    hosts: tuple[str, ...] = ()
    seconds: PositiveFloat = 5.0
    bytes: PositiveInt = 32 * 2**20


class Tls(Group):
    """Files in PEM form."""

    certificate: Path
    key: Path


class Policy(Group):
    """Which versions of a name to load: the newest so many, all, or these."""

    load: Literal["latest", "all", "these"] = "latest"
    latest: PositiveInt = 1
    numbers: tuple[Versions, ...] = ()

    @model_validator(mode="after")
    def _has_numbers(self) -> Policy:
        if self.load == "these" and not self.numbers:
            raise ValueError('load = "these" needs numbers, such as numbers = [3, 7]')
        return self


class Feedback(Group):
    """What to keep of photos whose sender agreed to that.

    `low_confidence`: keep photos whose best score is below. `photos` and `bytes`: the most to keep,
    the oldest go first. `waiting`, `waiting_bytes`: of photos held for a while in case that their
    answer is disputed.
    """

    photos: int = Field(default=10_000, ge=0)
    bytes: int = Field(default=2 * 2**30, ge=0)
    waiting: int = Field(default=1_000, ge=0)
    waiting_bytes: int = Field(default=512 * 2**20, ge=0)
    low_confidence: float = Field(default=0.6, ge=0.0, le=1.0)


class Key(Group):
    """An API key, by its hash alone."""

    sha256: Sha256
    scopes: frozenset[Scope] = frozenset({"infer", "feedback"})
    requests_per_second: PositiveFloat | None = None
    at_once: PositiveInt | None = None


class Settings(Group):
    """All settings of a host.

    Attributes:
        sources: a folder `<name>/<version>/`, or brains and ONNX files on their own.
        name: what to call the brain where `sources` hold just one, whatever its file is called.
        state: folder for what outlives the host; by default `.ninebrains` in the first folder of
            `sources`.
        address: to listen on; anything but loopback is for keys only, unless `public` says more.
        port: for HTTP. 0: any free one.
        grpc_port: for gRPC; None for none.
        workers: processes that share the port.
        public: what may be done without a key, never admin; by default infer and feedback on
            loopback, nothing elsewhere.
        watch_seconds: how often the folders are looked at.
        drain_seconds: how long requests that had begun may take when the host stops.
        policy: which versions to load, unless `policies` says otherwise for a name.
        trusted: public keys of whom brains must be signed by; None for no matter whom.
        traces: OTLP/HTTP address that traces are sent to.
    """

    sources: tuple[Path, ...] = ()
    name: Annotated[str, Field(pattern=NAME_PATTERN)] | None = None
    state: Path | None = None
    address: str = "127.0.0.1"
    port: Port = 8000
    grpc_port: Port | None = 8001
    workers: PositiveInt = 1
    public: frozenset[PublicScope] | None = None
    watch_seconds: PositiveFloat = 1.0
    drain_seconds: PositiveFloat = 30.0
    policy: Policy = Policy()
    policies: dict[str, Policy] = {}
    trusted: tuple[str, ...] | None = None
    mind: MindSettings = MindSettings()
    limits: Limits = Limits()
    urls: Urls = Urls()
    tls: Tls | None = None
    feedback: Feedback = Feedback()
    keys: dict[str, Key] = {}
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    traces: str | None = None
