"""The deployment files, read; what tests of them share."""

import json
import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


@cache
def manifest(path):
    """The one document of a file in the folder of deployment files."""
    return yaml.safe_load((DEPLOY / path).read_text())


@cache
def dockerfile():
    """`(instruction, rest)` of each line, continued lines joined."""
    lines = (DEPLOY / "Dockerfile").read_text()
    lines = re.sub(r"^#.*\n", "", lines, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in lines.splitlines() if line.strip()]


def told(instruction):
    """What a Dockerfile says after an instruction, the last time."""
    return [rest for name, rest in dockerfile() if name == instruction][-1].strip()


def image_arguments():
    """What the image runs where nothing else is said, after `ninebrains`."""
    assert json.loads(told("ENTRYPOINT")) == ["ninebrains"]
    return json.loads(told("CMD"))


def image_user():
    return int(told("USER").split(":")[0])


def health_command():
    """What the image runs to see how it is."""
    return json.loads(told("HEALTHCHECK").partition("CMD")[2])


def pod():
    return manifest("kubernetes/deployment.yaml")["spec"]["template"]["spec"]


def host_container():
    (container,) = pod()["containers"]
    return container


def runtime_container():
    (container,) = manifest("kserve/runtime.yaml")["spec"]["containers"]
    return container


def probes(container):
    return {name: probe for name, probe in container.items() if name.endswith("Probe")}
