"""Journeys of orders as text tables: one row, one command record, what is answered, what the order is, what it asks.

Columns stand two spaces apart. `after` is milliseconds since the row before. `row` is phase, money with attempt, and a
letter a line: `PENDING A1 h`, `-` = nobody has heard of the order. `asks`: `authorise1 commit/0 release/0 reserve@1`,
with a `+` behind a request that is made again. `shown`: public states passed. A row may end after any column.

    born O WHO SKU QUANTITY [pay=METHOD|pay=] [hold=MS] [content=f] [at=RECEIPT] [price=N]
    place O WHO SKU:QUANTITY@PARTITION,... [pay=METHOD|pay=] [partial] [content=f] [until=MS]
    granted O@P LINE:PRICE,... [hold=MS] [currency=EUR] [refused=LINE:CODE,...]     refused O@P CODE [LINE:CODE,...]
    committed|gone|released|busy-commit|extended O/LINE    returned O/LINE KEY
    authorised|declined|cancelled|action|voided|void-captured|captured|failed O#N [AMOUNT]    refunded O#N [KEY]
    queued O#N MS    method O WHO METHOD    cancel O WHO    booked O
    ship|deliver O [LINE QUANTITY]    return O KEY LINE|all QUANTITY restock|scrap    refund O KEY AMOUNT [WHY]
    settle O OUTCOME    hint O#N [INTENT]    orphan O#N    tick
"""

import re
from typing import Any

from domain import orders as o
from domain.order_row import Movement, Order, letters
from domain.order_rules import OrderRules
from domain.outcomes import Outcome
from domain.roles import Role
from streams.order_events import AskBody
from tests.properties.commands import customer, fingerprint, order
from tests.properties.order_partition import OrderPartition

HOLD_MS = 600_000
ROLES = {
    **dict.fromkeys((o.Born, o.Reserved, o.LineAnswered), Role.RELAY),
    **dict.fromkeys((o.PayAnswered, o.Queued, o.OrphanClosed), Role.PAYMENT),
    **dict.fromkeys((o.Place, o.Cancel, o.Method, o.Hint), Role.GATEWAY),
    **dict.fromkeys((o.Ship, o.Deliver, o.TakeBack, o.Refund, o.Settle), Role.OPS),
    o.Booked: Role.CONFIRMATION,
}


def play(table: str, rules: OrderRules | None = None) -> OrderPartition:
    """Send every row's command in a record of its own; AssertionError names the first row that came out otherwise."""
    partition = OrderPartition(rules)
    for line in filter(str.strip, table.strip().splitlines()[1:]):
        after, text, *expected = re.split(r"\s{2,}", line.strip())
        was = step(partition, int(after), text)
        assert list(was[: len(expected)]) == expected, f"{line} -- was {was}"
        assert not partition.faults, f"{line} -- {partition.faults}"
        partition.verify()
    return partition


def step(partition: OrderPartition, after_ms: int, text: str) -> tuple[str, str, str, str]:
    """One row: answer, row, asks, shown."""
    partition.clk += after_ms
    if text == "tick":
        partition.record()
        orders = list(dict.fromkeys(change.order for change in partition.changes()))
        return "-", " ".join(row_text(partition, name) for name in orders) or "-", *said(partition)
    command = parse(text, partition.clk)
    (answer,) = partition.record(command, role=role_of(command, text))
    return answer, row_text(partition, command.order), *said(partition)


def role_of(command: Any, text: str) -> Role:
    return Role.OPS if " ops" in text else ROLES[type(command)]


def row_text(partition: OrderPartition, name: bytes) -> str:
    row = partition.get(name)
    if row is None:
        return "-"
    if not isinstance(row, Order):
        return row.phase.name
    money = f"{row.pay}{row.attempt or ''}"
    return f"{row.phase.name}{f'({row.goal.name})' if row.goal else ''} {money} {letters(row.lines)}"


def said(partition: OrderPartition) -> tuple[str, str]:
    events = partition.events()
    asks = [ask_text(ask) + ("+" if event.cause == "unanswered" else "") for event in events for ask in event.asks]
    other = [event.kind for event in events if event.kind in {"key-reused", "orphan-closed"}]
    shown = [event.to for event in events if event.kind == "changed"]
    return " ".join(asks + other) or "-", " ".join(shown) or "-"


def ask_text(ask: AskBody) -> str:
    if ask.kind == "reserve":
        return f"reserve@{ask.partition}"
    if ask.kind == "return":
        return f"return/{ask.line}*{ask.quantity}"
    if ask.kind in {"refund", "capture", "confirm"}:
        return f"{ask.kind}{ask.attempt}={ask.amount}"
    return f"{ask.kind}/{ask.line}" if ask.line >= 0 else f"{ask.kind}{ask.attempt}"


def parse(text: str, clk: int) -> Any:
    words = [word for word in text.split() if "=" not in word]
    options = dict(word.split("=") for word in text.split() if "=" in word)
    return _PARSERS[words[0]](words, options, clk)


def _born(words, options, clk):
    _, name, who, sku, quantity = words
    return o.Born(
        order(name),
        sku,
        customer(who),
        int(quantity),
        int(options.get("price", 500)),
        "EUR",
        clk + int(options.get("hold", HOLD_MS)),
        fingerprint(options.get("content", "f")),
        int(options.get("at", 77)),
        0,
        options.get("pay", "pm_1"),
        b"",
    )


def _place(words, options, clk):
    _, name, who, items, *partial = words
    lines = []
    for number, item in enumerate(items.split(","), 1):
        sku, quantity, partition = re.split(r"[:@]", item)
        lines.append(o.PlacedLine(number, sku, int(partition), int(quantity)))
    until = clk + int(options.get("until", 30_000))
    content, method = fingerprint(options.get("content", "f")), options.get("pay", "pm_1")
    return o.Place(order(name), customer(who), content, bool(partial), until, tuple(lines), method, b"")


def _pairs(text: str) -> list[tuple[int, str]]:
    return [(int(line), value) for line, value in (pair.split(":") for pair in text.split(",") if pair)]


def _code(label: str) -> int:
    return Outcome[label.upper().replace("-", "_")]


def _granted(words, options, clk):
    name, partition = words[1].split("@")
    hold = clk + int(options.get("hold", HOLD_MS))
    currency = options.get("currency", "EUR")
    lines = tuple(o.GrantedLine(line, int(price), currency, hold) for line, price in _pairs(words[2]))
    refused = tuple((line, _code(label)) for line, label in _pairs(options.get("refused", "")))
    return o.Reserved(order(name), int(partition), Outcome.GRANTED, lines, refused)


def _refused(words, _, __):
    name, partition = words[1].split("@")
    refused = tuple((line, _code(label)) for line, label in _pairs(words[3] if len(words) > 3 else ""))
    return o.Reserved(order(name), int(partition), _code(words[2]), (), refused)


def _line(asked: str, outcome: Outcome):
    def parse_line(words, _, __):
        name, line = words[1].split("/")
        reference = reference_of(words[2]) if len(words) > 2 else 0
        return o.LineAnswered(order(name), int(line), asked, outcome, reference)

    return parse_line


def _attempt(word: str) -> tuple[bytes, int]:
    name, _, number = word.partition("#")
    return order(name), int(number or 1)


def _pay(operation: str, outcome: str):
    def parse_pay(words, options, _):
        name, attempt = _attempt(words[1])
        amount = int(words[2]) if len(words) > 2 else 0
        intent, reason = options.get("intent", f"pi_{attempt}"), options.get("why", "")
        return o.PayAnswered(
            name, attempt, operation, outcome, intent, amount, reason=reason, action=options.get("go", "")
        )

    return parse_pay


def key(word: str) -> bytes:
    return word.encode().ljust(8, b".")


def reference_of(word: str) -> int:
    """What stock knows the return of a key by."""
    return Movement(key(word), o.ALL_LINES, 0, True, 0).reference


def _refunded(words, _, __):
    name, attempt = _attempt(words[1])
    text = key(words[2]).hex() if len(words) > 2 else ""
    return o.PayAnswered(name, attempt, "refund", "refunded", f"pi_{attempt}", 0, text)


def _units(kind):
    def parse_units(words, _, __):
        line, quantity = (int(words[2]), int(words[3])) if len(words) > 2 else (o.ALL_LINES, 0)
        return kind(order(words[1]), line, quantity)

    return parse_units


def _return(words, _, __):
    _, name, word, line, quantity, where = words
    number = o.ALL_LINES if line == "all" else int(line)
    return o.TakeBack(order(name), key(word), number, int(quantity), where == "restock")


def _who(word: str) -> bytes:
    return b"" if word == "ops" else customer(word)


_PARSERS = {
    "born": _born,
    "place": _place,
    "granted": _granted,
    "refused": _refused,
    "committed": _line("commit", Outcome.COMMITTED),
    "gone": _line("commit", Outcome.GONE),
    "busy-commit": _line("commit", Outcome.BUSY),
    "released": _line("release", Outcome.RELEASED),
    "returned": _line("return", Outcome.RETURNED),
    "extended": _line("extend", Outcome.EXTENDED),
    "authorised": _pay("authorise", "authorised"),
    "action": _pay("authorise", "action-required"),
    "declined": _pay("authorise", "declined"),
    "cancelled": _pay("authorise", "cancelled"),
    "voided": _pay("void", "voided"),
    "void-captured": _pay("void", "captured"),
    "captured": _pay("capture", "captured"),
    "failed": _pay("capture", "failed"),
    "refunded": _refunded,
    "queued": lambda words, _, clk: o.Queued(*_attempt(words[1]), clk + int(words[2])),
    "method": lambda words, _, __: o.Method(order(words[1]), _who(words[2]), words[3]),
    "cancel": lambda words, _, __: o.Cancel(order(words[1]), key("c"), _who(words[2])),
    "booked": lambda words, _, __: o.Booked(order(words[1]), 1),
    "ship": _units(o.Ship),
    "deliver": _units(o.Deliver),
    "return": _return,
    "refund": lambda words, _, __: o.Refund(order(words[1]), key(words[2]), int(words[3]), " ".join(words[4:])),
    "settle": lambda words, _, __: o.Settle(order(words[1]), "olga", "case 1", words[2]),
    "hint": lambda words, _, __: o.Hint(
        *_attempt(words[1]), words[2] if len(words) > 2 else "pi_1", "evt_1", "payment_intent.x"
    ),
    "orphan": lambda words, _, __: o.OrphanClosed(*_attempt(words[1]), "pi_9", "voided", 500),
}
