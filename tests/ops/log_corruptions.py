"""Corruptions of the log itself, and of decisions against their commands."""

from domain.outcomes import Outcome
from domain.roles import Role
from ops.audit.violations import Kind
from streams.protocol import Tick
from streams.records import RULING, decode_decided, decode_ledger, digest, encode_body, encode_ledger
from tests.ops.corruption import (
    FIRST,
    LAST,
    RESTOCKED,
    RETURNED,
    SECOND,
    SETTLED,
    YIELDED,
    clk_of,
    corruption,
    ledger_only,
    outcomes_of,
)
from tests.ops.honest_log import (
    PRINT,
    START_MS,
    HonestLog,
    ask,
    claim_value,
    find,
    rechain,
    renumber,
    with_decided,
    with_record,
)


@corruption(Kind.GAP)
def a_record_is_dropped(log):
    ledger = list(log.ledger)
    del ledger[find(log, SECOND)]
    return ledger_only(log, ledger)


@corruption(Kind.CHAIN, YIELDED)
def a_record_is_dropped_and_the_rest_renumbered(log):
    ledger = list(log.ledger)
    del ledger[find(log, SECOND)]
    return ledger_only(log, renumber(ledger))


@corruption(Kind.SRC, YIELDED)
def a_record_is_dropped_and_the_chain_made_good(log):
    ledger = list(log.ledger)
    del ledger[find(log, SECOND)]
    return ledger_only(log, rechain(ledger))


@corruption(Kind.CHAIN, SECOND)
def two_records_are_swapped(log):
    ledger, at = list(log.ledger), find(log, SETTLED)
    ledger[at], ledger[at + 1] = ledger[at + 1], ledger[at]
    return ledger_only(log, renumber(ledger))


@corruption(Kind.SRC, SECOND)
def two_records_are_swapped_and_the_chain_made_good(log):
    ledger, at = list(log.ledger), find(log, SETTLED)
    ledger[at], ledger[at + 1] = ledger[at + 1], ledger[at]
    return ledger_only(log, rechain(ledger))


@corruption(Kind.CHAIN, FIRST)
def a_bit_is_flipped(log):
    ledger, at = list(log.ledger), find(log, FIRST)
    value = bytearray(ledger[at].value)
    value[-2] ^= 1
    ledger[at] = ledger[at]._replace(value=bytes(value))
    return ledger_only(log, ledger)


@corruption(Kind.DUPLICATE, SETTLED)
def a_record_stands_twice(log):
    ledger, at = list(log.ledger), find(log, SETTLED)
    ledger.insert(at + 1, ledger[at])
    return ledger_only(log, renumber(ledger))


@corruption(Kind.GENESIS)
def the_head_is_cut_off(log):
    return ledger_only(log, log.ledger[3:])


@corruption(Kind.GENESIS)
def the_head_is_cut_off_and_the_rest_made_good(log):
    return ledger_only(log, rechain(log.ledger[1:]))


@corruption(Kind.GENESIS)
def the_ledger_is_empty(log):
    return ledger_only(log, [])


@corruption(Kind.GENESIS)
def the_commands_topic_was_made_again(log):
    return log.ledger, [log.commands[0]._replace(timestamp_ms=START_MS + 5), *log.commands[1:]]


@corruption(Kind.GENESIS)
def genesis_stands_in_the_middle(log):
    return ledger_only(log, renumber([*log.ledger[:4], log.ledger[0], *log.ledger[4:]]))


@corruption(Kind.UNDECODABLE)
def a_record_is_overwritten(log):
    ledger, at = list(log.ledger), find(log, FIRST)
    ledger[at] = ledger[at]._replace(value=b"\xff" * 100)
    return ledger_only(log, ledger)


@corruption(Kind.UNDECODABLE, FIRST)
def the_details_are_of_another_ledger(log):
    at = find(log, FIRST)
    return ledger_only(log, with_decided(log.ledger, at, details=b"\x93\x01\x02\x03"))


@corruption(Kind.EPOCH)
def an_epoch_is_skipped(log):
    claim = claim_value(log.accepted.epoch + 2, b"stranger", "w4")
    return ledger_only(log, renumber([*log.ledger, log.ledger[-1]._replace(value=claim)]))


@corruption(Kind.NONCE)
def an_owner_claims_with_an_old_nonce(log):
    claim = claim_value(log.accepted.epoch + 1, b"00000001", "w1")
    return ledger_only(log, renumber([*log.ledger, log.ledger[-1]._replace(value=claim)]))


@corruption(Kind.UNCLAIMED, SETTLED)
def an_epoch_is_used_again_by_who_lost_its_claim(log):
    at = find(log, SETTLED)
    lost = log.ledger[at]._replace(value=claim_value(1, b"stranger", "w9"))
    ledger = with_record(log.ledger, at, nonce=b"stranger")
    return ledger_only(log, rechain([*ledger[:at], lost, *ledger[at:]]))


@corruption(Kind.UNCLAIMED, SETTLED)
def an_owner_decides_ahead_of_its_claim(log):
    return ledger_only(log, rechain(with_record(log.ledger, find(log, SETTLED), epoch=2, nonce=b"00000002")))


@corruption(Kind.AFTER_YIELD, RESTOCKED)
def an_owner_decides_after_its_yield(log):
    at = find(log, RESTOCKED)
    record = decode_ledger(log.ledger[at].value)
    before = decode_ledger(log.ledger[at - 2].value)
    forged = record._replace(epoch=1, nonce=b"00000001", digest=digest(before.digest, record.body))
    entry = log.ledger[at]._replace(value=encode_ledger(forged))
    return ledger_only(log, renumber([*log.ledger[: at - 1], entry, *log.ledger[at - 1 :]]))


@corruption(Kind.DIVERGENT, SETTLED)
def two_owners_decided_one_record_differently(log):
    own = HonestLog()
    own.claim("w1")
    own.open_sale(units=3)
    own.do(ask(1))
    zombie = own.zombie()
    own.claim("w2")
    own.send(ask(2))
    own.decide()
    zombie.decide()
    at = len(own.ledger) - 1
    record = decode_ledger(own.ledger[at].value)
    other = encode_body(decode_decided(record.body)._replace(outcomes=bytes((Outcome.SOLD_OUT,))))
    own.ledger[at] = own.ledger[at]._replace(value=encode_ledger(record._replace(body=other)))
    return own.ledger, own.commands


@corruption(Kind.PUBLISHED, SETTLED)
def facts_are_said_to_be_published_before_they_are_written(log):
    at = find(log, SETTLED)
    return ledger_only(log, rechain(with_record(log.ledger, at, published=at)))


@corruption(Kind.PUBLISHED, SECOND)
def the_published_watermark_falls(log):
    return ledger_only(log, rechain(with_record(log.ledger, find(log, SECOND), published=0)))


@corruption(Kind.COMMAND_DIGEST, SETTLED)
def a_decision_is_bound_to_another_command(log):
    return ledger_only(log, with_decided(log.ledger, find(log, SETTLED), cmd_digest=bytes(16)))


@corruption(Kind.COMMAND_DIGEST, FIRST)
def a_commands_record_is_changed_later(log):
    commands = list(log.commands)
    commands[FIRST] = commands[FIRST]._replace(value=commands[FIRST].value.replace(PRINT, b"g" * 8, 1))
    return log.ledger, commands


@corruption(Kind.COMMAND_DIGEST, FIRST)
def a_commands_record_gets_another_time(log):
    commands = list(log.commands)
    commands[FIRST] = commands[FIRST]._replace(timestamp_ms=commands[FIRST].timestamp_ms - 1)
    return log.ledger, commands


@corruption(Kind.COMMAND_MISSING, RETURNED)
def the_commands_end_before_what_was_decided(log):
    return log.ledger, log.commands[:RETURNED]


@corruption(Kind.GAP, SETTLED)
def a_commands_record_is_missing(log):
    return log.ledger, [*log.commands[:SETTLED], *log.commands[SETTLED + 1 :]]


@corruption(Kind.CLOCK, SETTLED)
def the_clock_runs_ahead(log):
    at = find(log, SETTLED)
    return ledger_only(log, with_decided(log.ledger, at, clk=clk_of(log, SETTLED) + 1))


@corruption(Kind.CLOCK, LAST)
def the_clock_goes_back(log):
    return ledger_only(log, with_decided(log.ledger, find(log, LAST), clk=START_MS))


@corruption(Kind.ANSWERS, FIRST)
def an_answer_is_missing(log):
    return ledger_only(log, with_decided(log.ledger, find(log, FIRST), outcomes=bytes(outcomes_of(log, FIRST)[:-1])))


@corruption(Kind.ANSWERS, FIRST)
def the_answers_go_to_somebody_else(log):
    return ledger_only(log, with_decided(log.ledger, find(log, FIRST), number=99))


@corruption(Kind.YIELD, SETTLED)
def a_hand_over_that_nobody_asked_for(log):
    return ledger_only(log, with_decided(log.ledger, find(log, SETTLED), yielded_to="w9"))


@corruption(Kind.YIELD, YIELDED)
def a_yield_is_refused(log):
    outcomes = bytes((Outcome.NOT_YIELDED,))
    return ledger_only(log, with_decided(log.ledger, find(log, YIELDED), yielded_to=None, outcomes=outcomes))


@corruption(Kind.RULING, FIRST)
def a_ruling_grants(log):
    return ledger_only(log, rechain(with_record(log.ledger, find(log, FIRST), kind=RULING)))


@corruption(Kind.FOREIGN_COMMAND, 2)
def a_command_of_another_log_is_decided(log):
    own = HonestLog()
    own.claim("w1")
    own.open_sale()
    own.do(Tick(), role=Role.OPS)
    foreign = own.commands[2].value.replace(bytes(range(16)), bytes(16))
    own.commands[2] = own.commands[2]._replace(value=foreign)
    bound = digest(own.commands[2].timestamp_ms.to_bytes(8, "big"), foreign)
    return with_decided(own.ledger, find(own, 2), cmd_digest=bound), own.commands
