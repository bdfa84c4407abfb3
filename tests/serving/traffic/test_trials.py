"""Trials from end to end: shadows, comparisons, gates that promote and roll back by themselves."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from ninebrains.errors import BrainError, OverloadError
from ninebrains.serving.asking import Asker
from ninebrains.serving.traffic.judging import Judge
from ninebrains.serving.traffic.shadowing import Shadowing
from ninebrains.serving.traffic.tallies import Key
from tests.serving.making import put
from tests.serving.traffic.making import ask, dark, hosts, until

SHADOW = Key("pets", 2, "shadow")


class SlowMind:
    """The mind, but requests in bulk wait until they are let go."""

    def __init__(self, mind, pending=0):
        self.mind, self.pending, self.held = mind, pending, []

    def stats(self):
        return SimpleNamespace(pending=self.pending)

    def submit(self, thing, brains, **options):
        assert options["priority"] == "bulk"
        future = Future()
        self.held.append((future, thing, brains, options))
        return future

    def let_go(self):
        for future, thing, brains, options in self.held:
            future.set_result(self.mind.submit(thing, brains, **options).result())


def shadowing(host, mind):
    return Shadowing(mind, host.traffic, host.counts, max_pending=100)


def counted(host, key):
    return host.counts.counts(key.name).get(key)


def test_answer_comes_while_the_shadow_still_waits(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        slow = SlowMind(host.mind)
        host.shadowing = shadowing(host, slow)
        host.traffic.change("pets", "ann", stable=1, shadow=2)
        for answers in ask(host, 5):
            assert answers.answered[0].chosen.number == 1
        assert [future.done() for future, *_ in slow.held] == [False] * 5
        assert counted(host, SHADOW) is None
        slow.let_go()
        assert (counted(host, SHADOW).answered, counted(host, SHADOW).pairs) == (5, 5)


def test_shadow_is_left_out_while_the_mind_is_busy(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        slow = SlowMind(host.mind, pending=51)
        host.shadowing = shadowing(host, slow)
        host.traffic.change("pets", "ann", stable=1, shadow=2)
        assert len(ask(host, 5)) == 5
        assert slow.held == []
        assert host.shadowing.left_out == 5


def test_shadow_that_cannot_be_asked_harms_no_answer(tmp_path):
    class FullMind(SlowMind):
        def submit(self, _thing, _brains, **_options):
            raise OverloadError("full")

    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        host.shadowing = shadowing(host, FullMind(host.mind))
        host.traffic.change("pets", "ann", stable=1, shadow=2)
        assert len(ask(host, 5)) == 5
        assert host.shadowing.left_out == 5


def test_shadow_that_fails_is_counted_and_not_compared(tmp_path):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        slow = SlowMind(host.mind)
        host.shadowing = shadowing(host, slow)
        host.traffic.change("pets", "ann", stable=1, shadow=2)
        ask(host, 2)
        for future, *_ in slow.held:
            future.set_exception(BrainError("broken"))
        assert (counted(host, SHADOW).failed, counted(host, SHADOW).pairs) == (2, 0)


def test_brains_that_measure_are_not_compared_by_label(tmp_path):
    for number in (1, 2):
        put(tmp_path / "models", "pets", number, task="regress")
    with hosts(tmp_path, {}) as (host,):
        host.traffic.change("pets", "ann", stable=1, shadow=2)
        ask(host, 3)
        tally = until(lambda: (t := counted(host, SHADOW)) and t.answered == 3 and t)
        assert tally.pairs == 0


@pytest.mark.parametrize(("percent", "least", "most"), [(100, 40, 40), (0, 0, 0), (50, 8, 32)])
def test_shadow_sees_its_share_of_requests(tmp_path, percent, least, most):
    with hosts(tmp_path, {"pets": [1, 2]}) as (host,):
        slow = SlowMind(host.mind)
        host.shadowing = shadowing(host, slow)
        host.traffic.change("pets", "ann", stable=1, shadow=2, shadow_percent=percent)
        ask(host, 40)
        assert least <= len(slow.held) <= most
        ask(host, 5, ("pets@1", "pets@2"))
        assert least <= len(slow.held) <= most


def test_shadow_that_says_the_same_agrees_and_another_does_not(tmp_path):
    with hosts(tmp_path, {"pets": [1]}) as (host,):
        put(host.settings.sources[0], "pets", 2, head_seed=1)
        put(host.settings.sources[0], "pets", 3, head_seed=2)
        until(lambda: host.catalog.ready("pets") == (1, 2, 3))
        for number, agrees in ((2, True), (3, False)):
            key = Key("pets", number, "shadow")
            host.traffic.change("pets", "ann", stable=1, shadow=number)
            ask(host, 30)
            tally = until(
                lambda key=key: (t := counted(host, key)) and t.pairs == t.answered == 30 and t
            )
            assert (tally.agreed == 30) is agrees


def trial(tmp_path, head_seed):
    """Hosts whose canary, pets@2, is tried on half of the users; pets@1 has head_seed 1."""
    put(tmp_path / "models", "pets", 1, head_seed=1)
    put(tmp_path / "models", "pets", 2, head_seed=head_seed)
    return hosts(tmp_path, {}, count=2)


GATE = {"agreement": 0.9, "error_rate": 0.1, "least": 30, "act": True}


def ask_until(host, holds):
    """Requests of ever new users until `holds()`."""
    for round_ in range(200):
        if holds():
            return

        async def some(first=round_ * 20):
            for seed in range(first, first + 20):
                await host.answer(dark(seed), ["pets"], Asker(user=str(seed)))

        asyncio.run(some())
    raise AssertionError("nothing was decided")


def test_worse_canary_is_rolled_back_by_the_host_which_says_why(tmp_path, caplog):
    caplog.set_level("INFO", "ninebrains.serving")
    with trial(tmp_path, head_seed=2) as (one, other):
        one.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50, gate=GATE)
        ask_until(one, lambda: one.traffic.route("pets").canary is None)
        until(lambda: other.traffic.route("pets") == one.traffic.route("pets"))
        assert one.traffic.route("pets").stable == 1
        told = [event for event in other.traffic.history("pets") if event.by == "host"]
        assert len(told) == 1
        assert told[0].what == "roll back: canary: 2 → none, canary_percent: 50 → 0"
        assert "answers as stable gives them" in told[0].why
        assert "at least 0.9 wanted: failing" in told[0].why
        logged = [r for r in caplog.records if r.getMessage() == "route" and r.by == "host"]
        assert [(r.brain, r.what, r.why) for r in logged] == [("pets", told[0].what, told[0].why)]
        status = other.judge.status("pets")
        assert (status.number, status.standing) == (2, "failing")


def test_good_canary_is_promoted_by_the_host(tmp_path):
    with trial(tmp_path, head_seed=1) as (one, _):
        one.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50, gate=GATE)
        assert one.judge.status("pets").standing == "undecided"
        ask_until(one, lambda: one.traffic.route("pets").canary is None)
        route = one.traffic.route("pets")
        assert (route.stable, route.previous) == (2, 1)
        assert one.traffic.history("pets")[0].what.startswith("promote: stable: 1 → 2")
        assert one.traffic.roll_back("pets", "ann").stable == 1


def test_gate_that_may_not_act_only_tells_once(tmp_path):
    with trial(tmp_path, head_seed=2) as (one, other):
        gate = GATE | {"act": False}
        one.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50, gate=gate)
        ask_until(one, lambda: one.traffic.state("pets").verdict == "failed")
        for host in (one, other):
            host.judge.look()
        assert one.traffic.route("pets").canary == 2
        told = [event.what for event in one.traffic.history("pets") if event.by == "host"]
        assert told == ["gate: 2 failed, so roll back it"]


def test_new_canary_and_new_gate_begin_with_no_evidence(tmp_path):
    with trial(tmp_path, head_seed=1) as (host, _):
        gate = GATE | {"act": False, "agreement": None}
        host.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=100, gate=gate)
        ask(host, 40)
        host.counts.flush()
        assert host.judge.status("pets").goals[0].samples == 40
        host.traffic.change("pets", "ann", canary_percent=50)
        assert host.judge.status("pets").goals[0].samples == 40
        host.traffic.change("pets", "ann", gate=gate | {"error_rate": 0.2})
        assert host.judge.status("pets").goals[0].samples == 0
        host.traffic.roll_back("pets", "ann")
        assert host.judge.status("pets") is None
        host.traffic.change("pets", "ann", canary=2)
        assert host.judge.status("pets").goals[0].samples == 0


def test_slow_canary_fails_its_latency_goal(tmp_path):
    with trial(tmp_path, head_seed=1) as (host, _):
        gate = {"p90_ms": 0.001, "least": 30, "act": True}
        host.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=50, gate=gate)
        ask_until(host, lambda: host.traffic.route("pets").canary is None)
        assert "answers slower than 0.001 ms" in host.traffic.history("pets")[0].why


def test_decision_is_made_once_however_many_look(tmp_path):
    with trial(tmp_path, head_seed=2) as (one, other):
        one.traffic.change("pets", "ann", stable=1, canary=2, canary_percent=100, gate=GATE)
        other.traffic.refresh()
        ask_until(one, lambda: one.traffic.state("pets").verdict is not None)
        judges = [Judge(h.ledger, h.catalog, h.traffic) for h in (one, other)]
        for judge in judges:
            judge.look()
        assert sum(e.by == "host" for e in one.traffic.history("pets")) == 1
