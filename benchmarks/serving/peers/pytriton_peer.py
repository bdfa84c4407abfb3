"""PyTriton: an instance a core behind Triton's HTTP, the photo as binary tensor data."""

import json
import os

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.serving.peers.answering import Models


def instance():
    models = Models()

    @batch
    def infer(image: np.ndarray, brains: np.ndarray) -> dict[str, np.ndarray]:
        answers = [
            json.dumps(models.ask(photo, names.decode())).encode()
            for photo, names in zip(image[:, 0], brains[:, 0], strict=True)
        ]
        return {"answers": np.array(answers, object)[:, None]}

    return infer


if __name__ == "__main__":
    port = int(os.environ["PEER_PORT"])
    config = TritonConfig(
        http_port=port,
        grpc_port=port + 1,
        metrics_port=port + 2,
        log_verbose=0,
        allow_metrics=False,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="peer",
            infer_func=[instance() for _ in range(int(os.environ["PEER_WORKERS"]))],
            inputs=[
                Tensor(name="image", dtype=bytes, shape=(1,)),
                Tensor(name="brains", dtype=bytes, shape=(1,)),
            ],
            outputs=[Tensor(name="answers", dtype=bytes, shape=(1,))],
            config=ModelConfig(max_batch_size=4),
        )
        triton.serve()
