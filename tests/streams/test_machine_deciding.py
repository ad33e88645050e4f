"""W2, W3, W5, W6, W7, W10: what an owner decides, what it sends, what it tells, and what it does with bad records."""

from itertools import pairwise
from unittest.mock import patch

import pytest

from domain.outcomes import InvariantViolatedError, Outcome
from streams.effects import Alarm, DeadLetter, Exit, Look, Publish, Rebuild, Role, SeekCommands, StopCommands
from streams.outbox import Outbox
from streams.records import DECIDED, RULING, digest
from streams.takeover import TakeoverClock
from streams.tenure import UNPUBLISHED_MAX, WINDOW, Tenure
from tests.simulation.mutation import PlantedFold
from tests.simulation.operator import BREAKS, FAULTS
from tests.simulation.stock_referee import portrait
from tests.streams.hand import Hand, Logs


@pytest.fixture
def logs() -> Logs:
    logs = Logs()
    logs.open_sale(units=10_000, limit=10_000)
    return logs


@pytest.fixture
def owner(logs) -> Hand:
    hand = Hand(logs, fold=PlantedFold()).warm().own()
    hand.run()
    hand.forget()
    return hand


def another(logs, worker="w2") -> Hand:
    return Hand(logs, worker, PlantedFold(), seed=2).warm()


def outcomes(logs) -> list[list[str]]:
    return [[Outcome(code & 0x7F).label for code in decided.outcomes] for _, _, decided in logs.decided()]


def test_commands_are_decided_in_order_without_a_gap_whoever_reads_them(logs, owner):
    first, second, third = (logs.reserve(number) for number in range(3))
    for offset in (third, second, first, first, third, second):
        owner.machine.submit(offset, *logs.commands[offset])
    assert owner.machine.queued == 2
    assert owner.pull(SeekCommands) == [SeekCommands(first), SeekCommands(second)]
    owner.machine.submit(third, *logs.commands[third])
    assert [owner.land(append) for append in owner.decide()]
    assert [decided.src for _, _, decided in logs.decided()] == [1, first, second, third]


def test_decisions_chain_and_bind_their_command(logs, owner):
    for number in range(3):
        logs.reserve(number)
    owner.run()
    records = [record for _, record, _ in logs.decided()]
    for before, record in pairwise(records):
        assert record.digest == digest(before.digest, record.body)
    assert another(logs).machine.accepted.src == logs.reserve(9) - 1


def test_at_most_sixty_four_decisions_are_on_their_way(logs, owner):
    for number in range(WINDOW + 2):
        logs.reserve(number)
    owner.hear()
    appends = owner.decide()
    assert len(appends) == WINDOW == 64
    owner.land(appends[0])
    assert len(owner.decide()) == 1


def test_a_decision_that_its_own_acceptance_refuses_is_not_sent(logs, owner):
    """W3: the state is dropped rather than that a record goes out which every reader drops."""
    logs.reserve(1)
    owner.hear()
    with patch.object(PlantedFold, "lawful", lambda *_, **__: False):
        assert owner.decide() == []
    assert owner.machine.role is Role.COLD
    assert owner.pull(Rebuild)
    assert [alarm.action for alarm in owner.pull(Alarm)] == ["fold.failed"]


def test_facts_leave_with_the_ack_and_not_before(logs, owner):
    logs.reserve(1)
    owner.hear()
    (append,) = owner.decide()
    assert not owner.pull(Publish)
    offset = owner.land(append)
    assert [fact.ledger_offset for fact in owner.pull(Publish)] == [offset]


def test_a_tick_that_finds_nothing_has_no_facts_but_its_answer_counts(logs, owner):
    owner.machine._effects.clear()
    owner.machine.vigil._append_tick()
    owner.send_commands()
    owner.run()
    assert not owner.pull(Publish)
    assert outcomes(logs)[-1] == ["ticked"]


def test_the_watermark_passes_no_unpublished_record(logs, owner):
    for number in range(3):
        logs.reserve(number)
    owner.hear()
    offsets = [owner.land(append) for append in owner.decide()]
    for offset in (offsets[2], offsets[1]):
        owner.machine.on_published(offset)
        assert owner.machine.published < offsets[0]
    owner.machine.on_published(offsets[0])
    assert owner.machine.published == offsets[2]


def test_a_new_owner_publishes_again_what_no_accepted_record_says_is_published(logs, owner):
    for number in range(3):
        logs.reserve(number)
    owner.hear()
    offsets = [owner.land(append) for append in owner.decide()]
    heir = another(logs).own()
    assert [fact.ledger_offset for fact in heir.pull(Publish)] == offsets
    with patch.object(Outbox, "unpublished", lambda _: []):
        careless = another(logs, "w3").own()
    assert not careless.pull(Publish)


def test_deciding_pauses_while_4096_accepted_records_are_unpublished(logs, owner):
    for number in range(UNPUBLISHED_MAX + 1):
        logs.reserve(number)
    owner.hear()
    while appends := owner.decide():
        for append in appends:
            owner.land(append)
    assert owner.machine.queued == 1
    facts = owner.pull(Publish)
    assert len(facts) == UNPUBLISHED_MAX == 4096
    owner.machine.on_published(facts[0].ledger_offset)
    assert len(owner.decide()) == 1


@pytest.mark.parametrize(("acks", "code"), [((9, 8), [70]), ((9, 9), [70]), ((9, -1, 11), []), ((9, -1, 8), [70])])
def test_an_ack_that_goes_backwards_ends_the_process(logs, owner, acks, code):
    for number in range(3):
        logs.reserve(number)
    owner.hear()
    appends = owner.decide()
    for append, ack in zip(appends, acks, strict=False):
        owner.machine.on_appended(append.token, ack)
    assert [effect.code for effect in owner.pull(Exit)] == code


def test_an_ack_for_a_place_where_the_own_record_is_not_ends_the_process(logs, owner):
    logs.reserve(1)
    owner.hear()
    (append,) = owner.decide()
    logs.append(b"rubbish")
    owner.read()
    owner.machine.on_appended(append.token, len(logs.ledger) - 1)
    assert [effect.code for effect in owner.pull(Exit)] == [70]


def test_without_the_ack_check_a_fenced_owner_tells_what_nobody_accepted(logs, owner):
    def any_ack_counts(tenure, token, offset):
        tenure._accepted.offset = offset
        tenure._accept()

    logs.reserve(1)
    owner.hear()
    (append,) = owner.decide()
    another(logs).own()
    with patch.object(Tenure, "appended", any_ack_counts):
        offset = owner.land(append)
    assert [fact.ledger_offset for fact in owner.pull(Publish)] == [offset]
    assert another(logs, "w3").machine.counts["stale"] == 1


def test_an_ack_missing_for_forty_seconds_ends_the_process(logs, owner):
    logs.reserve(1)
    owner.hear()
    owner.decide()
    owner.wait(40_000)
    assert not owner.pull(Exit)
    owner.wait(25)
    assert [effect.code for effect in owner.pull(Exit)] == [70]


# --- bad records ----------------------------------------------------------------------------------------------------


def test_an_undecodable_record_is_decided_malformed_and_goes_to_the_dead_letters_once_accepted(logs, owner):
    offset = logs.raw(b"rubbish")
    logs.reserve(1)
    owner.hear()
    first, second = owner.decide()
    assert not owner.pull(DeadLetter)
    owner.land(first)
    assert [(letter.offset, letter.value) for letter in owner.pull(DeadLetter)] == [(offset, b"rubbish")]
    owner.land(second)
    assert outcomes(logs)[-2:] == [["malformed"], ["granted"]]
    assert another(logs).machine.accepted.src == offset + 1


def test_a_bug_in_one_decision_is_a_fault_of_that_command_alone(logs, owner):
    logs.command(logs.request(1), logs.request(2, FAULTS), logs.request(3), role=1)
    owner.run()
    assert outcomes(logs)[-1] == ["granted", "fault", "granted"]
    assert [alarm.action for alarm in owner.pull(Alarm)] == ["decide.fault"]
    assert len(owner.pull(DeadLetter)) == 1
    assert owner.machine.role is Role.OWNER


def test_a_batch_of_another_log_is_never_decided(logs, owner):
    logs.command(logs.request(1), role=1, log_id=b"M" * 16)
    owner.hear()
    assert owner.decide() == []
    assert owner.machine.role is Role.COLD
    assert [alarm.action for alarm in owner.pull(Alarm)] == ["commands.foreign"]
    assert len(outcomes(logs)) == 1


def test_a_record_that_breaks_the_fold_costs_this_worker_its_state_and_nobody_anything_else(logs, owner):
    logs.reserve(7, BREAKS)
    owner.hear()
    assert owner.decide() == []
    assert owner.machine.role is Role.COLD
    assert owner.pull(StopCommands)
    assert owner.pull(Rebuild)
    owner.refold()
    assert owner.machine.role is Role.WARM
    assert portrait(owner.machine.state) == portrait(another(logs).machine.state)


def test_an_accepted_record_that_does_not_fit_the_state_stops_the_partition(logs, owner):
    logs.reserve(1)
    owner.run()
    follower = Hand(logs, "w2", PlantedFold())
    follower.machine.start()
    with patch.object(PlantedFold, "apply", side_effect=InvariantViolatedError("planted")):
        follower.read()
    assert follower.machine.role is Role.STOPPED
    assert [alarm.action for alarm in follower.pull(Alarm)] == ["partition.stopped"]


def broken_thrice(logs, owner) -> Hand:
    """A worker that saw three owners fail at the next record."""
    logs.reserve(7, BREAKS)
    owner.hear()
    assert owner.decide() == []
    owner.refold()
    for _ in range(3):
        owner.machine.claim("test")
        owner.claim()
        owner.hear()
        assert owner.decide() == []
        owner.refold()
    owner.forget()
    return owner


def test_three_claims_at_a_record_park_it_and_then_there_is_one_a_minute(logs, owner):
    parked = broken_thrice(logs, owner)
    assert parked.machine.accepted.claims_here == 3
    assert 59_000 <= parked.wait_for(Look, 70_000) <= 61_000
    parked.look()
    parked.claim()
    assert parked.machine.role is Role.OWNER
    with patch.object(TakeoverClock, "parked", lambda *_: False):
        restless = another(logs)
        restless.hear()
        assert restless.wait_for(Look, 20_000) < 10_000


def test_a_ruling_frees_a_parked_partition(logs, owner):
    parked = broken_thrice(logs, owner)
    logs.reserve(8)
    parked.machine.claim("ruling")
    parked.claim()
    parked.hear()
    ruling = parked.machine.rule("olga", "breaks the fold")
    parked.land(ruling)
    parked.run()
    assert [record.kind for _, record, _ in logs.decided()][-2:] == [RULING, DECIDED]
    assert outcomes(logs)[-2:] == [["fault"], ["granted"]]
    assert [letter.reason for letter in parked.pull(DeadLetter)] == ["ruled: breaks the fold"]
    heir = another(logs)
    assert heir.machine.accepted.claims_here == 0
    assert portrait(heir.machine.state) == portrait(parked.machine.state)


def test_a_ruling_decides_the_next_command_only_every_command_of_it_fault(logs, owner):
    logs.command(logs.request(1), logs.request(2), role=1)
    logs.raw(b"rubbish")
    assert owner.machine.rule("olga", "nothing is queued") is None
    owner.hear()
    for _ in range(2):
        owner.land(owner.machine.rule("olga", "just so"))
    assert outcomes(logs)[-2:] == [["fault", "fault"], ["fault"]]
    assert [decided.note for _, _, decided in logs.decided()][-1] == ("olga", "just so")
    assert another(logs).machine.accepted.src == 3


def test_a_record_from_the_future_is_decided_when_the_clock_has_passed_it(logs, owner):
    logs.ms += 61_000
    logs.reserve(1)
    logs.ms -= 61_000
    owner.clock()
    owner.hear()
    assert owner.decide() == []
    assert owner.decide() == []
    assert [alarm.action for alarm in owner.pull(Alarm)] == ["clock.ahead"]
    owner.wait(1_000)
    assert len(owner.decide()) == 1


def test_nobody_claims_for_a_record_from_the_future(logs, owner):
    owner.run()
    standby = another(logs)
    logs.ms += 70_000
    logs.reserve(1)
    logs.ms -= 70_000
    standby.hear()
    assert standby.wait_for(Look, 9_000) == 9_000
    assert 0 < standby.wait_for(Look, 9_000) < 2_000
