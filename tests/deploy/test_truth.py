"""What the deployment files say of the host is so."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ninebrains.serving.reading import read_settings
from ninebrains.serving.repository import scan
from ninebrains.serving.settings import Settings
from tests.brains.making import make_brain
from tests.deploy.reading import (
    DEPLOY,
    ROOT,
    dockerfile,
    health_command,
    host_container,
    image_arguments,
    image_user,
    manifest,
    pod,
    probes,
    runtime_container,
    told,
)
from tests.making import jpeg
from tests.serving.making import ask, free_port, repository, running

FILES = [path for path in DEPLOY.rglob("*") if path.is_file()]
KEY = "nb_key-of-the-deployment-tests"


def settings_of_pods():
    return manifest("kubernetes/settings.yaml")["data"]["host.toml"]


def flag(arguments, name):
    """The value of a flag, in either form."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host with the settings of the pods, but for its address, folders and the keys' hashes."""
    folder = tmp_path_factory.mktemp("host")
    models = repository(folder / "models", {"pets": [1]})
    settings = tomllib.loads(settings_of_pods())
    for key in settings["keys"].values():
        key["sha256"] = hashlib.sha256(KEY.encode()).hexdigest()
    settings |= {"sources": [models], "state": folder / "state", "public": [], "grpc_port": 0}
    settings["port"] = free_port()
    settings["keys"] = {"prometheus": settings["keys"]["prometheus"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NINEBRAINS_HOME", str(folder))
        with running(settings) as one:
            yield one


def test_the_settings_of_pods_are_settings(tmp_path):
    (tmp_path / "host.toml").write_text(settings_of_pods())
    settings = read_settings({}, tmp_path / "host.toml")
    assert settings.keys
    assert settings.address == "0.0.0.0"
    assert settings.public is None  # so that keys are needed
    digests = {key.sha256 for key in settings.keys.values()}
    assert all(set(digest) <= {"0", "1"} for digest in digests)  # of no key that anybody has


def test_ports_are_the_hosts():
    settings = tomllib.loads(settings_of_pods())
    ports = {port["name"]: port["containerPort"] for port in host_container()["ports"]}
    assert ports == {"http": settings["port"], "grpc": settings["grpc_port"]}
    defaults = Settings()
    assert told("EXPOSE").split() == [str(defaults.port), str(defaults.grpc_port)]
    assert manifest("compose.yaml")["services"]["host"]["ports"] == [
        f"{port}:{port}" for port in (defaults.port, defaults.grpc_port)
    ]
    for port in manifest("kubernetes/service.yaml")["spec"]["ports"]:
        assert port["targetPort"] in ports
    (endpoint,) = manifest("prometheus/monitoring.yaml")["spec"]["endpoints"]
    assert endpoint["port"] in {
        port["name"] for port in manifest("kubernetes/service.yaml")["spec"]["ports"]
    }
    (port,) = runtime_container()["ports"]
    assert flag(runtime_container()["args"], "--port") == str(port["containerPort"])


@pytest.mark.parametrize("container", [host_container, runtime_container])
def test_probes_ask_what_answers_without_a_key(container, host):
    asked = probes(container())
    assert set(asked) == {"startupProbe", "readinessProbe", "livenessProbe"}
    for probe in asked.values():
        assert ask(host, probe["httpGet"]["path"]).status_code == 200
        port = probe["httpGet"]["port"]
        assert port in {x for p in container()["ports"] for x in (p["name"], p["containerPort"])}


def test_the_images_health_command_tells_a_ready_host_from_none(host):
    command = health_command()
    assert manifest("compose.yaml")["services"]["host"]["healthcheck"]["test"] == ["CMD", *command]
    assert command[0] == "python3"

    def run(port):
        words = [word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in command[1:]]
        done = subprocess.run([sys.executable, *words], check=False, capture_output=True)
        return done.returncode

    assert run(host.settings["port"]) == 0
    assert run(free_port()) != 0


def test_the_autoscaler_asks_for_a_metric_that_the_host_measures(host):
    key = {"Authorization": f"Bearer {KEY}"}
    assert ask(host, "/infer", method="POST", content=jpeg("cat", 1), headers=key).is_success
    (endpoint,) = manifest("prometheus/monitoring.yaml")["spec"]["endpoints"]
    assert ask(host, endpoint["path"]).status_code == 401
    text = ask(host, endpoint["path"], headers=key).text
    samples = {
        (sample.name, sample.labels.get("step"))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    (rule,) = manifest("prometheus-adapter.yaml")["rules"]["custom"]
    (metric,) = manifest("kubernetes/autoscaling.yaml")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    query = rule["seriesQuery"] + rule["metricsQuery"]
    named = set(re.findall(r'(\w+)\{step="(\w+)"', query))
    assert len(named) == 2
    assert named <= samples


def test_a_host_that_ends_has_the_time_to_answer_what_has_begun():
    drain = tomllib.loads(settings_of_pods())["drain_seconds"]
    assert drain == Settings().drain_seconds
    (_sleep, pause) = host_container()["lifecycle"]["preStop"]["exec"]["command"]
    assert pod()["terminationGracePeriodSeconds"] > drain + int(pause)
    service = manifest("kserve/service.yaml")["spec"]["predictor"]
    (_sleep, pause) = runtime_container()["lifecycle"]["preStop"]["exec"]["command"]
    assert service["terminationGracePeriodSeconds"] > drain + int(pause)
    compose = manifest("compose.yaml")["services"]["host"]
    assert int(compose["stop_grace_period"].removesuffix("s")) > drain
    assert told("STOPSIGNAL") == "SIGTERM"


def test_the_images_user_is_who_runs_it_and_may_write_the_state():
    user = image_user()
    assert user > 0
    made = next(rest for name, rest in dockerfile() if name == "RUN" and "useradd" in rest)
    assert f"--uid {user}" in made
    assert f"install --directory --owner {user} --group {user} /models /state" in made
    assert pod()["securityContext"]["runAsUser"] == user
    assert pod()["securityContext"]["fsGroup"] == user
    assert runtime_container()["securityContext"]["runAsUser"] == user
    service = manifest("kserve/service.yaml")["spec"]["predictor"]
    assert service["securityContext"]["fsGroup"] == user


def test_what_a_host_writes_lies_in_volumes():
    state = tomllib.loads(settings_of_pods())["state"]
    mounts = {m["mountPath"]: m for m in host_container()["volumeMounts"]}
    assert {"/models", "/tmp", state} <= set(mounts)
    assert not mounts[state].get("readOnly")
    assert host_container()["securityContext"]["readOnlyRootFilesystem"]
    assert {v["name"] for v in pod()["volumes"]} == {m["name"] for m in mounts.values()}
    compose = manifest("compose.yaml")["services"]["host"]
    assert compose["read_only"]
    assert f"state:{flag(compose['command'], '--state')}" in compose["volumes"]
    assert flag(image_arguments(), "--state") in json.loads(told("VOLUME"))
    mounts = {m["mountPath"] for m in runtime_container()["volumeMounts"]}
    assert {flag(runtime_container()["args"], "--state"), "/tmp"} <= mounts


def test_pods_find_their_settings_and_brains():
    mounted = next(m for m in host_container()["volumeMounts"] if m["name"] == "settings")
    config = flag(host_container()["args"], "--config")
    name = config.removeprefix(f"{mounted['mountPath']}/")
    assert name in manifest("kubernetes/settings.yaml")["data"]
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    settings = manifest("kubernetes/settings.yaml")["metadata"]["name"]
    assert volumes["settings"]["configMap"]["name"] == settings
    claim = manifest("kubernetes/models.yaml")["metadata"]["name"]
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim
    assert claim in manifest("kserve/service.yaml")["spec"]["predictor"]["model"]["storageUri"]


def test_everything_picks_the_same_pods():
    labels = manifest("kubernetes/deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    for path in (
        "kubernetes/deployment.yaml",
        "kubernetes/disruption.yaml",
        "prometheus/monitoring.yaml",
    ):
        assert manifest(path)["spec"]["selector"]["matchLabels"] == labels
    assert manifest("kubernetes/service.yaml")["spec"]["selector"] == labels
    target = manifest("kubernetes/autoscaling.yaml")["spec"]["scaleTargetRef"]
    deployment = manifest("kubernetes/deployment.yaml")
    assert target["name"] == deployment["metadata"]["name"]
    assert (target["apiVersion"], target["kind"]) == (deployment["apiVersion"], "Deployment")


def test_all_run_the_image_of_this_version():
    from ninebrains import __version__

    compose = manifest("compose.yaml")["services"]["host"]["image"]
    images = {compose, host_container()["image"], runtime_container()["image"]}
    assert images == {f"ninebrains:{__version__}"}


def test_no_file_names_a_host_that_packages_or_images_come_from():
    known = r"pypi|pythonhosted|docker\.io|ghcr\.io|quay\.io|gcr\.io|index-url|https?://(?!127\.)"
    for path in FILES:
        assert not re.search(known, path.read_text()), path.name


def arguments(words, **folders):
    """Arguments of an image with folders of this machine and free ports."""
    for name, folder in folders.items():
        words = [word.replace(f"/{name}", str(folder)) for word in words]
    return [*words, "--port", str(free_port()), "--grpc-port", "0"]


@pytest.mark.parametrize(
    "words",
    [image_arguments(), manifest("compose.yaml")["services"]["host"]["command"]],
    ids=["image", "compose"],
)
def test_a_host_that_others_can_reach_does_not_start_without_a_key(words, tmp_path):
    (tmp_path / "models").mkdir()
    words = arguments(words, models=tmp_path / "models", state=tmp_path / "state")
    done = subprocess.run(
        [sys.executable, "-m", "ninebrains.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no key yet" in done.stderr


def mount(kind, folder, model_file):
    """A folder as KServe leaves it at /mnt/models: the files right in it."""
    if kind == "folder":
        make_brain(name="cats", version="3").save(folder)
        return
    folder.mkdir()
    if kind == "brain":
        make_brain(name="cats").save(folder / "3.brain")
    else:
        (folder / "model.onnx").write_bytes(model_file.read_bytes())


@pytest.mark.parametrize("kind", ["folder", "brain", "onnx"])
def test_what_kserve_mounts_is_called_as_its_service(kind, tmp_path, model_file):
    mount(kind, tmp_path / "models", model_file)
    look = scan([tmp_path / "models"], only_name="pets")
    assert look.problems == ()
    assert {name: list(numbers) for name, numbers in look.shelf.items()} == {"pets": [1]}


def test_the_runtime_of_kserve_answers_under_its_services_name(tmp_path):
    mount("brain", tmp_path / "mounted", None)
    service = manifest("kserve/service.yaml")["metadata"]["name"]
    words = [word.replace("{{.Name}}", service) for word in runtime_container()["args"]]
    settings = {
        "sources": [words[1].replace("/mnt/models", str(tmp_path / "mounted"))],
        "name": flag(words, "--name"),
        "state": tmp_path / "state",
        "public": [flag(words, "--public")],
        "address": flag(words, "--address"),
    }
    with running(settings) as host:
        assert ask(host, f"/v2/models/{service}/ready").status_code == 200
        described = ask(host, f"/v2/models/{service}").json()
        photos = next(one for one in described["inputs"] if one["datatype"] == "BYTES")
        photo = base64.b64encode(jpeg("cat", 1)).decode()
        body = {"inputs": [{**photos, "shape": [1], "data": [photo]}]}
        reply = ask(host, f"/v2/models/{service}/infer", method="POST", json=body)
        assert reply.status_code == 200, reply.text
        assert reply.json()["model_name"] == service


def test_the_kserve_arguments_are_flags_of_serve():
    words = [word for word in runtime_container()["args"] if word.startswith("--")]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    shown = subprocess.run(
        [sys.executable, "-m", "ninebrains.cli", "serve", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    for word in words:
        assert word.partition("=")[0] in shown


def test_the_builds_context_holds_what_the_dockerfile_copies():
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        word
        for name, rest in dockerfile()
        if name == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    ]
    assert copied
    for path in copied:
        assert path in kept, path
        assert (ROOT / path).exists(), path
