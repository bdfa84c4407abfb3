"""Settings: where they come from, what is refused, and what changes while a host serves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ninebrains.errors import SettingsError
from ninebrains.serving.reading import read_settings
from ninebrains.serving.reloading import compare
from ninebrains.serving.settings import Settings
from tests.making import jpeg
from tests.serving.making import ask, repository, running, started

PHOTO = jpeg("cat", 1)


def test_a_flag_goes_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    file = tmp_path / "host.toml"
    file.write_text(
        'port = 1\ngrpc_port = "none"\nworkers = 5\nsources = ["models"]\n'
        "[limits]\nphotos = 7\nbody_bytes = 1000\n"
    )
    monkeypatch.setenv("NINEBRAINS_SERVE_PORT", "2")
    monkeypatch.setenv("NINEBRAINS_SERVE_WORKERS", "6")
    monkeypatch.setenv("NINEBRAINS_SERVE_LIMITS__PHOTOS", "8")
    monkeypatch.setenv("NINEBRAINS_SERVE_POLICIES", '{"pets": {"latest": 3}}')
    settings = read_settings({"port": 3}, file)
    assert (settings.port, settings.workers, settings.limits.photos) == (3, 6, 8)
    assert settings.limits.body_bytes == 1000
    assert settings.grpc_port is None
    assert settings.sources == (tmp_path / "models",)  # where the file lies
    assert settings.policies["pets"].latest == 3


@pytest.mark.parametrize(
    ("toml", "flags", "environment", "told"),
    [
        ("port = 99999", {}, {}, ["host.toml: port", "99999", "65535"]),
        ("prot = 1", {}, {}, ["host.toml: prot", "is port meant?", "There are sources, name"]),
        ("[limits]\nphotoz = 1", {}, {}, ["host.toml: limits.photoz", "is photos", "deadline_ms"]),
        ("[policies.pets]\nlates = 1", {}, {}, ["policies.pets.lates", "is latest", "numbers"]),
        ('[tls]\ncertificate = "a"\nkey = "b"\nkee = "c"', {}, {}, ["tls.kee", "is key meant?"]),
        ("[limits]\nphotos = -1", {}, {}, ["host.toml: limits.photos", "-1"]),
        ("port = ", {}, {}, ["host.toml is no TOML file"]),
        ("", {"workers": 0}, {}, ["flags: workers", "0"]),
        ('[policies.pets]\nload = "these"', {}, {}, ["policies.pets", "needs numbers"]),
        ("", {"tls": {"key": "a"}}, {}, ["flags: tls.certificate", "required"]),
        ("", {}, {"NINEBRAINS_SERVE_PORT": "a"}, ["environment: port", "'a'"]),
        ("", {}, {"NINEBRAINS_SERVE_PROT": "1"}, ["NINEBRAINS_SERVE_PROT", "'prot'", "is port m"]),
        (
            "",
            {},
            {"NINEBRAINS_SERVE_SOURCES": "[1"},
            ["(NINEBRAINS_SERVE_SOURCES)", "JSON", "'[1'"],
        ),
        (
            "",
            {},
            {"NINEBRAINS_SERVE_LIMITS__PHOTO": "1"},
            ["environment: limits.photo (NINEBRAINS_SERVE_LIMITS__PHOTO)", "is photos"],
        ),
        (
            "",
            {},
            {"NINEBRAINS_SERVE_URLS__HOSTS": "a.org"},
            ["environment: urls.hosts (NINEBRAINS_SERVE_URLS__HOSTS)", """'["one""", "'a.org'"],
        ),
        ("", {}, {"NINEBRAINS_SERVE_LIMITS": "9"}, ["(NINEBRAINS_SERVE_LIMITS)", "JSON", "9"]),
    ],
)
def test_a_setting_of_no_use_is_named_with_where_it_came_from(
    toml, flags, environment, told, tmp_path, monkeypatch
):
    (tmp_path / "host.toml").write_text(toml)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        read_settings(flags, tmp_path / "host.toml")
    for text in told:
        assert text in str(raised.value)


@pytest.mark.parametrize(
    ("value", "sources"),
    [
        ("models/", ["models"]),
        (os.pathsep.join(["a b", "/c"]), ["a b", "/c"]),
        ('["models/", "x"]', ["models", "x"]),
        ("7", ["7"]),
    ],
)
def test_sources_in_the_environment_are_json_or_paths(value, sources, monkeypatch):
    monkeypatch.setenv("NINEBRAINS_SERVE_SOURCES", value)
    assert read_settings({}).sources == tuple(map(Path, sources))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        read_settings({}, tmp_path / "nowhere.toml")


def test_what_cannot_change_while_serving_needs_a_restart():
    old = Settings()
    new = Settings.model_validate(
        {"port": 1, "limits": {"photos": 1, "connections": 5}, "urls": {"hosts": ["a.org"]}}
    )
    taken, told = compare(old, new)
    assert (taken.port, taken.limits.photos, taken.limits.connections) == (8000, 1, 1024)
    assert taken.urls.hosts == ("a.org",)
    assert set(told.changed) == {"limits", "urls"}
    assert set(told.needs_restart) == {"port", "limits.connections"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sources": ["nowhere"]}, ["nowhere", "folder"]),
        ({"sources": []}, ["nothing to serve"]),
        ({"address": "0.0.0.0"}, ["0.0.0.0", "--public infer", "ninebrains keys add NAME --state"]),
        ({"public": ["admin"]}, ["public", "'admin'", "'infer' or 'feedback'"]),
        ({"tls": {"certificate": "nowhere.pem", "key": "b.pem"}}, ["tls.certificate", "nowhere"]),
        ({"tls": {"certificate": __file__, "key": __file__}}, ["tls", "PEM"]),
        ({"address": "203.0.113.1", "public": ["infer"]}, ["203.0.113.1", "--address"]),
    ],
)
def test_what_cannot_work_is_one_clear_line_before_anything_starts(tmp_path, settings, told):
    models = repository(tmp_path / "models", {})
    models.mkdir(exist_ok=True)
    with started({"sources": [models], "state": tmp_path / "state", **settings}) as host:
        assert host.process.wait(30) == 2
    text = host.log.read_text()
    assert text.startswith("error: ")
    assert "Traceback" not in text
    for part in told:
        assert part in text


def test_a_missing_extra_is_told_with_what_to_install(tmp_path):
    program = "import sys; sys.modules['granian'] = None; from ninebrains.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert 'pip install "ninebrains[serve]"' in done.stderr


def write_config(path, models, **settings):
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    path.write_text(f'sources = ["{models}"]\nstate = "state"\n' + "\n".join(lines))
    return path


def until(condition):
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_changed_settings_are_taken_over_by_every_worker(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    file = write_config(tmp_path / "host.toml", models, workers=2)
    with running({}, file=file) as host:
        assert asked(host) == 200
        write_config(file, models, workers=3, public=[])
        host.process.send_signal(signal.SIGHUP)
        until(lambda: all(asked(host) == 401 for _ in range(20)))
        log = host.log.read_text()
        taken = next(line for line in log.splitlines() if "settings taken over" in line)
        assert json.loads(taken)["changed"] == "public"
        assert json.loads(taken)["needs_restart"] == "workers"
        file.write_text("public = 5")  # changes nothing
        host.process.send_signal(signal.SIGHUP)
        until(lambda: "host.toml: public" in host.log.read_text())
        assert asked(host) == 401
        assert len(host.workers()) == 2
        write_config(file, models, workers=2, public=["infer"])
        host.process.send_signal(signal.SIGHUP)
        until(lambda: all(asked(host) == 200 for _ in range(20)))


def asked(host):
    return ask(host, "/infer?brains=pets", method="POST", content=PHOTO).status_code


def test_a_host_speaks_tls(tmp_path):
    models = repository(tmp_path / "models", {"pets": [1]})
    request = "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost"
    command = ["openssl", *request.split()]
    command += ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl cannot make a certificate here")
    import ssl

    tls = {"certificate": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
    with running({"sources": [models], "state": tmp_path / "state", "tls": tls}) as host:
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        assert host.url.startswith("https://")
        assert ask(host, "/readyz", verify=trusted).status_code == 200
