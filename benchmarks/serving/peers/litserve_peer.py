"""LitServe: a worker process a core, the photo as a file of a form."""

import os

import litserve

from benchmarks.serving.peers.answering import Models


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.models = Models()

    def decode_request(self, request):  # LitServe reads forms where nothing is annotated
        return request["image"].file.read(), request.get("brains", "")

    def predict(self, asked: tuple[bytes, str]) -> dict:
        return self.models.ask(*asked)

    def encode_response(self, answers: dict) -> dict:
        return answers


if __name__ == "__main__":
    litserve.LitServer(
        Api(), accelerator="cpu", workers_per_device=int(os.environ["PEER_WORKERS"])
    ).run(
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        generate_client_file=False,
        log_level="error",
    )
