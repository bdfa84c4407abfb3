"""MLServer: a runtime of its own in parallel workers; the photo as base64 in the v2 JSON."""

import base64
import json

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.serving.peers.answering import Models


class Peer(MLModel):
    async def load(self) -> bool:
        self.models = Models()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        photo, brains = (each.data.root[0] for each in payload.inputs)
        answers = self.models.ask(base64.b64decode(photo), brains)
        output = ResponseOutput(
            name="answers", shape=[1], datatype="BYTES", data=[json.dumps(answers)]
        )
        return InferenceResponse(model_name=self.name, outputs=[output])
