"""Handing over: a Yield counts for the epoch that it names, in time, and not towards the owner itself."""

from unittest.mock import patch

import pytest

from domain.outcomes import Outcome
from domain.roles import Role as Sender
from streams import deciding, vigil
from streams.effects import AppendClaim, Look, Publish, Role, StopCommands
from streams.protocol import Pin, Yield
from tests.streams.hand import START_MS, Hand, Logs

SOON = START_MS + 5_000


@pytest.fixture
def logs() -> Logs:
    logs = Logs()
    logs.open_sale()
    return logs


@pytest.fixture
def owner(logs) -> Hand:
    hand = Hand(logs, "a").warm().own()
    hand.run()
    hand.forget()
    return hand


def standby(logs, worker="b") -> Hand:
    return Hand(logs, worker, seed=2).warm()


def answers(logs) -> list[str]:
    *_, (_, _, decided) = logs.decided()
    return [Outcome(code).label for code in decided.outcomes]


@pytest.mark.parametrize(
    ("command", "sender", "answer"),
    [
        (Yield("b", 1, SOON), Sender.OPS, "yielded"),
        (Yield("b", 1, SOON), Sender.WORKER, "yielded"),
        (Yield("", 1, SOON), Sender.OPS, "yielded"),
        (Yield("b", 1, START_MS), Sender.OPS, "yielded"),
        (Yield("b", 1, START_MS - 1), Sender.OPS, "not-yielded"),
        (Yield("b", 0, SOON), Sender.OPS, "not-yielded"),
        (Yield("b", 2, SOON), Sender.OPS, "not-yielded"),
        (Yield("a", 1, SOON), Sender.OPS, "not-yielded"),
        (Yield("b", 1, SOON), Sender.GATEWAY, "forbidden"),
        (Yield("b", 1, SOON), Sender.ORDER, "forbidden"),
    ],
)
def test_a_yield_counts_for_its_epoch_in_time_from_those_who_may(logs, owner, command, sender, answer):
    logs.command(command, role=sender)
    owner.run()
    assert answers(logs) == [answer]
    assert owner.machine.role is (Role.WARM if answer == "yielded" else Role.OWNER)


def test_the_first_yield_of_a_batch_counts(logs, owner):
    logs.command(Yield("b", 1, SOON), Yield("c", 1, SOON))
    owner.run()
    assert answers(logs) == ["yielded", "not-yielded"]
    assert standby(logs).machine.accepted.yielded_to == "b"


def test_an_owner_that_yields_decides_nothing_more_and_is_warm_once_all_is_accepted(logs, owner):
    logs.reserve(1)
    logs.command(Yield("b", 1, SOON))
    logs.reserve(2)
    owner.hear()
    before, handing = owner.decide()
    owner.land(before)
    assert owner.machine.role is Role.OWNER
    owner.land(handing)
    assert owner.machine.role is Role.WARM
    assert owner.pull(StopCommands)
    assert len(owner.pull(Publish)) == 2
    assert owner.machine.next_command == 4


def test_whom_it_yields_to_claims_at_once_and_goes_on_where_it_stopped(logs, owner):
    logs.command(Yield("b", 1, SOON))
    logs.reserve(1)
    owner.run()
    heir = standby(logs)
    heir.hear()
    assert heir.wait_for(Look, 1000) <= 25
    heir.look()
    heir.claim()
    heir.run()
    assert answers(logs) == ["granted"]


def test_everybody_else_waits_as_for_a_silent_owner(logs, owner):
    logs.command(Yield("b", 1, SOON))
    logs.reserve(1)
    owner.run()
    other = standby(logs, "c")
    other.hear()
    assert 500 <= other.wait_for(Look, 5000) <= 800


def test_yielded_to_nobody_the_planned_worker_claims_at_once(logs, owner):
    logs.command(Yield("", 1, SOON))
    owner.run()
    heir = standby(logs)
    assert heir.wait_for(Look, 200) == 200
    heir.machine.on_plan(assigned=True, members=None)
    assert heir.wait_for(Look, 1000) <= 25


def test_what_an_owner_sent_behind_its_yield_is_dropped_by_everybody(logs, owner):
    """R3: also if a worker had a bug and went on."""
    logs.command(Yield("b", 1, SOON))
    logs.reserve(1)
    owner.hear()
    (handing,) = owner.decide()
    owner.machine.tenure.sent.yielded_to = None
    (beyond,) = owner.decide()
    owner.machine.tenure.sent.yielded_to = "b"
    for append in (handing, beyond):
        logs.append(append.value)
    reader = standby(logs)
    assert reader.machine.counts["stale"] == 1
    assert reader.machine.accepted.src == 2


def test_handing_over_asks_for_a_yield_of_the_own_epoch(logs, owner):
    owner.machine.hand_over("b")
    assert owner.send_commands() == [Yield("b", 1, SOON)]
    owner.run()
    assert owner.machine.role is Role.WARM
    owner.machine.hand_over("b")
    assert owner.send_commands() == []


def test_a_yield_for_the_owner_before_hands_nothing_over(logs, owner):
    late = Yield("c", 1, SOON)
    heir = standby(logs).own()
    logs.command(late)
    heir.run()
    assert heir.machine.role is Role.OWNER
    with patch.object(deciding, "_in_force", lambda *_: True):
        logs.command(late)
        heir.run()
    assert heir.machine.role is Role.WARM


def test_a_pin_is_the_operators_and_is_folded_by_everybody(logs, owner):
    logs.command(Pin("b"))
    owner.run()
    assert answers(logs) == ["pinned"]
    assert standby(logs).machine.accepted.pin == "b"
    logs.command(Pin(""), role=Sender.WORKER)
    owner.run()
    assert answers(logs) == ["forbidden"]
    assert standby(logs).machine.accepted.pin == "b"


# --- the plan's yields ----------------------------------------------------------------------------------------------


def planned(logs, owner, worker="b") -> Hand:
    """Warm while the owner has nothing left to do: its facts are published, and the ledger says so."""
    owner.wait(1_000)
    owner.send_commands()
    owner.run()
    heir = standby(logs, worker)
    heir.machine.on_plan(assigned=True, members=frozenset({"a@1", "b@1", "c@1"}))
    return heir


def test_planned_and_warm_for_ten_seconds_it_asks_the_owner_to_yield_and_again_every_ten(logs, owner):
    heir = planned(logs, owner)
    heir.wait(10_000)
    assert heir.send_commands() == []
    heir.wait(50)
    (asked,) = heir.send_commands()
    assert (asked.to, asked.epoch) == ("b", 1)
    heir.wait(9_900)
    assert heir.send_commands() == []
    heir.wait(200)
    assert len(heir.send_commands()) == 1
    assert not heir.pull(AppendClaim)


@pytest.mark.parametrize(
    ("pin", "worker", "assigned", "asks"),
    [
        ("a", "b", True, False),
        ("b", "b", True, True),
        ("b", "b", False, True),
        ("c", "b", True, False),
        ("gone", "b", True, True),
        ("", "b", False, False),
    ],
)
def test_nobody_asks_against_a_pin_while_its_worker_lives(logs, owner, pin, worker, assigned, asks):
    logs.command(Pin(pin))
    owner.run()
    heir = planned(logs, owner, worker)
    heir.machine.on_plan(assigned=assigned, members=frozenset({"a@1", "b@1", "c@1"}))
    heir.wait(10_100)
    assert bool(heir.send_commands()) == asks


def test_without_patience_it_asks_at_every_tick_of_the_clock(logs, owner):
    with patch.object(vigil, "PLAN_PATIENCE_MS", 0):
        heir = planned(logs, owner)
        heir.wait(100)
        assert len(heir.send_commands()) >= 3
