"""The order log's codec, and the events that follow from an accepted record alone."""

import msgspec
import pytest

from domain.order_changes import ORDER_CHANGES, Begun
from domain.orders import COMMANDS
from domain.roles import Role
from streams.order_events import Decided as DecidedEvent
from streams.order_events import OrderEvent, decode, encode
from streams.order_records import BATCHES, NOTHING, decode_details, encode_details, events_of
from streams.protocol import Tick
from streams.records import EMPTY_DETAILS, Decided, UndecodableError
from tests.domain.order_scenario import parse, step
from tests.domain.test_order_shapes import GOOD
from tests.properties.order_partition import OrderPartition

STORIES = {
    "born and confirmed": (
        "born o1 ann tee 2", "authorised o1#1 1000", "committed o1/0", "captured o1#1 1000", "booked o1", "ship o1",
        "return o1 r1 0 1 restock", "refunded o1#1 r1", "returned o1/0 r1", "deliver o1",
    ),
    "placed and refused": ("place o1 ann a:1@0,b:2@1", "granted o1@0 1:100", "refused o1@1 sold-out", "released o1/1"),
    "cancelled before it was born": ("cancel o1 ann", "born o1 ann tee 1", "released o1/0", "hint o1#1", "orphan o1#1"),
}  # fmt: skip


def told(texts) -> list[OrderEvent]:
    partition = OrderPartition()
    events = []
    for text in texts:
        step(partition, 1, text)
        events += partition.events()
    return events


def test_every_command_comes_back_as_it_was_sent():
    commands = [*GOOD.values(), Tick()]
    assert set(map(type, commands)) >= set(COMMANDS.values())
    batch = BATCHES.decode(BATCHES.encode(bytes(16), Role.RELAY, "relay-1", 7, commands))
    assert batch.commands() == commands
    assert (batch.role, batch.sender, batch.number) == (Role.RELAY, "relay-1", 7)


def test_every_kind_of_change_comes_back_as_it_was_written():
    partition, changes = OrderPartition(), []
    for text in (*STORIES["born and confirmed"], "hint o2#1", "cancel o3 ann"):
        step(partition, 0, text)
        changes += partition.changes()
    step(partition, 0, "born o4 ann tee 1")
    step(partition, 30_000, "tick")
    changes += partition.changes()
    assert set(map(type, changes)) == set(ORDER_CHANGES.values())
    details = decode_details(encode_details(changes, replied=True))
    assert details.replied
    assert [change for run in details.changes for change in run.items] == changes


def test_nothing_to_say_is_no_details():
    assert encode_details([], replied=False) == EMPTY_DETAILS
    assert decode_details(EMPTY_DETAILS) == NOTHING


@pytest.mark.parametrize("raw", [b"\x01", b"\x92\xc3\x91\x92\x63\x90", b"\x92\xc3\x91\x92\x01\x91\x90", b"\xc1"])
def test_what_is_not_of_the_order_ledger_is_undecodable(raw):
    with pytest.raises(UndecodableError):
        decode_details(msgspec.Raw(raw))


@pytest.mark.parametrize("story", STORIES)
def test_events_tell_the_row(story):
    """Whoever keeps what events say has what the fold has: state, money, lines."""
    partition, known, lines = OrderPartition(), {}, {}
    for text in STORIES[story]:
        step(partition, 1, text)
        for event in partition.events():
            if event.kind in {"changed", "progressed"}:
                for field in ("version", "state", "sequence", "pay", "attempt", "amount", "captured", "refunded"):
                    known[field] = getattr(event, field)
                known |= {name: text for name in ("currency", "intent", "customer") if (text := getattr(event, name))}
                for line in event.lines:
                    fields = {
                        name: value for name, value in msgspec.structs.asdict(line).items() if value not in {0, -1, ""}
                    }
                    lines.setdefault(line.line, {}).update(fields)
        row = partition.get(parse("booked o1", 0).order)
        assert (row.version, row.sequence, row.public) == (known["version"], known["sequence"], known["state"])
        if hasattr(row, "lines"):
            money = [known[name] for name in ("pay", "attempt", "amount", "captured", "refunded")]
            assert money == [row.pay, row.attempt, row.amount, row.captured, row.refunded]
            assert known.get("currency", "") == row.currency
            assert known.get("intent", "") == row.intent
            assert known["customer"] == row.customer.hex()
            for line in row.lines:
                seen = lines[line.line]
                assert (seen["sku"], seen["quantity"], seen["state"]) == (line.sku, line.quantity, line.state)
                assert seen.get("unit_price", -1) == line.unit_price
                assert [seen.get(name, 0) for name in ("shipped", "delivered", "returned")] == list(line[-3:])


def test_a_born_order_shows_three_states_in_one_record_and_says_the_rest_in_the_last():
    first, second, third = told(["born o1 ann tee 2"])
    assert [(event.came_from, event.to, event.sequence) for event in (first, second, third)] == [
        ("", "CREATED", 1), ("CREATED", "RESERVED", 2), ("RESERVED", "PAYMENT_PENDING", 3),
    ]  # fmt: skip
    assert [event.index for event in (first, second, third)] == [0, 1, 2]
    assert {event.version for event in (first, second, third)} == {1}
    assert (first.receipt, first.customer != "", len(first.lines)) == ("0:77:0", True, 1)
    assert [ask.kind for ask in third.asks] == ["authorise"]
    assert not [*first.asks, *second.asks]


def test_only_lines_of_which_something_is_new_are_told_again():
    events = told(STORIES["placed and refused"])
    assert [[(line.line, line.state, line.sku) for line in event.lines] for event in events] == [
        [(1, "a", "a"), (2, "w", "b")],
        [(1, "h", ""), (2, "a", "")],
        [(1, "r", ""), (2, "x", "")],
        [(1, "x", "")],
    ]
    assert [line.reason for line in events[2].lines] == ["", "sold-out"]
    assert [(event.compensating, event.goal, event.reason) for event in events[2:]] == [
        (True, "REJECTED", "sold-out"), (False, "", "sold-out"),
    ]  # fmt: skip


def test_the_sealed_address_is_told_once():
    partition = OrderPartition()
    born = parse("born o1 ann tee 1", partition.clk)._replace(shipping=b"sealed")
    partition.record(born, role=Role.RELAY)
    assert [event.shipping for event in partition.events()] == ["c2VhbGVk", "", ""]
    (begun, _) = partition.changes()
    assert isinstance(begun, Begun)
    step(partition, 0, "authorised o1#1")
    assert b"sealed" not in bytes(partition.decided.details)


def test_a_clients_batch_is_answered_after_its_events():
    partition = OrderPartition()
    step(partition, 0, "cancel o1 ann")
    *events, answer = events_of(3, 99, partition.decided)
    assert len(events) == 1
    assert answer == DecidedEvent("gw", 1, 3, 99, 1, partition.clk, [52])
    step(partition, 0, "born o2 ann tee 1")
    assert not any(isinstance(event, DecidedEvent) for event in events_of(3, 99, partition.decided))


def test_a_ruling_by_hand_answers_whoever_sent_the_batch():
    ruling = Decided(5, bytes(16), 9, "gw", 4, b"\x03\x03", None, None, EMPTY_DETAILS, ("olga", "poison"))
    assert events_of(0, 7, ruling) == [DecidedEvent("gw", 4, 0, 7, 5, 9, [3, 3])]
    assert events_of(0, 7, ruling._replace(sender="")) == []
    assert events_of(0, 7, ruling._replace(note=None)) == []


@pytest.mark.parametrize("story", STORIES)
def test_every_event_survives_the_wire(story):
    for event in told(STORIES[story]):
        record = encode(event, "/turnstile/default/order.ledger")
        assert decode(record.headers, record.value) == event
