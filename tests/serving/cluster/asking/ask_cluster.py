"""Run with Ray's interpreter: a cluster of two nodes serves brains, and one of the nodes is killed.

    ask_cluster.py KEY PORT FOLDER

FOLDER holds photo.jpg and told.json, what `make` is told. Prints what was seen as one line of JSON.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import ray
from ray import serve
from ray.cluster_utils import Cluster

from ninebrains.serving.cluster import make

KEY = {"Authorization": f"Bearer {sys.argv[1]}"}
PORT = int(sys.argv[2])
FOLDER = Path(sys.argv[3])
PHOTO = (FOLDER / "photo.jpg").read_bytes()
URL = f"http://127.0.0.1:{PORT}"


def request(method, path, **options):
    headers = {**KEY, "Connection": "close"}
    return httpx.request(method, URL + path, headers=headers, timeout=60, **options)


answered = Counter()
"""How many answers came from each node."""


def infer():
    reply = request("POST", "/infer?brains=pets", content=PHOTO)
    if reply.status_code == 200:
        answered[reply.headers["x-node"]] += 1
    return reply


def until(what, seconds=60):
    """Wait for something that must become so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def nodes_that_answer(num, seconds=30):
    """Ask until so many nodes have answered; what came."""
    seen = Counter()
    end = time.monotonic() + seconds
    while len(seen) < num and time.monotonic() < end:
        reply = infer()
        assert reply.status_code == 200, reply.text
        seen[reply.headers["x-node"]] += 1
    return seen


def route_everywhere(stable):
    """Whether each of 12 replies of whichever node tells of that stable version."""
    routes = [request("GET", "/admin/brains/pets/route").json() for _ in range(12)]
    return all(route["stable"] == stable for route in routes)


def main():
    cluster = Cluster(
        initialize_head=True,
        connect=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000},
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    cluster.wait_for_nodes()
    serve.start(http_options={"port": PORT, "location": "EveryNode"})
    told = json.loads((FOLDER / "told.json").read_text())
    serve.run(make(told))
    seen = {}
    seen["without a key"] = httpx.post(f"{URL}/infer", content=b"", timeout=30).status_code
    seen["nodes"] = sorted(nodes_that_answer(2))
    first = infer()
    seen["version"] = first.json()["photos"][0]["brains"]["pets"]["version"]

    # Feedback on an answer of one node is taken by any.
    body = {
        "prediction_id": first.json()["photos"][0]["brains"]["pets"]["prediction_id"],
        "rank": 1,
    }
    replies = [request("POST", "/feedback", json=body) for _ in range(12)]
    seen["feedback"] = sorted({reply.status_code for reply in replies})
    seen["feedback nodes"] = sorted({reply.headers["x-node"] for reply in replies})

    # A change that one node is told of holds on all.
    changed = request("PATCH", "/admin/brains/pets/route", json={"stable": 1})
    seen["changed"] = changed.status_code
    until(lambda: route_everywhere(1))
    seen["stable"] = infer().json()["photos"][0]["brains"]["pets"]["version"]

    cluster.remove_node(second, allow_graceful=False)
    statuses = Counter()

    def go_on():
        for _ in range(20):
            try:
                statuses[infer().status_code] += 1
            except httpx.HTTPError as error:
                statuses[type(error).__name__] += 1

    asking = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    seen["after the loss"] = statuses
    last = [infer() for _ in range(20)]
    seen["at last"] = sorted({reply.status_code for reply in last})
    seen["nodes at last"] = sorted({reply.headers["x-node"] for reply in last})
    seen["stable at last"] = last[-1].json()["photos"][0]["brains"]["pets"]["version"]
    serve.shutdown()
    seen["answered"] = answered
    ray.shutdown()
    cluster.shutdown()
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
