"""Ask a host with tensorflow-serving-api: `ask_tensorflow.py ADDRESS PHOTO`. Says JSON."""

import json
import sys
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

address, path = sys.argv[1:]
channel = grpc.insecure_channel(address)
service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
models = model_service_pb2_grpc.ModelServiceStub(channel)
photo = Path(path).read_bytes()
pixels = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(1, 20, 10, 3)


def predicted(array, number=None, label=None, outputs=(), name="pets"):
    asked = predict_pb2.PredictRequest(output_filter=outputs)
    asked.model_spec.name = name
    if number is not None:
        asked.model_spec.version.value = number
    if label is not None:
        asked.model_spec.version_label = label
    asked.inputs["image"].CopyFrom(tf.make_tensor_proto(array))
    return service.Predict(asked, timeout=30)


def read(reply, name="scores"):
    array = tf.make_ndarray(reply.outputs[name])
    return [one.decode() for one in array.tolist()] if array.dtype == object else array.tolist()


def refusal(ask, *arguments, **options):
    try:
        ask(*arguments, **options)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


def examples(asked, name):
    asked.model_spec.name = name
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[photo]))
    features = tf.train.Features(feature={"image": feature})
    asked.input.example_list.examples.add(features=features)
    return asked


def metadata():
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "pets"
    reply = service.GetModelMetadata(asked, timeout=30)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    return {
        "version": reply.model_spec.version.value,
        "inputs": {name: info.dtype for name, info in default.inputs.items()},
        "scores": [dim.size for dim in default.outputs["scores"].tensor_shape.dim],
    }


def status(name="pets"):
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = name
    reply = models.GetModelStatus(asked, timeout=30)
    known = get_model_status_pb2.ModelVersionStatus.State
    return [[one.version, known.Name(one.state)] for one in reply.model_version_status]


both = predicted([photo, photo])
classified = service.Classify(examples(classification_pb2.ClassificationRequest(), "pets"))
measured = service.Regress(examples(regression_pb2.RegressionRequest(), "weight"))
told = {
    "strings": [read(both), read(both, "label"), both.model_spec.version.value],
    "uint8": read(predicted(pixels)),
    "same pixels": read(predicted(np.full((1, 8, 8, 3), 7, np.uint8))),
    "by number": read(predicted(pixels, number=1)),
    "by label": predicted(pixels, label="stable").model_spec.version.value,
    "features": np.shape(read(predicted(pixels, outputs=["features"]), "features")),
    "classes": [one.label for one in classified.result.classifications[0].classes],
    "values": [one.value for one in measured.result.regressions],
    "metadata": metadata(),
    "status": status(),
    "refused": {
        "no such brain": refusal(predicted, [photo], name="nix"),
        "no such version": refusal(predicted, [photo], number=9),
        "no photo": refusal(predicted, [b"none"]),
        "no pixels": refusal(predicted, np.zeros((1, 8, 8, 4), np.uint8)),
        "no status": refusal(status, "nix"),
    },
}
json.dump(told, sys.stdout)
