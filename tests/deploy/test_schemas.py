"""Each deployment file keeps to the schema that its reader publishes."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest

from tests.deploy.reading import DEPLOY, KUBERNETES, ROOT, manifest, pod

KSERVE = json.loads((Path(__file__).parent / "schemas" / "kserve.json").read_text())
OF_A_PREDICTOR = set(
    KSERVE["$defs"]["InferenceService"]["properties"]["spec"]["properties"]["predictor"][
        "properties"
    ]
)
OF_A_MODEL = {"modelFormat", "protocolVersion", "runtime", "runtimeVersion", "storage"}
OF_A_MODEL |= {"storageUri"}


def check_kubernetes(document):
    for version in ("1.29", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(document, version, strict=True)


def as_pod(containers, spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": {**spec, "containers": containers},
    }


def kserve(document):
    schema = {"$ref": f"#/$defs/{document['kind']}", "$defs": KSERVE["$defs"]}
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_manifests_keep_to_the_schema_of_kubernetes(path):
    check_kubernetes(manifest(path))  # so the folder applies where there are no operators


def test_what_is_for_an_operator_lies_apart():
    document = manifest("prometheus/monitoring.yaml")
    assert (document["kind"], document["apiVersion"]) == (
        "ServiceMonitor",
        "monitoring.coreos.com/v1",
    )


@pytest.mark.parametrize(
    "break_it",
    [
        lambda spec: spec.update(terminationGracePeriodSecond=1),
        lambda spec: spec["containers"][0].update(readynessProbe={}),
        lambda spec: spec["containers"][0].pop("name"),
        lambda spec: spec.update(volumes="none"),
    ],
)
def test_a_mistake_in_a_manifest_is_found(break_it):
    document = json.loads(json.dumps(as_pod(pod()["containers"], pod())))
    check_kubernetes(document)
    break_it(document["spec"])
    with pytest.raises(kubernetes_validate.ValidationError):
        check_kubernetes(document)


def test_the_runtime_keeps_to_the_schema_of_kserve():
    document = manifest("kserve/runtime.yaml")
    kserve(document)
    spec = document["spec"]
    check_kubernetes(as_pod(spec["containers"], {"volumes": spec["volumes"]}))


def test_the_inference_service_keeps_to_the_schema_of_kserve():
    document = manifest("kserve/service.yaml")
    kserve(document)
    predictor = document["spec"]["predictor"]
    of_pod = {name: value for name, value in predictor.items() if name not in OF_A_PREDICTOR}
    model = {name: value for name, value in predictor["model"].items() if name not in OF_A_MODEL}
    check_kubernetes(as_pod([{**model, "name": "kserve-container"}], of_pod))


@pytest.mark.parametrize(
    ("path", "break_it"),
    [
        ("kserve/runtime.yaml", lambda spec: spec.pop("containers")),
        ("kserve/runtime.yaml", lambda spec: spec.update(multimodel=False)),
        ("kserve/runtime.yaml", lambda spec: spec.update(protocolVersions="v2")),
        ("kserve/runtime.yaml", lambda spec: spec["supportedModelFormats"][0].pop("name")),
        ("kserve/service.yaml", lambda spec: spec.pop("predictor")),
        ("kserve/service.yaml", lambda spec: spec["predictor"]["model"].pop("modelFormat")),
    ],
)
def test_a_mistake_for_kserve_is_found(path, break_it):
    document = json.loads(json.dumps(manifest(path)))
    break_it(document["spec"])
    with pytest.raises(jsonschema.ValidationError):
        kserve(document)


def test_the_compose_file_keeps_to_the_compose_specification(tmp_path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    def check(path):
        done = subprocess.run([*command, path], check=False, capture_output=True, text=True)
        return done.returncode, done.stdout

    code, said = check(DEPLOY / "compose.yaml")
    assert code == 0, said
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("read_only", "readonly"))
    assert check(wrong)[0] == 1


def test_the_dockerfile_passes_the_linter():
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("the linter has no wheel for this machine")
    done = subprocess.run(
        [linter, "--no-color", DEPLOY / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_has_what_the_extras_ask_for():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*asked["dependencies"], *asked["optional-dependencies"]["serve"]]
    needed += asked["optional-dependencies"]["traces"]
    locked = (DEPLOY / "requirements.lock").read_text()
    for line in needed:
        name = line.partition(">")[0]
        assert f"\n{name}==" in f"\n{locked}", name
    assert "pytest==" not in locked
