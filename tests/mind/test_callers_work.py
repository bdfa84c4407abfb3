"""Callers who wait do their own work where workers are idle."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ninebrains.errors import BrainError
from ninebrains.mind.scheduling.scheduler import Lane, Scheduler

SOON = 20.0


@pytest.fixture
def scheduler():
    made = Scheduler({"decode": 2, "network": 1}, max_pending=100)
    yield made
    made.close(drain=False, timeout=SOON)


def two_steps(scheduler, seen):
    """Decode, then network; each notes the thread that it ran in."""

    def network(items):
        seen.append(("network", threading.current_thread(), len(items)))
        for item in items:
            item.ticket.succeed(item.payload * 2)

    after = Lane("network", network, pool="network")

    def decode(items):
        for item in items:
            seen.append(("decode", threading.current_thread(), len(items)))
            scheduler.put(after, item.ticket, item.payload + 1)

    return Lane("decode", decode, pool="decode", most=1), after


def test_a_caller_does_all_steps_of_its_own_where_nobody_is_busy(scheduler):
    seen = []
    first, after = two_steps(scheduler, seen)
    ticket = scheduler.admit(flow="a", lanes=(first, after))
    scheduler.work_on(first, ticket, 20)
    assert ticket.future.done()
    assert ticket.future.result() == 42
    own = threading.current_thread()
    assert seen == [("decode", own, 1), ("network", own, 1)]
    assert [lane.items for lane in scheduler.stats().lanes] == [1, 1]


def test_a_caller_queues_what_busy_workers_are_needed_for(scheduler):
    seen, gate, busy = [], threading.Event(), threading.Event()
    first, after = two_steps(scheduler, seen)

    def hold(items):
        busy.set()
        assert gate.wait(SOON)
        for item in items:
            item.ticket.succeed("held")

    holding = Lane("hold", hold, pool="network")
    held = scheduler.admit(flow="h", lanes=(holding,))
    scheduler.put(holding, held, None)
    assert busy.wait(SOON)
    ticket = scheduler.admit(flow="a", lanes=(first, after))
    scheduler.work_on(first, ticket, 20)
    assert not ticket.future.done()
    assert [step for step, _, _ in seen] == ["decode"]
    gate.set()
    assert ticket.future.result(SOON) == 42
    assert seen[1][1] is not threading.current_thread()
    assert held.future.result(SOON) == "held"


def test_never_more_at_work_than_the_pool_has_threads(scheduler):
    lock, at_work, most = threading.Lock(), [0], [0]

    def work(items):
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        threading.Event().wait(0.001)
        with lock:
            at_work[0] -= 1
        for item in items:
            item.ticket.succeed(item.payload)

    lane = Lane("work", work, pool="network", most=4)

    def ask(number):
        ticket = scheduler.admit(flow=number % 5, lanes=(lane,), wait=True)
        (scheduler.work_on if number % 3 else scheduler.put)(lane, ticket, number)
        return ticket.future.result(SOON)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(300))) == list(range(300))
    assert most[0] == 1


def test_others_are_served_by_a_worker_when_the_caller_is_done(scheduler):
    begun, gate, seen = threading.Event(), threading.Event(), []

    def work(items):
        seen.append(threading.current_thread())
        if items[0].payload == "mine":
            begun.set()
            assert gate.wait(SOON)
        for item in items:
            item.ticket.succeed(item.payload)

    lane = Lane("work", work, pool="network")
    mine = scheduler.admit(flow="a", lanes=(lane,))
    caller = threading.Thread(target=scheduler.work_on, args=(lane, mine, "mine"))
    caller.start()
    assert begun.wait(SOON)
    others = [scheduler.admit(flow="b", lanes=(lane,)) for _ in range(5)]
    for number, ticket in enumerate(others):
        scheduler.put(lane, ticket, number)
    assert seen == [caller]
    gate.set()
    assert [ticket.future.result(SOON) for ticket in others] == list(range(5))
    assert caller not in seen[1:]
    caller.join(SOON)


def test_what_the_work_raises_is_the_answer_and_an_interrupt_goes_on_besides(scheduler):
    def fail(items):
        raise items[0].payload

    lane = Lane("work", fail, pool="network")
    broken = scheduler.admit(flow="a", lanes=(lane,))
    scheduler.work_on(lane, broken, BrainError("broken"))
    with pytest.raises(BrainError, match="broken"):
        broken.future.result(0)
    stopped = scheduler.admit(flow="a", lanes=(lane,))
    with pytest.raises(KeyboardInterrupt):
        scheduler.work_on(lane, stopped, KeyboardInterrupt())
    assert stopped.future.done()
    done = scheduler.admit(flow="a", lanes=(lane,))
    scheduler.put(lane, done, BrainError("the worker is there again"))
    with pytest.raises(BrainError, match="again"):
        done.future.result(SOON)


def test_who_has_a_deadline_works_only_where_that_is_sure_to_be_quick(scheduler):
    seen = []
    first, after = two_steps(scheduler, seen)
    ticket = scheduler.admit(flow="a", lanes=(first, after), deadline_ms=60_000)
    scheduler.work_on(first, ticket, 20)
    assert ticket.future.result(SOON) == 42
    assert seen[0][1] is not threading.current_thread()  # nobody knows yet how long it takes
    seen.clear()
    ticket = scheduler.admit(flow="a", lanes=(first, after), deadline_ms=60_000)
    scheduler.work_on(first, ticket, 20)
    assert ticket.future.result(SOON) == 42
    assert seen[0][1] is threading.current_thread()


def test_a_callers_work_may_ask_again(scheduler):
    seen = []
    first, after = two_steps(scheduler, seen)

    def nested(items):
        inner = scheduler.admit(flow="inner", lanes=(first, after))
        scheduler.work_on(first, inner, 1)
        items[0].ticket.succeed(inner.future.result(SOON))

    outer = Lane("outer", nested, pool="decode")
    ticket = scheduler.admit(flow="outer", lanes=(outer,))
    scheduler.work_on(outer, ticket, None)
    assert ticket.future.result(SOON) == 4
