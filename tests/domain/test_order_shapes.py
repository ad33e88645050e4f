"""What is not of an order command's shape is malformed, whatever the state; what is just of it passes."""

import pytest

from domain import orders as o
from domain.order_shapes import AMOUNT_MAX, WELL_FORMED_ORDER
from domain.roles import Role
from domain.shapes import PRICE_MAX, TIME_MAX
from tests.domain.order_scenario import ROLES
from tests.properties.order_partition import OrderPartition

ID = bytes(16)
LATEST = 1_000_000 + 900_000
LINE = o.PlacedLine(1, "tee", 0, 1)
GRANT = o.GrantedLine(1, 500, "EUR", 9)
GOOD = {
    o.Born: o.Born(ID, "tee", bytes(8), 1, 500, "EUR", LATEST, bytes(8), 1, 0, "pm_1", b""),
    o.Place: o.Place(ID, bytes(8), bytes(8), False, LATEST, (LINE, LINE._replace(line=2, sku="mug")), "", b""),
    o.Reserved: o.Reserved(ID, 0, 16, (GRANT,), ((2, 12),)),
    o.LineAnswered: o.LineAnswered(ID, 0, "commit", 20),
    o.PayAnswered: o.PayAnswered(ID, 1, "authorise", "authorised", "pi_1", 500),
    o.Queued: o.Queued(ID, 1, 5),
    o.Method: o.Method(ID, bytes(8), "pm_1"),
    o.Cancel: o.Cancel(ID, bytes(8), bytes(8)),
    o.Booked: o.Booked(ID, 1),
    o.Ship: o.Ship(ID, 0, 1),
    o.Deliver: o.Deliver(ID, o.ALL_LINES, 0),
    o.TakeBack: o.TakeBack(ID, bytes(8), 1, 1, True),
    o.Refund: o.Refund(ID, bytes(8), 1, ""),
    o.Settle: o.Settle(ID, "olga", "case 1", "voided"),
    o.Hint: o.Hint(ID, 0, "pi_1", "evt_1", "payment_intent.succeeded"),
    o.OrphanClosed: o.OrphanClosed(ID, 1, "pi_1", "voided", 5),
}
LONG = "x" * 65
TWENTY = tuple(o.PlacedLine(line, f"s{line}", 0, 1) for line in range(1, 21))
EDGES = [
    *((kind, "order", bytes(15), ID) for kind in GOOD),
    (o.Born, "sku", "", "x" * 64),
    (o.Born, "customer", bytes(7), bytes(8)),
    (o.Born, "quantity", 0, 65_535),
    (o.Born, "quantity", 65_536, 1),
    (o.Born, "unit_price", -1, 0),
    (o.Born, "unit_price", PRICE_MAX + 1, PRICE_MAX),
    (o.Born, "currency", "eur", "USD"),
    (o.Born, "deadline_ms", TIME_MAX + 1, TIME_MAX),
    (o.Born, "fingerprint", b"", bytes(8)),
    (o.Born, "offset", 1 << 48, (1 << 48) - 1),
    (o.Born, "position", 65_536, 65_535),
    (o.Born, "method", LONG, "x" * 64),
    (o.Born, "method", "pm_ü", "pm_u"),
    (o.Born, "shipping", bytes(1_025), bytes(1_024)),
    (o.Place, "customer", b"", bytes(8)),
    (o.Place, "fingerprint", bytes(9), bytes(8)),
    (o.Place, "not_after_ms", LATEST + 1, 0),
    (o.Place, "lines", (), (LINE,)),
    (o.Place, "lines", (*TWENTY, LINE._replace(line=21)), TWENTY),
    (o.Place, "lines", (LINE._replace(line=2),), (LINE,)),
    (o.Place, "lines", (LINE, LINE._replace(line=2)), (LINE,)),
    (o.Place, "lines", (LINE._replace(sku="ü"),), (LINE._replace(sku="u"),)),
    (o.Place, "lines", (LINE._replace(quantity=0),), (LINE,)),
    (o.Place, "lines", (LINE._replace(partition=-1),), (LINE._replace(partition=65_535),)),
    (o.Place, "lines", (LINE._replace(max_price=-2),), (LINE._replace(max_price=0),)),
    (o.Place, "method", LONG, ""),
    (o.Place, "shipping", bytes(1_025), bytes(1_024)),
    (o.Reserved, "partition", -1, 65_535),
    (o.Reserved, "outcome", 0, 255),
    (o.Reserved, "granted", (GRANT._replace(currency="EURO"),), ()),
    (o.Reserved, "granted", (GRANT._replace(unit_price=-1),), (GRANT,) * 20),
    (o.Reserved, "granted", (GRANT,) * 21, (GRANT,)),
    (o.Reserved, "refused", ((21, 12),), ((20, 12),)),
    (o.Reserved, "refused", ((1, 0),), ()),
    (o.LineAnswered, "line", 21, 20),
    (o.LineAnswered, "asked", LONG, "return"),
    (o.LineAnswered, "outcome", 256, 255),
    (o.LineAnswered, "reference", -1, (1 << 63) - 1),
    (o.PayAnswered, "attempt", 0, 255),
    (o.PayAnswered, "operation", LONG, "void"),
    (o.PayAnswered, "outcome", LONG, "voided"),
    (o.PayAnswered, "intent", LONG, ""),
    (o.PayAnswered, "amount", AMOUNT_MAX + 1, AMOUNT_MAX),
    (o.PayAnswered, "key", "x" * 17, "x" * 16),
    (o.PayAnswered, "reason", LONG, "card_declined"),
    (o.PayAnswered, "reason", "card\0declined", ""),
    (o.PayAnswered, "action", "x" * 1_025, "x" * 1_024),
    (o.Queued, "attempt", 256, 255),
    (o.Queued, "until_ms", -1, TIME_MAX),
    (o.Method, "customer", bytes(7), bytes(8)),
    (o.Method, "method", "", "p"),
    (o.Method, "method", LONG, "x" * 64),
    (o.Cancel, "key", b"", bytes(8)),
    (o.Cancel, "customer", bytes(9), bytes(8)),
    (o.Booked, "version", 1 << 32, (1 << 32) - 1),
    (o.Ship, "quantity", 0, 65_535),
    (o.Ship, "line", 21, 20),
    (o.Ship, "line", o.ALL_LINES, 1),
    (o.Deliver, "line", -2, o.ALL_LINES),
    (o.Deliver, "quantity", 1, 0),
    (o.TakeBack, "key", bytes(7), bytes(8)),
    (o.TakeBack, "line", -2, 0),
    (o.TakeBack, "quantity", 65_536, 65_535),
    (o.Refund, "key", bytes(9), bytes(8)),
    (o.Refund, "amount", 0, AMOUNT_MAX),
    (o.Refund, "reason", LONG, "x" * 64),
    (o.Refund, "reason", "late\0", "l\u00e4te"),
    (o.Settle, "operator", "", "x" * 64),
    (o.Settle, "operator", LONG, "\u00d6lga"),
    (o.Settle, "reference", "", "x" * 64),
    (o.Settle, "reference", "case\n1", "case 1"),
    (o.Settle, "outcome", "lost", "refunded"),
    (o.Hint, "attempt", -1, 255),
    (o.Hint, "intent", LONG, ""),
    (o.Hint, "event", LONG, ""),
    (o.Hint, "kind", LONG, ""),
    (o.OrphanClosed, "attempt", 256, 0),
    (o.OrphanClosed, "intent", LONG, ""),
    (o.OrphanClosed, "outcome", LONG, "refunded"),
    (o.OrphanClosed, "amount", -1, 0),
]


def answer(command, role=None):
    return OrderPartition().record(command, role=role or ROLES[type(command)])[0]


def test_every_command_has_a_shape_and_a_good_one_is_of_it():
    assert set(GOOD) == set(WELL_FORMED_ORDER) == set(o.COMMANDS.values())
    assert {kind for kind, command in GOOD.items() if answer(command) in {"malformed", "forbidden", "fault"}} == set()


@pytest.mark.parametrize(("kind", "field", "bad", "good"), EDGES)
def test_the_edges_of_every_field(kind, field, bad, good):
    assert answer(GOOD[kind]._replace(**{field: bad})) == "malformed"
    assert answer(GOOD[kind]._replace(**{field: good})) not in {"malformed", "fault"}


def test_every_field_that_is_not_a_flag_has_an_edge():
    edged = {(kind, field) for kind, field, _, _ in EDGES}
    flags = {(o.Place, "partial"), (o.TakeBack, "restock")}
    assert edged | flags == {(kind, field) for kind, command in GOOD.items() for field in command._fields}


def test_what_a_line_costs_in_all_is_bounded():
    born = GOOD[o.Born]._replace(quantity=2, unit_price=AMOUNT_MAX // 2)
    assert answer(born._replace(unit_price=born.unit_price + 1)) == "malformed"
    assert answer(born) == "born"


@pytest.mark.parametrize("kind", [o.Cancel, o.Method])
def test_only_an_operator_wishes_in_nobodys_name(kind):
    command = GOOD[kind]._replace(customer=b"")
    assert answer(command, Role.GATEWAY) == "malformed"
    assert answer(command, Role.OPS) != "malformed"


def test_malformed_comes_before_forbidden():
    assert answer(GOOD[o.Booked]._replace(version=-1), Role.GATEWAY) == "malformed"
    assert answer(GOOD[o.Booked], Role.GATEWAY) == "forbidden"
