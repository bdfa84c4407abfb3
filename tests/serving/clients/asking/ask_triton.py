"""Ask a host with tritonclient: `ask_triton.py grpc|http ADDRESS ADMIN_KEY PHOTO`. Says JSON."""

import importlib
import json
import sys
import threading
from pathlib import Path

import numpy as np
from tritonclient.utils import InferenceServerException

kind, address, key, path = sys.argv[1:]
tc = importlib.import_module(f"tritonclient.{kind}")
client = tc.InferenceServerClient(address)
AS_ADMIN = {"x-api-key": key}
PLAIN = {"as_json": True} if kind == "grpc" else {}
photo = Path(path).read_bytes()
pixels = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(1, 20, 10, 3)


def image(*photos, **options):
    given = tc.InferInput("image", [len(photos)], "BYTES")
    given.set_data_from_numpy(np.array(photos, dtype=object), **options)
    return given


def picture(array=pixels, datatype="UINT8", **options):
    given = tc.InferInput("pixels", list(array.shape), datatype)
    given.set_data_from_numpy(array, **options)
    return given


def output(name, **options):
    return tc.InferRequestedOutput(name, **options)


def read(result, name="scores"):
    array = result.as_numpy(name)
    if array.dtype == object:
        texts = array.reshape(-1).tolist()  # bytes, or text where it came in JSON
        return [one.decode() if isinstance(one, bytes) else one for one in texts]
    return array.tolist()


def refusal(ask, *arguments, **options):
    try:
        ask(*arguments, **options)
    except InferenceServerException as error:
        return [str(error.status()), error.message()]
    return None


def waited():
    """A request that is answered in the background."""
    if kind == "http":
        return read(client.async_infer("pets", [image(photo)]).get_result())
    done, found = threading.Event(), {}

    def finished(result, error):
        found.update(result=result, error=error)
        done.set()

    client.async_infer("pets", [image(photo)], callback=finished)
    done.wait(30)
    return read(found["result"])


def states():
    index = client.get_model_repository_index(**PLAIN)
    models = index["models"] if kind == "grpc" else index
    return {f"{one['name']}@{one['version']}": one.get("state", "") for one in models}


def counted():
    told = client.get_inference_statistics("pets", "2", **PLAIN)["model_stats"][0]
    return [int(told.get("inference_count", 0)), int(told["inference_stats"]["success"]["count"])]


def moved():
    """A version that is unloaded and loaded again, and who may do that."""
    refused = refusal(client.unload_model, "spare")
    before = states()["spare@1"]
    client.unload_model("spare", headers=AS_ADMIN)
    between = states()["spare@1"], client.is_model_ready("spare")
    client.load_model("spare", headers=AS_ADMIN)
    return [refused is not None, before, *between, states()["spare@1"]]


config = client.get_model_config("pets", **PLAIN)
metadata = client.get_model_metadata("pets", **PLAIN)
told = {
    "live": [client.is_server_live(), client.is_server_ready()],
    "ready": [client.is_model_ready(*one) for one in (("pets",), ("pets", "1"), ("nix",))],
    "server": client.get_server_metadata(**PLAIN),
    "metadata": metadata,
    "config": config.get("config", config),
    "bytes": read(client.infer("pets", [image(photo, photo)])),
    "labels": read(client.infer("pets", [image(photo)], outputs=[output("label_id")]), "label_id"),
    "uint8": read(client.infer("pets", [picture()])),
    "version": read(client.infer("pets", [picture()], model_version="1")),
    "classes": read(
        client.infer("pets", [image(photo)], outputs=[output("scores", class_count=2)])
    ),
    "waited": waited(),
    "moved": moved(),
    "refused": {
        "no such brain": refusal(client.infer, "nix", [image(photo)]),
        "no photo": refusal(client.infer, "pets", [image(b"none")]),
        "wrong type": refusal(
            client.infer, "pets", [picture(pixels.astype(np.float32) / 255, "FP32")]
        ),
        "wrong shape": refusal(client.infer, "pets", [picture(pixels[..., :2])]),
        "two inputs": refusal(client.infer, "pets", [picture(), image(photo)]),
        "no such output": refusal(client.infer, "pets", [picture()], outputs=[output("x")]),
        "no such config": refusal(client.get_model_config, "nix"),
    },
}
before = counted()
result = client.infer("pets", [picture()], request_id="mine")
told["counted"] = [after - first for first, after in zip(before, counted(), strict=True)]
response = result.get_response(as_json=True) if kind == "grpc" else result.get_response()
told["response"] = response
if kind == "http":
    plain = {"binary_data": False}
    outputs = [output("scores", **plain), output("label", **plain)]
    result = client.infer("pets", [picture(**plain)], outputs=outputs)
    told["json"] = [read(result), read(result, "label")]
    told["gzip"] = read(client.infer("pets", [image(photo)], request_compression_algorithm="gzip"))
json.dump(told, sys.stdout)
