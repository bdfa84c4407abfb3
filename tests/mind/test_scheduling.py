"""The scheduler, with real threads; what holds a worker is an event, never a sleep."""

import asyncio
import concurrent.futures
import gc
import random
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ninebrains.errors import (
    BrainError,
    ClosedError,
    DeadlineError,
    NinebrainsError,
    OverloadError,
    PhotoError,
)
from ninebrains.mind.scheduling.scheduler import Lane, Scheduler

SOON = 20
"""Seconds until a test that hangs fails; nothing takes that long."""


@pytest.fixture
def make():
    """Make schedulers that are closed in the end, whatever happened."""
    made = []

    def make_scheduler(*, max_pending=1000, **pools):
        made.append(Scheduler(pools or {"p": 1}, max_pending=max_pending))
        return made[-1]

    yield make_scheduler
    for scheduler in made:
        scheduler.close(drain=False, timeout=SOON)


class Answering:
    """A lane that answers with the payload and keeps the batches it got."""

    def __init__(self, name="lane", **options):
        self.batches = []
        self.lane = Lane(name, self.work, pool="p", **options)

    def work(self, items):
        self.batches.append([item.payload for item in items])
        for item in items:
            item.ticket.succeed(item.payload)


class Stuck:
    """A worker of the pool that is in the middle of a batch until let go."""

    def __init__(self, scheduler, flow="stuck"):
        self.inside, self.gate = threading.Event(), threading.Event()
        self.lane = Lane("stuck", self.work, pool="p", most=1)
        self.ticket = scheduler.admit(flow=flow)
        scheduler.put(self.lane, self.ticket, None)
        assert self.inside.wait(SOON)

    def work(self, items):
        self.inside.set()
        self.gate.wait(SOON)
        items[0].ticket.succeed(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.set()


def threads_of(scheduler):
    return [*scheduler._works.workers, scheduler._works.clock.thread]


def ask(scheduler, lane, payload=None, *, flow="a", **options):
    ticket = scheduler.admit(flow=flow, lanes=[lane], **options)
    scheduler.put(lane, ticket, payload)
    return ticket


def results(tickets):
    return [ticket.future.result(SOON) for ticket in tickets]


def eventually(condition):
    """Wait for what another thread is about to do, where nothing tells when it has."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(1e-3)


# Batches


@pytest.mark.parametrize(("most", "sizes"), [(64, [7]), (3, [3, 3, 1]), (1, [1] * 7)])
def test_items_that_wait_are_worked_on_together(make, most, sizes):
    scheduler, answering = make(), Answering(most=most)
    with Stuck(scheduler):
        tickets = [ask(scheduler, answering.lane, number) for number in range(7)]
    assert results(tickets) == list(range(7))
    assert list(map(len, answering.batches)) == sizes


def test_a_batch_is_as_large_as_pays_by_the_learned_cost(make):
    scheduler, answering = make(), Answering()
    with Stuck(scheduler):
        answering.lane.cost.each, answering.lane.cost.fixed = 1.0, 0.1
        tickets = [ask(scheduler, answering.lane, number) for number in range(7)]
    results(tickets)
    assert len(answering.batches[0]) == 2


def test_work_is_learned_and_counted(make):
    scheduler, answering = make(), Answering("counted")
    results([ask(scheduler, answering.lane)])
    scheduler.close()
    (lane,) = scheduler.stats().lanes
    assert (lane.name, lane.queued, lane.batches, lane.items) == ("counted", 0, 1, 1)
    assert answering.lane.cost.predict(1) > 0
    assert (lane.each, lane.fixed) == (answering.lane.cost.each, answering.lane.cost.fixed)


def eager_to_fill(scheduler, answering):
    """Make waiting for the next item pay for an hour, and the next item expected at once."""
    results([ask(scheduler, answering.lane)])
    eventually(lambda: scheduler.stats().lanes[0].batches == 1)
    answering.lane.cost.each, answering.lane.cost.fixed = 0.0, 3600.0


def test_a_worker_waits_for_the_one_that_is_on_its_way(make):
    scheduler, answering = make(), Answering(most=2)
    eager_to_fill(scheduler, answering)
    first, second = (scheduler.admit(flow="a", lanes=[answering.lane]) for _ in range(2))
    scheduler.put(answering.lane, first, 1)
    eventually(lambda: answering.lane.held_since is not None)
    scheduler.put(answering.lane, second, 2)
    assert results([first, second]) == [1, 2]
    assert answering.batches[1:] == [[1, 2]]


def test_a_worker_stops_waiting_for_the_one_that_gave_up(make):
    scheduler, answering = make(), Answering()
    eager_to_fill(scheduler, answering)
    first, second = (scheduler.admit(flow="a", lanes=[answering.lane]) for _ in range(2))
    scheduler.put(answering.lane, first, 1)
    eventually(lambda: answering.lane.held_since is not None)
    assert second.future.cancel()
    assert first.future.result(SOON) == 1


def test_nobody_waits_for_more_at_the_cost_of_a_deadline(make):
    scheduler, answering = make(), Answering()
    eager_to_fill(scheduler, answering)
    scheduler.admit(flow="a", lanes=[answering.lane])  # comes never
    assert ask(scheduler, answering.lane, 1, deadline_ms=3600e3).future.result(SOON) == 1


def test_several_idle_workers_share_what_waits(make):
    scheduler = make(p=2)
    meeting = threading.Barrier(2)
    done = []

    def work(items):
        meeting.wait(SOON)  # passes only if two batches run at the same time
        done.append(len(items))
        for item in items:
            item.ticket.succeed(None)

    lane = Lane("meeting", work, pool="p")
    results([ask(scheduler, lane) for _ in range(2)])
    assert done == [1, 1]


def test_a_ticket_passes_one_lane_after_the_other_and_several_pools(make):
    scheduler, answering = make(p=1, decoders=2), Answering()

    def decode(items):
        for item in items:
            scheduler.put(answering.lane, item.ticket, item.payload * 10)

    first = Lane("decode", decode, pool="decoders", most=1)
    tickets = []
    for number in range(20):
        tickets.append(scheduler.admit(flow="a", lanes=[first, answering.lane]))
        scheduler.put(first, tickets[-1], number)
    assert results(tickets) == [10 * number for number in range(20)]


# Order


def test_interactive_goes_before_bulk(make):
    scheduler, answering = make(), Answering(most=2)
    with Stuck(scheduler):
        bulk = [ask(scheduler, answering.lane, f"b{i}", priority="bulk") for i in range(3)]
        interactive = [ask(scheduler, answering.lane, f"i{i}") for i in range(3)]
    results(bulk + interactive)
    assert answering.batches == [["i0", "i1"], ["i2", "b0"], ["b1", "b2"]]


def test_one_request_is_not_delayed_by_a_flow_with_a_thousand(make):
    scheduler, answering = make(max_pending=2000), Answering(most=8)
    with Stuck(scheduler):
        many = [ask(scheduler, answering.lane, "many", flow="many") for _ in range(1000)]
        one = ask(scheduler, answering.lane, "one", flow="one")
    results([*many, one])
    assert "one" in answering.batches[0]


def test_one_lane_is_not_delayed_by_another_with_a_thousand(make):
    scheduler = make(max_pending=2000)
    order = []
    lanes = [
        Lane(name, lambda _, name=name: order.append(name), pool="p", most=1)
        for name in ("many", "one")
    ]
    with Stuck(scheduler):
        for _ in range(1000):
            ask(scheduler, lanes[0], flow="many")
        ask(scheduler, lanes[1], flow="one")
    eventually(lambda: len(order) == 1001)
    assert "one" in order[:3]


# Deadlines and cancelling


def test_a_request_fails_at_its_deadline_while_the_worker_is_stuck(make):
    scheduler, answering = make(), Answering()
    with Stuck(scheduler):
        late = ask(scheduler, answering.lane, "late", deadline_ms=20)
        patient = ask(scheduler, answering.lane, "patient", deadline_ms=3600e3)
        with pytest.raises(DeadlineError, match="within 20 ms"):
            late.future.result(SOON)
        assert late.is_over
        assert scheduler.stats().expired == 1
    assert patient.future.result(SOON) == "patient"
    assert answering.batches == [["patient"]]


def test_deadlines_fail_in_their_order_whenever_they_were_set(make):
    scheduler, answering = make(), Answering()
    order = []
    with Stuck(scheduler):
        for ms in (60, 20, 3600e3, 40):
            ticket = ask(scheduler, answering.lane, deadline_ms=ms)
            ticket.future.add_done_callback(lambda _, ms=ms: order.append(ms))
        eventually(lambda: len(order) == 3)
        assert order == [20, 40, 60]


def test_an_answer_after_the_deadline_is_none_also_before_the_clock_looks(make):
    scheduler = make()
    for _ in range(200):
        ticket = scheduler.admit(flow=1, deadline_ms=1e-6)
        ticket.succeed("late")
        with pytest.raises(DeadlineError):
            ticket.future.result(SOON)


@pytest.mark.parametrize("deadline_ms", [float("nan"), float("inf"), "soon", True])
def test_a_deadline_that_is_no_number_is_refused(make, deadline_ms):
    with pytest.raises(BrainError, match="number of milliseconds"):
        make().admit(flow=1, deadline_ms=deadline_ms)


@pytest.mark.parametrize("deadline_ms", [0, -5])
def test_a_deadline_that_has_passed_is_told_at_once(make, deadline_ms):
    with pytest.raises(DeadlineError, match="has passed"):
        make().admit(flow=1, deadline_ms=deadline_ms)


@pytest.mark.parametrize("deadline_ms", [np.int64(60_000), np.float32(60_000)])
def test_a_deadline_may_be_a_number_of_any_kind(make, deadline_ms):
    assert make().admit(flow=1, deadline_ms=deadline_ms).deadline > 0


def test_a_cancelled_request_frees_its_place_and_is_not_worked_on(make):
    scheduler, answering = make(max_pending=2), Answering()
    with Stuck(scheduler, flow="a"):
        cancelled = ask(scheduler, answering.lane, "cancelled")
        with pytest.raises(OverloadError):
            scheduler.admit(flow="a")
        assert cancelled.future.cancel()
        assert cancelled.future.cancel()
        assert not concurrent.futures.wait([cancelled.future], SOON).not_done
        assert scheduler.stats().lanes[0].queued == 0
        kept = ask(scheduler, answering.lane, "kept")
    assert kept.future.result(SOON) == "kept"
    assert answering.batches == [["kept"]]
    scheduler.put(answering.lane, cancelled, "cancelled")
    scheduler.close()
    assert answering.batches == [["kept"]]


def test_a_request_can_be_cancelled_while_it_is_worked_on(make):
    scheduler = make()
    with Stuck(scheduler) as stuck:
        assert not stuck.ticket.future.running()
        assert stuck.ticket.future.cancel()
        assert stuck.ticket.is_over
    scheduler.close()
    stats = scheduler.stats()
    assert (stats.cancelled, stats.answered, stats.pending) == (1, 0, 0)


def test_only_the_first_outcome_counts(make):
    scheduler = make()
    ticket = scheduler.admit(flow="a")
    ticket.succeed(1)
    ticket.succeed(2)
    ticket.fail(PhotoError("no"))
    assert not ticket.future.cancel()
    assert ticket.future.result(0) == 1
    assert scheduler.stats().answered == 1


# Overload


def test_who_comes_when_all_places_are_taken_is_refused_at_once_with_figures(make):
    scheduler = make(max_pending=4)
    for _ in range(4):
        scheduler.admit(flow="a")
    with pytest.raises(OverloadError, match=r"4 requests are pending, 4 of them from a; .* 4,"):
        scheduler.admit(flow="a")
    assert scheduler.stats().refused == 1


def test_a_flow_below_its_share_gets_in_up_to_twice_the_places(make):
    scheduler = make(max_pending=4)
    for _ in range(4):
        scheduler.admit(flow="a")
    scheduler.admit(flow="b")
    scheduler.admit(flow="b")  # 4 places for 2 flows
    with pytest.raises(OverloadError):
        scheduler.admit(flow="b")
    scheduler.admit(flow="c")
    scheduler.admit(flow="d")
    with pytest.raises(OverloadError):
        scheduler.admit(flow="e")


def test_a_request_that_would_wait_longer_than_its_deadline_is_refused_at_once(make):
    scheduler, answering = make(), Answering("slow")
    with Stuck(scheduler):
        for _ in range(5):
            ask(scheduler, answering.lane)
        answering.lane.cost.each = 1.0
        with pytest.raises(OverloadError, match=r"5000 ms .* 'slow', .* deadline of 4000 ms"):
            ask(scheduler, answering.lane, deadline_ms=4000)
        ask(scheduler, answering.lane, deadline_ms=6000)
        # Another flow waits for one turn of the first, not for all that is in its queue.
        ask(scheduler, answering.lane, flow="b", deadline_ms=2000)
        # Bulk waits for all that is interactive.
        with pytest.raises(OverloadError):
            ask(scheduler, answering.lane, flow="c", priority="bulk", deadline_ms=5000)


def test_waiting_for_room_ends_when_there_is_room_in_the_order_of_coming(make):
    scheduler = make(max_pending=1)
    first = scheduler.admit(flow="a")
    admitted = []

    def wait_for_room(number):
        ticket = scheduler.admit(flow="a", priority="bulk", wait=True)
        admitted.append(number)
        ticket.succeed(number)

    threads = [threading.Thread(target=wait_for_room, args=(number,)) for number in range(4)]
    for number, thread in enumerate(threads):
        thread.start()
        eventually(lambda: scheduler.stats().waiting == number + 1)  # noqa: B023
    assert not admitted
    first.succeed(None)
    for thread in threads:
        thread.join(SOON)
    assert admitted == [0, 1, 2, 3]
    assert scheduler.stats().pending == 0


@pytest.mark.parametrize(
    ("options", "error", "closes"),
    [({}, ClosedError, True), ({"deadline_ms": 20}, DeadlineError, False)],
)
def test_waiting_for_room_ends_with_an_error(make, options, error, closes):
    scheduler = make(max_pending=1)
    scheduler.admit(flow="a")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(scheduler.admit, flow="a", wait=True, **options)
        eventually(lambda: scheduler.stats().waiting or waiting.done())
        if closes:
            scheduler.close(drain=False)
        with pytest.raises(error):
            waiting.result(SOON)
    scheduler.close(drain=False)
    assert scheduler.stats().pending == 0


def test_waiting_for_room_ends_at_once_when_closing_begins(make):
    scheduler = make(max_pending=1)
    with concurrent.futures.ThreadPoolExecutor(2) as pool, Stuck(scheduler, flow="a"):
        waiting = pool.submit(scheduler.admit, flow="a", wait=True)
        eventually(lambda: scheduler.stats().waiting)
        pool.submit(scheduler.close)
        assert isinstance(waiting.exception(SOON / 2), ClosedError)


# Failures


@pytest.mark.parametrize("size", [1, 3])
def test_a_failure_of_work_fails_its_batch_and_the_worker_lives_on(make, size):
    scheduler, answering = make(), Answering()

    def fail(items):
        raise PhotoError("cannot be read")

    def break_down(items):
        items[0].ticket.succeed("in time")
        raise ZeroDivisionError("oh")

    with Stuck(scheduler):
        failing = [ask(scheduler, failing_lane) for failing_lane in [Lane("f", fail, pool="p")]]
        broken = Lane("broken", break_down, pool="p")
        tickets = [ask(scheduler, broken) for _ in range(size)]
    with pytest.raises(PhotoError, match=r"^cannot be read$"):
        failing[0].future.result(SOON)
    assert tickets[0].future.result(SOON) == "in time"
    for ticket in tickets[1:]:
        with pytest.raises(BrainError, match=r"internal error in 'broken'.*oh") as caught:
            ticket.future.result(SOON)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert results([ask(scheduler, answering.lane, 1)]) == [1]


def test_an_exception_to_end_the_thread_does_not_end_it(make):
    scheduler, answering = make(), Answering()

    def leave(items):
        raise SystemExit

    with pytest.raises(BrainError, match="SystemExit"):
        ask(scheduler, Lane("leave", leave, pool="p")).future.result(SOON)
    assert results([ask(scheduler, answering.lane, 1)]) == [1]


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_callback_that_raises_loses_nothing(make, error, caplog):
    scheduler, answering = make(), Answering()

    def bad_callback(future):
        raise error

    with Stuck(scheduler):
        tickets = [ask(scheduler, answering.lane, number) for number in range(5)]
        for ticket in tickets:
            ticket.future.add_done_callback(bad_callback)
    assert results(tickets) == list(range(5))
    scheduler.close()
    assert scheduler.stats().answered == 6
    assert len([record for record in caplog.records if record.exc_info]) == 5


def test_a_failing_batch_teaches_nothing_about_cost(make):
    scheduler = make()

    def fail(items):
        raise PhotoError("no")

    lane = Lane("f", fail, pool="p")
    assert ask(scheduler, lane).future.exception(SOON)
    scheduler.close()
    assert lane.cost.predict(1) == 0


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda _: Scheduler({"p": 0}, max_pending=9), BrainError),
        (lambda _: Scheduler({}, max_pending=9), BrainError),
        (lambda _: Scheduler({"p": 1}, max_pending=0), BrainError),
        (lambda s: s.admit(flow="a", priority="urgent"), BrainError),
        (lambda s: s.admit(flow="a", lanes=[Lane("x", print, pool="absent")]), ValueError),
    ],
)
def test_what_makes_no_sense_is_refused_and_takes_no_place(make, attempt, error):
    scheduler = make()
    with pytest.raises(error):
        attempt(scheduler)
    assert scheduler.stats().pending == 0


# Closing


def test_closing_answers_what_was_admitted_and_refuses_the_rest(make):
    scheduler, answering = make(), Answering(most=1)
    with Stuck(scheduler) as stuck:
        tickets = [ask(scheduler, answering.lane, number) for number in range(9)]
        late = scheduler.admit(flow="a", lanes=[answering.lane])
        closers = [threading.Thread(target=scheduler.close) for _ in range(3)]
        for closer in closers:
            closer.start()
        eventually(lambda: is_refusing(scheduler))
        scheduler.put(answering.lane, late, "late")  # admitted before, so still worked on
        stuck.gate.set()
        for closer in closers:
            closer.join(SOON)
    assert results([*tickets, late]) == [*range(9), "late"]
    scheduler.close()
    assert not any(thread.is_alive() for thread in threads_of(scheduler))


def is_refusing(scheduler):
    try:
        scheduler.admit(flow="probe").future.cancel()
    except ClosedError:
        return True
    return False


def test_closing_without_draining_fails_what_waits(make):
    scheduler, answering = make(), Answering()
    with Stuck(scheduler) as stuck:
        tickets = [ask(scheduler, answering.lane) for _ in range(9)]
        closing = threading.Thread(target=scheduler.close, kwargs={"drain": False})
        closing.start()
        for ticket in [*tickets, stuck.ticket]:
            with pytest.raises(ClosedError, match="before the request was answered"):
                ticket.future.result(SOON)
    closing.join(SOON)
    assert not answering.batches


def test_closing_gives_up_on_a_stuck_worker_after_its_timeout(make):
    scheduler = make()
    with Stuck(scheduler) as stuck:
        scheduler.close(timeout=0.02)
        with pytest.raises(ClosedError):
            stuck.ticket.future.result(0)
        worker = threads_of(scheduler)[0]
        assert worker.is_alive()
    worker.join(SOON)
    assert not worker.is_alive()


def test_a_callback_may_close(make):
    scheduler, answering = make(), Answering(most=1)
    with Stuck(scheduler):
        tickets = [ask(scheduler, answering.lane, number) for number in range(3)]
        tickets[0].future.add_done_callback(lambda _: scheduler.close())
    assert results(tickets) == [0, 1, 2]
    scheduler.close()
    with pytest.raises(ClosedError):
        scheduler.admit(flow="a")


def test_a_dropped_scheduler_answers_what_it_admitted_and_ends_its_threads():
    scheduler, answering = Scheduler({"p": 2}, max_pending=9), Answering()
    threads = threads_of(scheduler)
    with Stuck(scheduler):
        ticket = ask(scheduler, answering.lane, 1)
        del scheduler
        gc.collect()
    assert ticket.future.result(SOON) == 1
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


def test_idle_workers_keep_nothing_of_what_they_worked_on(make):
    scheduler, answering = make(p=2), Answering()
    gc.disable()  # it must go when it is let go, not some time later
    try:
        ticket = ask(scheduler, answering.lane, Answering(), deadline_ms=3600e3)
        future = weakref.ref(ticket.future)
        lane, payload = weakref.ref(answering.lane), weakref.ref(ticket.future.result(SOON))
        del ticket
        answering.lane = answering.batches = None
        eventually(lambda: future() is lane() is None)
    finally:
        gc.enable()
    gc.collect()  # the payload is a cycle itself
    assert payload() is None


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)"])
def test_the_program_ends_without_close_while_a_worker_is_stuck(ending):
    program = f"""
import threading
from ninebrains.mind.scheduling.scheduler import Lane, Scheduler
scheduler = Scheduler({{"p": 2}}, max_pending=9)
inside = threading.Event()
lane = Lane("stuck", lambda items: (inside.set(), threading.Event().wait()), pool="p", most=1)
for _ in range(4):
    ticket = scheduler.admit(flow="a", lanes=[lane], deadline_ms=1e9)
    ticket.future.add_done_callback(lambda future: print(type(future.exception()).__name__))
    scheduler.put(lane, ticket, None)
inside.wait()
{ending}
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SOON, check=False
    )
    assert (ran.returncode, ran.stderr) == (3 if ending else 0, "")
    assert ran.stdout.split() == ["ClosedError"] * 4


# asyncio


def test_asyncio_waits_cancels_and_gets_errors(make):
    scheduler, answering = make(), Answering()

    async def main():
        with Stuck(scheduler) as stuck:
            tickets = [ask(scheduler, answering.lane, number) for number in range(4)]
            tasks = [asyncio.wrap_future(ticket.future) for ticket in tickets]
            late = asyncio.wrap_future(ask(scheduler, answering.lane, deadline_ms=10).future)
            with pytest.raises(DeadlineError):
                await late
            tasks[1].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[1]
            while not tickets[1].is_over:
                await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(tasks[2], 0.01)
            stuck.gate.set()
            return await asyncio.gather(tasks[0], tasks[3])

    assert asyncio.run(main()) == [0, 3]
    assert answering.batches == [[0, 3]]
    assert scheduler.stats().cancelled == 2


# All at once


class Storm:
    """Callers who admit, wait, cancel and set deadlines at random, on a mind of three lanes."""

    def __init__(self, seed, num_threads, max_pending):
        pools = {"p": num_threads, "decoders": 2}
        self.scheduler = Scheduler(pools, max_pending=max_pending)
        self.seed = seed
        self.settled, self.admitted, self.unexpected = [], [], []
        self.lanes = [
            Lane(f"lane {number}", self.work, pool="p", most=2 + 6 * number) for number in range(3)
        ]
        self.decoding = Lane("decode", self.decode, pool="decoders", most=1)

    def decode(self, items):
        for item in items:
            self.scheduler.put(self.lanes[item.payload % 3], item.ticket, item.payload)

    @staticmethod
    def work(items):
        for item in items:
            if item.payload % 11 == 0:
                item.ticket.fail(PhotoError("bad photo"))
            elif item.payload % 29:
                item.ticket.succeed(item.payload)
        if any(item.payload % 29 == 0 for item in items):
            raise ZeroDivisionError("the rest of the batch")

    def call(self, number):
        rng = random.Random(self.seed + number)
        for _ in range(60):
            try:
                self.ask(rng)
            except (OverloadError, ClosedError, DeadlineError):
                continue
            except BaseException as error:
                self.unexpected.append(error)
                raise

    def ask(self, rng):
        payload = rng.randrange(10**6)
        ticket = self.scheduler.admit(
            flow=rng.randrange(4),
            priority=rng.choice(["interactive", "bulk"]),
            deadline_ms=rng.choice([None, None, 1e-3, 2.0, 3600e3]),
            lanes=[self.decoding, self.lanes[payload % 3]],
            wait=rng.random() < 0.5,
        )
        self.admitted.append((ticket, payload))
        ticket.future.add_done_callback(self.settled.append)
        self.scheduler.put(self.decoding, ticket, payload)
        if rng.random() < 0.2:
            ticket.future.cancel()
        elif rng.random() < 0.3:
            concurrent.futures.wait([ticket.future], SOON)


def check_answer(ticket, payload):
    if ticket.future.cancelled():
        return
    error = ticket.future.exception(0)
    if error is None:
        assert ticket.future.result(0) == payload
    else:
        assert isinstance(error, NinebrainsError)


@settings(max_examples=20, deadline=None)
@example(seed=1, num_threads=2, max_pending=7, drain=True, early=False)
@example(seed=2, num_threads=2, max_pending=1000, drain=True, early=False)
@given(
    seed=st.integers(0, 2**32),
    num_threads=st.integers(1, 3),
    max_pending=st.sampled_from([1, 7, 1000]),
    drain=st.booleans(),
    early=st.booleans(),
)
def test_under_stress_every_ticket_is_settled_once_and_none_is_lost(
    seed, num_threads, max_pending, drain, early
):
    storm = Storm(seed, num_threads, max_pending)
    callers = [threading.Thread(target=storm.call, args=(number,)) for number in range(6)]
    for caller in callers:
        caller.start()
    if not early:
        for caller in callers:
            caller.join(SOON)
    storm.scheduler.close(drain=drain, timeout=SOON)
    for caller in callers:
        caller.join(SOON)
        assert not caller.is_alive()

    assert not storm.unexpected
    assert len(storm.settled) == len(set(map(id, storm.settled))) == len(storm.admitted)
    for ticket, payload in storm.admitted:
        check_answer(ticket, payload)
    stats = storm.scheduler.stats()
    assert (stats.pending, stats.waiting) == (0, 0)
    ended = stats.answered + stats.failed + stats.expired + stats.cancelled
    assert ended == len(storm.admitted)
    assert all(lane.queued == 0 for lane in stats.lanes)
    assert all(lane.num_coming == 0 and lane.running == 0 for lane in storm.lanes)
    assert not any(thread.is_alive() for thread in threads_of(storm.scheduler))
