"""Ray Serve: a replica a core, the body is the photo."""

import os
import signal

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.serving.peers.answering import Models

WORKERS = int(os.environ["PEER_WORKERS"])


@serve.deployment(num_replicas=WORKERS, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=8)
class Peer:
    def __init__(self) -> None:
        self.models = Models()

    async def __call__(self, request: Request) -> dict:
        if request.url.path.endswith("/ready"):
            return {}
        return self.models.ask(await request.body(), request.query_params.get("brains", ""))


if __name__ == "__main__":
    passed = {name: value for name, value in os.environ.items() if name.startswith("PEER_")}
    ray.init(
        num_cpus=WORKERS + 1,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {**passed, "PYTHONPATH": os.environ["PYTHONPATH"]}},
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PEER_PORT"])})
    serve.run(Peer.bind(), name="peer", route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
