"""Who is next: flows in turn within a lane, lanes by time used, and when a lane waits for more.

No thread runs here: what a worker would be told is asked directly, at times that the tests make up.
"""

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninebrains.mind.scheduling.lanes import Item, Lane, TurnQueue
from ninebrains.mind.scheduling.pools import Pool
from ninebrains.mind.scheduling.tickets import Ticket


def new_ticket(flow="a", priority="interactive", deadline=None, lanes=()):
    return Ticket(flow, priority, deadline, tuple(lanes), 0.0, lambda *_: True)


def new_lane(name="lane", *, each=0.0, fixed=0.0, most=64):
    lane = Lane(name, lambda _: None, pool="p", most=most)
    lane.cost.each, lane.cost.fixed = each, fixed
    return lane


def new_pool():
    return Pool("p", 1, threading.Lock())


def arrive(pool, lane, ticket, now=0.0, payload=None):
    with pool.lock:
        lane.receive(Item(ticket, payload), now)
        pool.enlist(lane, ticket.priority)


def next_batch(pool, now=0.0):
    with pool.lock:
        return pool.choose(now)


def flows_of(batch):
    return [item.ticket.flow for item in batch.items]


def test_one_item_of_each_flow_in_turn():
    queue = TurnQueue()
    for flow in "aaaabbc":
        queue.add(Item(new_ticket(flow), None))
    order = [[item.ticket.flow for item in queue.take(3)] for _ in range(3)]
    assert order == [["a", "b", "c"], ["a", "b", "a"], ["a"]]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_a_queue_keeps_the_order_within_flows_and_loses_nothing(seed):
    rng = random.Random(seed)
    queue, waiting, served = TurnQueue(), {flow: [] for flow in "abcd"}, 0
    for number in range(60):
        action = rng.random()
        everything = [item for items in waiting.values() for item in items]
        if action < 0.6:
            item = Item(new_ticket(rng.choice("abcd")), number)
            queue.add(item)
            waiting[item.ticket.flow].append(item)
        elif action < 0.75 and everything:
            item = rng.choice(everything)
            queue.remove(item)
            waiting[item.ticket.flow].remove(item)
        else:
            items = queue.take(rng.randint(1, 5))
            num_back = rng.randint(0, len(items))
            kept, back = items[: len(items) - num_back], items[len(items) - num_back :]
            queue.give_back(back)
            for item in kept:
                assert waiting[item.ticket.flow].pop(0) is item
                served += 1
        assert len(queue) == sum(map(len, waiting.values()))
        assert queue.num_flows == sum(map(bool, waiting.values()))
    rest = queue.take(1000)
    assert sorted(item.payload for item in rest) == sorted(
        item.payload for items in waiting.values() for item in items
    )


def test_time_is_shared_among_lanes_not_turns():
    pool, slow, quick = new_pool(), new_lane("slow", each=9.0), new_lane("quick", each=1.0)
    for number in range(40):
        for lane in (slow, quick):
            arrive(pool, lane, new_ticket(lane.name), payload=number)
    names = []
    for _ in range(20):
        batch, _ = next_batch(pool)
        pool.finish(batch, batch.predicted)
        names.append(batch.lane.name)
    assert names.count("quick") == 18


def test_a_turn_is_charged_by_the_time_it_really_took():
    pool, slow, quick = new_pool(), new_lane("slow", each=1.0), new_lane("quick", each=1.0)
    for _ in range(40):
        for lane in (slow, quick):
            arrive(pool, lane, new_ticket(lane.name))
    names = []
    for _ in range(22):
        batch, _ = next_batch(pool)
        pool.finish(batch, 9.0 if batch.lane is slow else 1.0)
        names.append(batch.lane.name)
    assert names.count("quick") >= 17


def test_a_lane_of_many_flows_gets_more_time_than_a_lane_of_one():
    pool, shared, lonely = new_pool(), new_lane("shared", each=1.0), new_lane("lonely", each=1.0)
    for number in range(90):
        arrive(pool, shared, new_ticket(f"flow {number % 3}"))
        arrive(pool, lonely, new_ticket("alone"))
    names = [next_batch(pool)[0].lane.name for _ in range(40)]
    assert names.count("shared") == 30


def test_a_lane_that_was_idle_is_next_and_owes_nobody_its_idle_time():
    pool, busy, idle = new_pool(), new_lane("busy", each=1.0), new_lane("idle", each=1.0)
    for _ in range(200):
        arrive(pool, busy, new_ticket())
    for _ in range(100):
        next_batch(pool)
    for _ in range(50):
        arrive(pool, idle, new_ticket())
    names = [next_batch(pool)[0].lane.name for _ in range(20)]
    assert "idle" in names[:2]
    assert names.count("idle") == 10


@pytest.mark.parametrize(
    ("num_interactive", "num_bulk", "expected"),
    [
        (1, 9, "a" + 2 * "b"),  # 1 takes 2 s, 3 take 4 s: twice as long is borne
        (3, 9, 3 * "a" + 4 * "b"),  # 4 s, 8 s
        (0, 9, 9 * "b"),
        (30, 9, 19 * "a"),  # a full batch
    ],
)
def test_bulk_rides_along_when_nothing_else_waits(num_interactive, num_bulk, expected):
    pool, lane = new_pool(), new_lane(each=1.0, fixed=1.0)
    for _ in range(num_bulk):
        arrive(pool, lane, new_ticket("b", "bulk"))
    for _ in range(num_interactive):
        arrive(pool, lane, new_ticket("a"))
    batch, _ = next_batch(pool)
    assert flows_of(batch) == list(expected)


def test_bulk_rides_along_only_as_far_as_deadlines_allow():
    pool, lane = new_pool(), new_lane(each=1.0, fixed=5.0)
    for _ in range(9):
        arrive(pool, lane, new_ticket("b", "bulk"))
    arrive(pool, lane, new_ticket("a", deadline=8.5))
    assert flows_of(next_batch(pool)[0]) == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("deadlines", "expected"),
    [
        ([None] * 6, [0, 1, 2, 3, 4, 5]),
        ([None, None, None, None, 13.5, None], [4, 0, 1]),  # 10 + 3 seconds fit
        ([None, 16.0, None, None, 11.0, None], [4]),
        ([None, None, 5.0, None, 13.0, None], [4, 0, 1]),  # 5 s cannot be kept anyway
        ([3.0] * 6, [0, 1, 2, 3, 4, 5]),
        ([16.0] * 6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_batch_is_no_larger_than_its_tightest_deadline_allows(deadlines, expected):
    pool, lane = new_pool(), new_lane(each=1.0, fixed=10.0)
    for number, deadline in enumerate(deadlines):
        arrive(pool, lane, new_ticket(deadline=deadline), payload=number)
    batch, _ = next_batch(pool)
    assert [item.payload for item in batch.items] == expected
    rest = [number for number in range(6) if number not in expected]
    assert len(lane) == len(rest)
    if rest:
        following, _ = next_batch(pool)
        assert following.items[0].payload in rest


def on_their_way(lane, num_tickets, gap, **kinds):
    """Tickets on their way to the lane, and it learned that they come `gap` seconds apart."""
    now = -100.0
    for _ in range(20):
        ticket = new_ticket(lanes=[lane])
        lane.expect(ticket, now)
        now += gap
        lane.receive(Item(ticket, None), now)
        for queue in lane.queues.values():
            queue.take(9)
    tickets = [new_ticket(lanes=[lane], **kinds) for _ in range(num_tickets)]
    for ticket in tickets:
        lane.expect(ticket, 0.0)
    return tickets


@pytest.mark.parametrize(
    ("num_waiting", "num_coming", "gap", "waits"),
    [
        (1, 0, 0.1, False),  # nobody comes
        (1, 5, 0.1, True),
        (4, 5, 0.1, True),
        (11, 5, 0.1, False),  # 11 * 0.1 s lost for 1 s saved
        (1, 5, 1.1, False),
        (19, 5, 0.01, False),  # as large as pays
    ],
)
def test_a_lane_waits_only_while_waiting_pays(num_waiting, num_coming, gap, waits):
    pool, lane = new_pool(), new_lane(each=1.0, fixed=1.0)
    tickets = on_their_way(lane, num_waiting + num_coming, gap)
    now = 0.0
    for ticket in tickets[:num_waiting]:
        now += gap
        arrive(pool, lane, ticket, now)
    batch, look_again = next_batch(pool, now)
    assert (batch is None) == waits
    if waits:
        # No longer than what could be saved, however long nobody comes.
        assert look_again == pytest.approx(now + 1.0 / num_waiting)
        assert len(next_batch(pool, look_again)[0].items) == num_waiting


def test_a_lane_never_waits_beyond_the_slack_of_a_deadline():
    pool, lane = new_pool(), new_lane(each=0.01, fixed=1.0)
    first, _ = on_their_way(lane, 2, 0.1)
    first.deadline = 2.5
    arrive(pool, lane, first)
    _, look_again = next_batch(pool)
    assert 0.0 < look_again < 2.5 - lane.cost.predict(2)


def test_interactive_does_not_wait_for_bulk():
    pool, lane = new_pool(), new_lane(each=1.0, fixed=1.0)
    on_their_way(lane, 5, 0.1, priority="bulk")
    arrive(pool, lane, new_ticket())
    assert next_batch(pool)[0] is not None


def test_while_interactive_waits_for_more_no_bulk_is_begun_but_other_lanes_run():
    pool = new_pool()
    held, bulk, other = new_lane(each=1.0, fixed=1.0), new_lane("bulk"), new_lane("other")
    tickets = on_their_way(held, 2, 0.1)
    arrive(pool, held, tickets[0])
    arrive(pool, bulk, new_ticket(priority="bulk"))
    assert next_batch(pool)[0] is None
    arrive(pool, other, new_ticket())
    assert next_batch(pool)[0].lane is other
    arrive(pool, held, tickets[1])
    assert len(next_batch(pool)[0].items) == 2
    assert next_batch(pool)[0].lane is bulk
