"""What the relay passes on: rows of stock commands and what orders hear of them; requests of orders and their commands.

Columns stand two spaces apart, as in tests/domain/scenario.py; lines of a bundle are numbered from 1 here. The last
column is what the relay tells orders of that record, "-" for nothing:

    born NAME SKU QUANTITY PRICE METHOD     reserved NAME OUTCOME LINE:PRICE,... [LINE:OUTCOME,...]
    KIND NAME/LINE OUTCOME [REFERENCE]      of a Commit, Release, Extend or Return
"""

import re
from typing import Any

import pytest

from domain.orders import TO_STOCK, Born, LineAnswered, Reserved
from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Commit, Extend, Line, Release, ReserveAll, Return
from streams.carried import Carried, encode_carried
from streams.order_events import AskBody, OrderEvent, ReserveLine
from streams.records import DECIDED, Decided, UndecodableError, decode_fact, encode_body, encode_fact
from streams.relaying import to_orders, to_stock
from streams.stock_records import encode_details
from tests.domain.scenario import parse
from tests.properties.commands import customer, fingerprint, hold, order
from tests.properties.partition import Partition

EVERY_HOME = 1 << 16  # names stand where an order's home partition does
PLACE = 3

SALE = """
 after  role     command                                answer          told
     0  ops      policy tee 0 500 2 10000               policy-set      -
     0  ops      adjust tee 3 initial                   adjusted        -
     0  ops      open tee 1                             opened          -
     0  ops      policy mug 0 100 2 10000               policy-set      -
     0  ops      adjust mug 1 initial                   adjusted        -
     0  ops      open mug 1                             opened          -
"""


def told_of(partition: Partition, outcomes: bytes) -> list[Any]:
    decided = Decided(
        partition.src, bytes(16), partition.clk, "gw", 1, outcomes, None, None,
        encode_details(partition.details.repeats, partition.changes(), partition.details.totals),
    )  # fmt: skip
    told = to_orders(PLACE, decode_fact(encode_fact(DECIDED, 7, encode_body(decided))), EVERY_HOME)
    assert not told.problems
    return [command for commands in told.commands.values() for command in commands]


def code_of(answer: str) -> int:
    name = answer.rstrip("!").replace("-", "_").upper()
    return Outcome[name] | (0x80 if answer.endswith("!") else 0)


def name_of(order_id: bytes) -> str:
    return order_id.rstrip(b".").decode()


def said(command: Any) -> str:
    name = name_of(command.order)
    if isinstance(command, Born):
        assert (command.currency, command.fingerprint) == ("EUR", fingerprint("f"))
        return f"born {name} {command.sku} {command.quantity} {command.unit_price} {command.method}".strip()
    outcome = Outcome(command.outcome).label
    if isinstance(command, LineAnswered):
        return f"{command.asked} {name}/{command.line} {outcome} {command.reference or ''}".strip()
    assert isinstance(command, Reserved)
    assert command.partition == PLACE
    assert all(line.currency == "EUR" and line.deadline_ms for line in command.granted)
    granted = ",".join(f"{line.line}:{line.unit_price}" for line in command.granted) or "none"
    refused = ",".join(f"{line}:{Outcome(code).label}" for line, code in command.refused)
    return f"reserved {name} {outcome} {granted} {refused}".strip()


def play(rows: str) -> Partition:
    partition = Partition()
    for row in (SALE + rows.lstrip("\n")).strip().splitlines()[1:]:
        after, role, text, answer, *told = re.split(r"\s{2,}", row.strip())
        partition.clk += int(after)
        command = None if text == "tick" else parse(text, partition.clk)
        if isinstance(command, ReserveAll):
            command = command._replace(lines=tuple(line._replace(line=line.line + 1) for line in command.lines))
        answers = partition.record(*([command] if command else []), role=Role[role.upper()])
        assert answers == ([] if answer == "-" else [answer]), row
        heard = [said(one) for one in told_of(partition, bytes(map(code_of, answers)))]
        assert heard == ([] if told == ["-"] else told), row
    return partition


def test_an_order_is_born_of_the_grant_of_a_single_line_and_of_nothing_else():
    play("""
     1  gateway  reserve h1 ann tee 2                   granted         born h1 tee 2 500
     1  gateway  reserve h1 ann tee 2                   granted!        -
     1  gateway  reserve h2 ann tee 2                   limit-reached   -
     1  gateway  reserve h2 ann tee 2                   limit-reached!  -
     1  gateway  reserve h3 ann cap 1                   unknown-sku     -
     1  gateway  reserve h1 ann tee 2 content=g         key-reused      -
     1  gateway  commit h1                              forbidden       -
 10000  worker   tick                                   -               -
    """)


def test_every_answer_about_a_hold_is_told_and_expiry_is_none():
    play("""
     1  gateway  reserve h1 ann tee 2                   granted         born h1 tee 2 500
     1  order    extend h1/0 20000                      extended        extend h1/0 extended
     1  order    extend h1/0 20                         extended        extend h1/0 extended
     1  order    commit h1/0                            committed       commit h1/0 committed
     1  order    commit h1/0                            committed       commit h1/0 committed
     1  order    return h1/0 7 1 restock                returned        return h1/0 returned 7
     1  order    return h1/0 7 1 restock                returned        return h1/0 returned 7
     1  order    return h1/0 7 1 scrap                  key-reused      return h1/0 key-reused 7
     1  order    return h1/0 8 2 scrap                  shortfall       return h1/0 shortfall 8
     1  order    release h1/0                           released        release h1/0 released
     1  order    release h1/0                           released        release h1/0 released
     1  order    return h1/0 9 1 scrap                  gone            return h1/0 gone 9
     1  order    extend h1/0 9000                       gone            extend h1/0 gone
     1  order    release h4/2                           released        release h4/2 released
     1  gateway  reserve h5 ann tee 1                   granted         born h5 tee 1 500
 10000  order    extend h5/0 9000                       expired         extend h5/0 expired
     1  order    release h5/0                           released        release h5/0 released
     1  ops      release h1/0                           released        release h1/0 released
    """)


def test_a_commit_of_an_expired_hold_is_answered_by_what_it_came_to_not_by_the_change_that_it_made():
    play("""
     1  gateway  reserve h1 ann tee 2                   granted         born h1 tee 2 500
 10000  gateway  reserve h2 bob tee 2                   granted         born h2 tee 2 500
     1  order    commit h1/0                            gone            commit h1/0 gone
 10000  order    commit h2/0                            committed       commit h2/0 committed
    """)


def test_the_lines_of_one_command_are_one_answer():
    play("""
     1  order    bundle b1 ann tee:2,mug:1              granted         reserved b1 granted 1:500,2:100
     1  order    bundle b1 ann tee:2,mug:1              granted!        reserved b1 granted 1:500,2:100
     1  order    bundle b2 bob tee:1,mug:1     all-held    reserved b2 all-held none 1:sibling-refused,2:all-held
     1  order    bundle b2 bob tee:1,mug:1              all-held!       reserved b2 all-held none
     1  order    bundle b3 bob tee:1,mug:1 partial      granted         reserved b3 granted 1:500 2:all-held
     1  order    bundle b3 bob tee:1,mug:1 partial      granted!        reserved b3 granted 1:500
     1  order    bundle b4 cy mug:1 partial             all-held        reserved b4 all-held none 1:all-held
    """)


def test_what_a_bundle_was_refused_for_is_told_where_nothing_is_remembered_of_it():
    play("""
     1  order    bundle b1 ann tee:1,cap:1              unknown-sku     reserved b1 unknown-sku none
     1  order    bundle b1 ann tee:1,cap:1 until=-1     too-late        reserved b1 too-late none
     1  order    bundle b1 ann tee:1,cap:1 partial      granted         reserved b1 granted 1:500
     1  order    bundle b1 ann tee:1,cap:1 content=g    key-reused      reserved b1 key-reused none
     1  order    release b2/1                           released        release b2/1 released
     1  order    bundle b2 ann tee:1                    gone            reserved b2 gone none
     1  ops      bundle b3 ann tee:1                    forbidden       -
    """)


def test_answers_come_in_the_order_of_the_commands_whatever_they_are():
    partition = play("")
    asked = [
        parse("reserve h1 ann tee 1", partition.clk),
        ReserveAll(order("h1b"), customer("bob"), False, partition.clk + 9, fingerprint("f"), (Line(4, "mug", 1),)),
        Commit(hold("h1")),
        ReserveAll(order("h1b"), customer("bob"), False, partition.clk + 9, fingerprint("f"), (Line(4, "mug", 1),)),
        Commit(hold("h1c")),
    ]
    answers = partition.record(*asked, role=Role.ORDER)
    told = told_of(partition, bytes(map(code_of, answers)))
    assert [said(one) for one in told] == [
        "born h1 tee 1 500", "reserved h1b granted 4:100", "commit h1/0 committed", "reserved h1b granted 4:100",
        "commit h1c/0 gone",
    ]  # fmt: skip


def grant_that_carries(carried: bytes) -> tuple[Partition, bytes]:
    partition = play("")
    command = parse("reserve h1 ann tee 1", partition.clk)._replace(carried=carried)
    (answer,) = partition.record(command, role=Role.GATEWAY)
    return partition, bytes((code_of(answer),))


def test_an_order_is_born_with_what_its_request_carried_and_the_receipt_of_its_grant():
    partition, outcomes = grant_that_carries(encode_carried(Carried("pm_card_visa", b"sealed")))
    (born,) = told_of(partition, outcomes)
    assert (born.method, born.shipping) == ("pm_card_visa", b"sealed")
    assert (born.offset, born.position) == (partition.src, 0)
    assert (born.customer, born.deadline_ms) == (customer("ann"), partition.clk + 10_000)


def fact_of(partition: Partition, outcomes: bytes):
    details = encode_details([], partition.changes(), [])
    body = encode_body(Decided(partition.src, bytes(16), partition.clk, "gw", 1, outcomes, None, None, details))
    return decode_fact(encode_fact(DECIDED, 7, body))


def test_an_order_whose_request_carries_nonsense_is_born_without_a_method_and_somebody_hears_of_it():
    partition, outcomes = grant_that_carries(b"\xc1 nonsense")
    told = to_orders(PLACE, fact_of(partition, outcomes), EVERY_HOME)
    ((born,),) = told.commands.values()
    assert (born.method, born.shipping) == ("", b"")
    assert "carries" in told.problems[0]


def test_an_id_that_names_no_partition_of_this_log_is_told_to_nobody_but_an_operator():
    partition, outcomes = grant_that_carries(b"")
    told = to_orders(PLACE, fact_of(partition, outcomes), 8)
    assert told.commands == {}
    assert "of 8" in told.problems[0]


def test_each_order_hears_in_the_partition_that_its_id_names():
    partition = play("")
    other = bytes((0, 5)) + order("h2")[2:]
    asked = [parse(f"reserve {name} ann tee 1", partition.clk) for name in ("h1", "h2")]
    asked[1] = asked[1]._replace(hold=other + b"\x00")
    answers = partition.record(*asked, role=Role.GATEWAY)
    told = to_orders(PLACE, fact_of(partition, bytes(map(code_of, answers))), EVERY_HOME)
    assert set(told.commands) == {5, int.from_bytes(b"h1", "big")}


def test_what_is_no_fact_of_the_stock_ledger_is_undecodable():
    with pytest.raises(UndecodableError):
        to_orders(PLACE, decode_fact(encode_fact(DECIDED, 7, b"?")), 8)


# --- to stock -----------------------------------------------------------------------------------------------------

ORDER = "00030000-0000-8000-8000-00000000000a"
ORDER_BYTES = bytes.fromhex(ORDER.replace("-", ""))
HOLD_2 = ORDER_BYTES + b"\x02"
ASKS = [
    (
        AskBody(
            "reserve", partition=1, lines=[ReserveLine(2, "tee", 3, 500)], partial=True, customer="61" * 8,
            fingerprint="66" * 8, until_ms=99,
        ),
        ReserveAll(ORDER_BYTES, b"a" * 8, True, 99, b"f" * 8, (Line(2, "tee", 3, 500),)),
    ),
    (AskBody("commit", partition=1, line=2), Commit(HOLD_2)),
    (AskBody("release", partition=1, line=2), Release(HOLD_2)),
    (AskBody("extend", partition=1, line=2, until_ms=99), Extend(HOLD_2, 99)),
    (AskBody("return", partition=1, line=2, quantity=3, restock=True, reference=7), Return(HOLD_2, 7, 3, True)),
]  # fmt: skip


def event(*asks: AskBody) -> OrderEvent:
    return OrderEvent("progressed", ORDER, 3, 10, 0, 1_000, 1, "CREATED", asks=list(asks))


@pytest.mark.parametrize(("ask", "command"), ASKS, ids=[ask.kind for ask, _ in ASKS])
def test_a_request_to_stock_is_one_command_in_the_partition_of_its_lines(ask, command):
    assert to_stock(event(ask)) == {1: [command]}


def test_every_kind_of_request_to_stock_has_its_command_and_others_are_not_stocks():
    assert {ask.kind for ask, _ in ASKS} == TO_STOCK
    assert to_stock(event(AskBody("authorise", attempt=1), AskBody("confirm"))) == {}


def test_requests_of_one_event_keep_their_order_within_a_partition():
    asks = [AskBody("release", partition=at % 2, line=at) for at in range(4)]
    holds = {
        partition: [command.hold[-1] for command in commands] for partition, commands in to_stock(event(*asks)).items()
    }
    assert holds == {0: [0, 2], 1: [1, 3]}
