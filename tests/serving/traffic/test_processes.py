"""Traffic over HTTP, with workers that are processes of their own."""

import hashlib
import io

import httpx
from PIL import Image

from tests.serving.making import repository, running
from tests.serving.traffic.making import dark

KEY = "k" * 43
BOSS = {"Authorization": f"Bearer {KEY}"}


def test_users_and_rules_hold_in_every_process_and_changes_within_a_moment(tmp_path):
    repository(tmp_path / "models", {"pets": [1, 2]})
    keys = {"boss": {"sha256": hashlib.sha256(KEY.encode()).hexdigest(), "scopes": ["admin"]}}
    settings = {"sources": [tmp_path / "models"], "state": tmp_path / "state", "workers": 2}
    body = io.BytesIO()
    Image.fromarray(dark(0)).save(body, "PNG")
    settings |= {"keys": keys, "policy": {"load": "all"}}
    one_each = httpx.Limits(max_keepalive_connections=0)  # so that it may be any of the workers
    with running(settings) as host, httpx.Client(timeout=30, limits=one_each) as client:

        def number(**headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            reply = client.post(f"{host}/infer", content=body.getvalue(), headers=named)
            assert reply.status_code == 200, reply.text
            return reply.json()["photos"][0]["brains"]["pets"]["version"]

        def admin(path, **sent):
            reply = client.request(
                sent.pop("method", "POST"), f"{host}/admin/brains/pets/{path}", headers=BOSS, **sent
            )
            assert reply.status_code == 200, reply.text
            return reply.json()

        def settled(version):
            return all(number(x_internal="no") == version for _ in range(12))

        rules = [
            {"header": "X-Region", "values": ["eu"], "to": "canary"},
            {"header": "x-internal", "to": "stable"},
        ]
        route = {"stable": 1, "canary": 2, "canary_percent": 50, "rules": rules}
        admin("route", method="PATCH", json=route)
        assert any(settled(1) for _ in range(50))
        assert {number(x_region="eu") for _ in range(10)} == {2}
        by_user = [{number(x_user_key=f"user {n}") for _ in range(6)} for n in range(12)]
        assert {len(versions) for versions in by_user} == {1}
        assert set.union(*by_user) == {1, 2}
        admin("promote")
        assert any(settled(2) for _ in range(50))
        admin("roll-back", json={"why": "a test"})
        assert any(settled(1) for _ in range(50))
        told = admin("history", method="GET")["history"]
        assert [(one["by"], one["why"]) for one in told[:2]] == [("boss", "a test"), ("boss", "")]
        answered = sum(one["answered"] for one in admin("counts", method="GET")["versions"])
        assert answered > 0
