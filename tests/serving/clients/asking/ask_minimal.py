"""Ask a host with min-tfs-client, which does without TensorFlow: `ask_minimal.py ADDRESS PHOTO`."""

import json
import sys
from pathlib import Path

import grpc
import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

address, path = sys.argv[1:]
name, port = address.split(":")
client = TensorServingClient(name, int(port))
channel = grpc.insecure_channel(address)
service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
photo = Path(path).read_bytes()
pixels = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(1, 20, 10, 3)


def predicted(array, **options):
    return client.predict_request("pets", {"image": array}, timeout=30, **options)


def read(reply, output="scores"):
    return tensor_proto_to_ndarray(reply.outputs[output]).tolist()


def strings():
    """Photo files as strings; the client itself writes only strings that are text."""
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = "pets"
    asked.inputs["image"].CopyFrom(TensorProto(dtype=7, string_val=[photo]))
    asked.inputs["image"].tensor_shape.dim.add(size=1)
    return service.Predict(asked, timeout=30)


def refusal(ask, *arguments, **options):
    try:
        ask(*arguments, **options)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


def metadata():
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "pets"
    reply = service.GetModelMetadata(asked, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(signatures)
    return sorted(signatures.signature_def)


def status():
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "pets"
    reply = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(asked, timeout=30)
    return [[one.version, one.state] for one in reply.model_version_status]


told = {
    "strings": read(strings()),
    "file as uint8": read(predicted(np.frombuffer(photo, np.uint8)[None])),
    "uint8": read(predicted(pixels)),
    "float": read(predicted(pixels.astype(np.float32))),
    "label": read(predicted(pixels), "label"),
    "version": read(predicted(pixels, model_version=1)),
    "metadata": metadata(),
    "status": status(),
    "refused": {
        "text": refusal(predicted, np.array(["no photo"])),
        "version": refusal(predicted, pixels, model_version=9),
        "shape": refusal(predicted, pixels[0, 0]),
    },
}
json.dump(told, sys.stdout)
