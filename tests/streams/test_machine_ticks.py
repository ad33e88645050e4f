"""W8: nothing due is left waiting, and a tick is asked for only when nothing else would do."""

from unittest.mock import patch

import pytest

from streams.effects import AppendCommand, Look
from streams.protocol import Tick
from streams.tenure import Tenure
from streams.vigil import Vigil
from tests.streams.hand import HOLD_MS, Hand, Logs


@pytest.fixture
def logs() -> Logs:
    logs = Logs()
    logs.open_sale()
    return logs


@pytest.fixture
def owner(logs) -> Hand:
    """Owns a partition with nothing to do: all facts are published, and the ledger says so."""
    hand = Hand(logs).warm().own()
    hand.run()
    settle(hand)
    return hand


def settle(hand) -> None:
    hand.wait(1_000)
    hand.send_commands()
    hand.run()
    hand.forget()


def held(logs, owner) -> None:
    """One hold, just granted and settled; it is due HOLD_MS after its grant."""
    logs.reserve(1)
    owner.run()
    settle(owner)


def test_an_idle_partition_with_nothing_due_gets_no_tick(logs, owner):
    assert owner.wait_for(AppendCommand, 20_000) == 20_000


def test_the_owner_ticks_when_a_hold_is_due_and_not_before(logs, owner):
    held(logs, owner)
    waited_ms = owner.wait_for(AppendCommand, 20_000)
    assert HOLD_MS - 1_000 <= waited_ms <= HOLD_MS - 1_000 + 50
    assert owner.send_commands() == [Tick()]
    owner.run()
    assert owner.machine.state.pools["A"].held == 0


def test_without_ticks_a_hold_on_an_idle_partition_is_held_for_ever(logs, owner):
    held(logs, owner)
    with patch.object(Vigil, "_append_tick", lambda _: None):
        owner.wait(60_000)
    owner.run()
    assert owner.machine.state.pools["A"].held == 1


def test_a_command_on_its_way_lets_time_pass_as_well_as_a_tick(logs, owner):
    held(logs, owner)
    owner.wait(HOLD_MS - 1_100)
    logs.reserve(2)
    owner.hear()
    (append,) = owner.decide()
    owner.wait(3_000)
    assert owner.send_commands() == []
    logs.reserve(3)
    owner.land(append)
    owner.hear()
    owner.wait(100)
    assert owner.send_commands() == []


def test_one_tick_is_on_its_way_at_a_time(logs, owner):
    held(logs, owner)
    owner.wait(HOLD_MS)
    (tick,) = owner.pull(AppendCommand)
    owner.wait(3_000)
    assert owner.pull(AppendCommand) == []
    owner.machine.on_command_appended(tick.token, logs.raw(tick.value))
    owner.wait(500)
    assert owner.pull(AppendCommand) == []
    with patch.object(Vigil, "_tick_pending", lambda *_: False):
        owner.wait(100)
        assert len(owner.pull(AppendCommand)) == 4


def test_a_tick_that_could_not_be_appended_is_asked_for_again(logs, owner):
    held(logs, owner)
    owner.wait(HOLD_MS)
    (tick,) = owner.pull(AppendCommand)
    owner.machine.on_command_appended(tick.token, None)
    owner.wait(25)
    assert len(owner.pull(AppendCommand)) == 1


def test_a_tick_of_which_nothing_is_heard_is_asked_for_again_after_five_seconds(logs, owner):
    held(logs, owner)
    owner.wait_for(AppendCommand, 20_000)
    owner.pull(AppendCommand)
    assert 4_900 <= owner.wait_for(AppendCommand, 20_000) <= 5_100


def test_while_log_time_lags_behind_the_wall_clock_ticks_do_not_storm(logs, owner):
    """A tick stamped before the deadline sweeps nothing: the next waits as long as the log still has to go."""
    owner.skew_ms = 1_500
    held(logs, owner)
    ticks = 0
    for _ in range(20):
        owner.wait(500)
        ticks += len(owner.send_commands())
        owner.run()
    assert owner.machine.state.pools["A"].held == 0
    assert ticks <= 4


def test_facts_acked_the_ledger_is_told_within_a_second_even_when_nothing_else_happens(logs, owner):
    logs.reserve(1)
    owner.run()
    granted = owner.machine.outbox.newest
    assert owner.machine.accepted.published < granted
    assert 500 <= owner.wait_for(AppendCommand, 5_000) <= 600
    owner.send_commands()
    owner.run()
    assert owner.machine.accepted.published >= granted
    assert owner.wait_for(AppendCommand, 2_000) == 2_000


def test_while_facts_are_not_acked_there_is_nothing_to_tell(logs, owner):
    logs.reserve(1)
    owner.hear()
    for append in owner.decide():
        owner.land(append)
    assert owner.wait_for(AppendCommand, 3_000) == 3_000


def owned_published_lost_and_owned_again(logs, owner) -> Hand:
    logs.reserve(1)
    owner.run()
    other = Hand(logs, "w2", seed=2).warm()
    other.machine.claim("test")
    other.claim()
    owner.read()
    owner.machine.claim("test")
    owner.claim()
    owner.hear()
    owner.forget()
    return owner


def test_what_it_published_in_an_earlier_tenure_the_ledger_is_told_too(logs, owner):
    owned_published_lost_and_owned_again(logs, owner)
    assert 500 <= owner.wait_for(AppendCommand, 5_000) <= 600


def test_with_the_own_knowledge_taken_for_the_ledgers_it_never_would_be(logs, owner):
    begin = Tenure.__init__

    def trusting(tenure, *args):
        begin(tenure, *args)
        tenure.recorded = tenure._outbox.watermark

    with patch.object(Tenure, "__init__", trusting):
        owned_published_lost_and_owned_again(logs, owner)
        assert owner.wait_for(AppendCommand, 5_000) == 5_000


def test_a_standby_ticks_when_something_has_been_due_for_a_second(logs, owner):
    held(logs, owner)
    standby = Hand(logs, "w2", seed=2).warm()
    standby.hear()
    waited_ms = standby.wait_for(AppendCommand, 20_000)
    assert HOLD_MS <= waited_ms <= HOLD_MS + 50
    assert standby.send_commands() == [Tick()]
    standby.hear()
    assert 500 <= standby.wait_for(Look, 5_000) <= 800
    assert standby.send_commands() == []
