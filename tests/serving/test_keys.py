"""Keys: made, checked, limited, removed; and their verbs."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import suppress

import pytest

from ninebrains.errors import AccessError, MissingError, OverloadError, RequestError
from ninebrains.serving.allowance import Allowance
from ninebrains.serving.keys import Keys, is_loopback
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Settings

FIXED = "nb_" + "a" * 43
ELSEWHERE = {"address": "0.0.0.0"}


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "host.db")
    yield ledger
    ledger.close()


def in_settings(*scopes, **limits):
    sha256 = hashlib.sha256(FIXED.encode()).hexdigest()
    return {"keys": {"fixed": {"sha256": sha256, "scopes": scopes, **limits}}}


def test_a_key_opens_what_its_scopes_say(ledger):
    keys = Keys(ledger, Settings(**ELSEWHERE))
    secret = keys.add("web", ["infer"])
    assert keys.check(secret, "infer").name == "web"
    assert keys.check(secret.encode(), "admin", "infer").scopes == {"infer"}
    with pytest.raises(AccessError, match="'web' is for 'infer'; this needs one for 'admin'") as of:
        keys.check(secret, "admin")
    assert of.value.is_known


def test_a_secret_has_256_random_bits_and_is_stored_nowhere(ledger, tmp_path):
    keys = Keys(ledger, Settings())
    secrets = {keys.add(f"key{n}") for n in range(20)}
    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {46}
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in secrets:
        assert secret.startswith("nb_")
        assert secret.encode() not in stored
        assert secret[3:].encode() not in stored


def test_only_the_owner_of_the_state_may_read_what_is_stored(ledger, tmp_path):
    Keys(ledger, Settings()).add("web")
    files = list(tmp_path.iterdir())
    assert files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "nb_",
        "x",
        FIXED[:-1],
        FIXED + "a",
        FIXED.upper(),
        f" {FIXED}",
        "é",
        b"\xff\x00",
        "a" * 9999,
    ],
)
def test_what_is_no_key_opens_nothing_not_even_what_is_public(ledger, presented):
    keys = Keys(ledger, Settings(**in_settings("infer")))
    assert keys.check(FIXED, "infer").name == "fixed"
    with pytest.raises(AccessError, match="not known here") as of:
        keys.check(presented, "infer")
    assert not of.value.is_known
    assert str(presented) not in str(of.value) or len(presented) < 4


@pytest.mark.parametrize(
    ("settings", "open_to_all"),
    [
        ({}, {"infer", "feedback"}),
        ({"address": "::1"}, {"infer", "feedback"}),
        (ELSEWHERE, set()),
        ({"address": "192.168.1.2"}, set()),
        ({"address": "example.org"}, set()),
        ({"public": []}, set()),
        ({**ELSEWHERE, "public": ["infer"]}, {"infer"}),
        ({"public": ["feedback"]}, {"feedback"}),
    ],
)
def test_without_a_key_one_may_do_what_is_public(ledger, settings, open_to_all):
    keys = Keys(ledger, Settings(**settings))
    for scope in ("infer", "feedback", "admin"):
        if scope in open_to_all:
            assert keys.check(None, scope).name == ""
        else:
            with pytest.raises(AccessError, match="got no API key"):
                keys.check(None, scope)


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_what_is_loopback(address, is_local):
    assert is_loopback(address) is is_local


def test_a_removed_key_opens_nothing(ledger):
    keys = Keys(ledger, Settings())
    secret = keys.add("web")
    keys.remove("web")
    with pytest.raises(AccessError):
        keys.check(secret, "infer")
    with pytest.raises(MissingError, match="no key 'web'"):
        keys.remove("web")


def test_another_process_sees_a_change_when_it_refreshes(ledger, tmp_path):
    here = Keys(ledger, Settings())
    here.refresh()
    there = Keys(other := Ledger(tmp_path / "host.db"), Settings())
    secret = there.add("web")
    with pytest.raises(AccessError):
        here.check(secret, "infer")
    here.refresh()
    assert here.check(secret, "infer").name == "web"
    there.remove("web")
    here.refresh()
    with pytest.raises(AccessError):
        here.check(secret, "infer")
    other.close()


def test_other_settings_bring_other_keys(ledger):
    keys = Keys(ledger, Settings(**in_settings("infer")))
    keys.adopt(Settings(**ELSEWHERE))
    with pytest.raises(AccessError, match="not known"):
        keys.check(FIXED, "infer")
    with pytest.raises(AccessError, match="got no API key"):
        keys.check(None, "infer")
    keys.adopt(Settings(**in_settings("admin")))
    assert keys.check(FIXED, "admin").name == "fixed"


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("", {}, "as the name of a key"),
        ("two words", {}, "as the name of a key"),
        ("x" * 65, {}, "as the name of a key"),
        ("a\nb", {}, "as the name of a key"),
        ("web", {"scopes": ["root"]}, "expected 'infer' or 'feedback' or 'admin'"),
        ("web", {"scopes": []}, "needs a scope"),
        ("web", {"requests_per_second": 0}, "above 0"),
        ("web", {"requests_per_second": float("nan")}, "above 0"),
        ("web", {"at_once": 0}, "1 or more"),
        ("fixed", {}, "already"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(ledger, name, options, expected):
    keys = Keys(ledger, Settings(**in_settings("infer")))
    with pytest.raises(RequestError, match=expected):
        keys.add(name, **options)
    assert [entry.name for entry in keys.all()] == ["fixed"]


def test_a_key_of_the_settings_is_not_removed_here(ledger):
    keys = Keys(ledger, Settings(**in_settings("infer")))
    with pytest.raises(RequestError, match="stands in the settings"):
        keys.remove("fixed")


def test_all_shows_what_keys_allow_and_nothing_secret(ledger):
    keys = Keys(ledger, Settings(**in_settings("admin", "infer", at_once=2)))
    secret = keys.add("web", ["feedback", "infer", "infer"], requests_per_second=2.5)
    fixed, web = keys.all()
    assert (fixed.scopes, fixed.at_once, fixed.source) == (("infer", "admin"), 2, "settings")
    assert (web.scopes, web.requests_per_second) == (("infer", "feedback"), 2.5)
    assert web.source == "ledger"
    told = repr((fixed, web))
    assert secret not in told
    assert hashlib.sha256(secret.encode()).hexdigest() not in told


def test_requests_beyond_a_second_s_worth_are_refused_until_time_has_passed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    allowance = Allowance("web", requests_per_second=4)
    for _ in range(4):
        allowance.begin()
        allowance.end()
    with pytest.raises(OverloadError, match="4 times a second") as of:
        allowance.begin()
    assert of.value.retry_seconds == pytest.approx(0.25)
    now[0] += 0.25
    allowance.begin()
    with pytest.raises(OverloadError):
        allowance.begin()
    now[0] += 1000  # it fills up to a second's worth, and no further
    for _ in range(4):
        allowance.begin()
    with pytest.raises(OverloadError):
        allowance.begin()


def test_less_than_one_request_a_second_still_lets_one_through(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    allowance = Allowance("web", requests_per_second=0.1)
    allowance.begin()
    with pytest.raises(OverloadError) as of:
        allowance.begin()
    assert of.value.retry_seconds == pytest.approx(10)


def test_no_more_requests_are_open_than_allowed():
    allowance = Allowance("web", at_once=2)
    allowance.begin()
    allowance.begin()
    with pytest.raises(OverloadError, match="2 requests open"):
        allowance.begin()
    allowance.end()
    allowance.begin()


def test_workers_count_the_requests_a_second_of_a_key_together(ledger, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    settings = Settings(workers=4, **in_settings("infer", requests_per_second=8))
    workers = [Keys(ledger, settings).check(FIXED, "infer").allowance for _ in range(4)]

    def granted(order):
        count = 0
        for index in order:
            with suppress(OverloadError):
                workers[index].begin()
                count += 1
        return count

    assert granted([0] * 20) == 8  # all of them may come to one worker
    assert granted([1, 2, 3]) == 0
    now[0] += 0.5
    assert granted([1, 1, 1, 2] * 10) == 4
    with pytest.raises(OverloadError, match="8 times a second") as of:
        workers[3].begin()
    assert of.value.retry_seconds == pytest.approx(1 / 8)
    now[0] = 5.0  # the machine was started anew
    assert granted([3] * 20) == 8


def test_processes_at_once_never_take_more_than_there_is(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from ninebrains.serving.allowance import SharedBuckets\n"
        "shared = SharedBuckets(Path(sys.argv[1]))\n"
        "print(sum(not shared.take(3, 1e-6, 500.0) for _ in range(2000)))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "allowances")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(one.communicate()[0]) for one in running) == 500


def test_each_worker_grants_its_share_where_they_cannot_count_together(ledger, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    settings = Settings(workers=4, **in_settings("infer", requests_per_second=8))
    allowance = Keys(ledger, settings).check(FIXED, "infer").allowance
    monkeypatch.setattr("os.pwrite", full)
    allowance.begin()
    allowance.begin()
    with pytest.raises(OverloadError):
        allowance.begin()


def test_each_worker_grants_its_share(ledger):
    settings = Settings(workers=4, **in_settings("infer", at_once=8))
    allowance = Keys(ledger, settings).check(FIXED, "infer").allowance
    allowance.begin()
    allowance.begin()
    with pytest.raises(OverloadError):
        allowance.begin()


def test_what_was_counted_stays_when_other_keys_change(ledger):
    keys = Keys(ledger, Settings(**in_settings("infer", at_once=1)))
    keys.check(FIXED, "infer").allowance.begin()
    keys.add("web")
    with pytest.raises(OverloadError):
        keys.check(FIXED, "infer").allowance.begin()


def test_the_verbs_add_list_and_remove(ninebrains, tmp_path):
    state = ("--state", tmp_path / "state")
    limits = ("--requests-per-second", 5, "--at-once", 2)
    done = ninebrains("keys", "add", "web", "--scope", "infer", *limits, *state)
    secret = done.out.strip()
    assert len(secret) == 46
    assert "Keep it now" in done.err
    told = json.loads(ninebrains("keys", "add", "boss", "--scope=admin", "--json", *state).out)
    assert told["scopes"] == ["admin"]
    shown = ninebrains("keys", "list", *state).out
    assert "web" in shown
    assert "5 a second, 2 at once" in shown
    assert secret not in shown
    ledger = Ledger(tmp_path / "state" / "host.db")
    assert Keys(ledger, Settings()).check(secret, "infer").name == "web"
    ledger.close()
    ninebrains("keys", "remove", "web", *state)
    assert "no key 'web'" in ninebrains("keys", "remove", "web", *state, check=2).err
    left = json.loads(ninebrains("keys", "list", "--json", *state).out)
    assert [entry["name"] for entry in left] == ["boss"]


def test_the_verbs_find_the_state_of_a_repository(ninebrains, tmp_path):
    folder = ("--repository", tmp_path / "models")
    assert "is no folder" in ninebrains("keys", "add", "web", *folder, check=2).err
    (tmp_path / "models").mkdir()
    assert str(tmp_path / "models") in ninebrains("keys", "list", *folder, check=2).err
    done = ninebrains("keys", "add", "web", *folder)
    assert str(tmp_path / "models" / ".ninebrains" / "host.db") in done.err
    with sqlite3.connect(tmp_path / "models" / ".ninebrains" / "host.db") as rows:
        assert rows.execute("SELECT name FROM keys").fetchall() == [("web",)]
    rows.close()


@pytest.mark.parametrize("verb", [("list",), ("remove", "web")])
def test_a_state_that_is_not_there_is_no_state_without_keys(ninebrains, tmp_path, verb):
    nowhere = tmp_path / "nowhere"
    done = ninebrains("keys", *verb, "--state", nowhere, check=2)
    assert f"{nowhere} is no folder" in done.err
    assert not nowhere.exists()
    done = ninebrains("keys", *verb, "--state", tmp_path, check=2)
    assert f"no host has stored anything in {tmp_path}" in done.err


def test_a_key_is_for_a_host_that_somebody_named(ninebrains, tmp_path, home):
    done = ninebrains("keys", "add", "web", check=2)
    assert "which host?" in done.err
    assert not done.out
    ninebrains("keys", "list", check=2)
    assert not list(home.rglob("host.db"))
    (tmp_path / "host.toml").write_text(
        f'[keys.fixed]\nsha256 = "{"0" * 64}"\nscopes = ["infer"]\n'
    )
    config = ("--config", tmp_path / "host.toml")
    assert "which host?" in ninebrains("keys", "add", "web", *config, check=2).err
    named = (*config, "--state", tmp_path / "state")
    told = json.loads(ninebrains("keys", "add", "web", "--json", *named).out)
    assert told["stored_in"] == str(tmp_path / "state" / "host.db")
    assert "fixed" in ninebrains("keys", "list", *named).out
