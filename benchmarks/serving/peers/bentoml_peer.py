"""BentoML: a worker process a core, the photo as a file of a form."""

import os
from pathlib import Path

import bentoml

from benchmarks.serving.peers.answering import Models


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]), traffic={"timeout": 60})
class Peer:
    def __init__(self) -> None:
        self.models = Models()

    @bentoml.api(route="/infer")
    def infer(self, image: Path, brains: str = "") -> dict:
        return self.models.ask(image.read_bytes(), brains)
