"""What the relay passes on, from records alone: facts of stock to orders, what orders ask of stock to stock.

Pure and stateless: the same record gives the same commands whenever and by whomever it is read, and both folds absorb
them again. Expiry is no answer: it is nobody's command, and an order has its own deadline. A grant that is repeated
(its client asked again) is none either: the first one was passed on, and only that one has what the order carries.
"""

from typing import NamedTuple

from domain.ids import ORDER_ID_BYTES, hold_id, home_partition, order_bytes
from domain.orders import BORN_LINE, TO_STOCK, Ask, Born, GrantedLine, LineAnswered, OrderCommand, Reserved
from domain.outcomes import REPEATED, Outcome
from domain.stock import (
    CHANGES,
    COMMANDS,
    Answered,
    Change,
    Command,
    Commit,
    Extend,
    Extended,
    Granted,
    Line,
    Refused,
    Release,
    Released,
    Repeat,
    ReserveAll,
    Return,
    Returned,
    Sold,
)
from streams.carried import Carried, decode_carried
from streams.order_events import AskBody, OrderEvent
from streams.records import Decided, Fact, UndecodableError, decode_decided
from streams.stock_records import decode_details

_TOLD = frozenset(
    kind for kind, cls in CHANGES.items() if cls in {Granted, Refused, Sold, Released, Extended, Returned, Answered}
)
_ASKED = {Commit: Ask.COMMIT, Release: Ask.RELEASE, Extend: Ask.EXTEND, Return: Ask.RETURN}


class ToOrders(NamedTuple):
    """Commands by order partition, in the order of the stock commands that they answer; what somebody must look at."""

    commands: dict[int, list[OrderCommand]]
    problems: list[str]


def to_orders(partition: int, fact: Fact, partitions: int) -> ToOrders:
    """From one fact of stock partition `partition`. UndecodableError if it is none of the stock ledger's."""
    decided = decode_decided(fact.body)
    details = decode_details(decided.details, _TOLD)
    answers = _Answers(partition, decided)
    for _, changes in details.changes:
        for change in changes:
            answers.take(change)
    for repeat in details.repeats:
        answers.repeat(repeat)
    told = ToOrders({}, answers.problems)
    for _, command in sorted(answers.found(), key=lambda item: item[0]):
        home = home_partition(command.order)
        if home < partitions:
            told.commands.setdefault(home, []).append(command)
        else:
            told.problems.append(f"{command.order.hex()} names partition {home} of {partitions}")
    return told


class _Answers:
    """Of one fact: what stands alone, and what the lines of a ReserveAll came to, by index of the command."""

    def __init__(self, partition: int, decided: Decided) -> None:
        self._partition = partition
        self._decided = decided
        self._single: list[tuple[int, OrderCommand]] = []
        self._lines: dict[int, tuple[bytes, list[GrantedLine], list[tuple[int, int]]]] = {}
        self.problems: list[str] = []

    def found(self) -> list[tuple[int, OrderCommand]]:
        """Index of the stock command, and what an order is told of it."""
        reserved = [
            (index, Reserved(order, self._partition, self._outcome(index), tuple(granted), tuple(refused)))
            for index, (order, granted, refused) in self._lines.items()
        ]
        return [*self._single, *reserved]

    def take(self, change: Change) -> None:
        """One change of the record."""
        if isinstance(change, Refused):
            if change.hold[-1] != BORN_LINE:
                self._bundle(change.index, change.hold)[2].append((change.hold[-1], change.outcome))
        elif isinstance(change, Granted):
            if change.hold[-1] == BORN_LINE:
                self._single.append((change.index, self._born(change)))
            else:
                self._grant(change)
        elif isinstance(change, Sold):
            self._answer(change.index, change.hold, Ask.COMMIT)
        elif isinstance(change, Released):
            # An expired hold that cannot be sold any more is released by its Commit.
            is_release = self._outcome(change.index) == Outcome.RELEASED
            self._answer(change.index, change.hold, Ask.RELEASE if is_release else Ask.COMMIT)
        elif isinstance(change, Extended):
            self._answer(change.index, change.hold, Ask.EXTEND)
        elif isinstance(change, Returned):
            self._answer(change.index, change.hold, Ask.RETURN, change.reference)
        elif isinstance(change, Answered):
            self._told(change)

    def repeat(self, repeat: Repeat) -> None:
        """A line's first answer again; what a line was refused for is not repeated, only the command's outcome."""
        if repeat.hold[-1] == BORN_LINE:
            return
        if repeat.sku:
            self._grant(repeat)
        else:
            self._bundle(repeat.index, repeat.hold)

    def _told(self, change: Answered) -> None:
        asked = COMMANDS[change.command]
        if asked is ReserveAll:
            self._bundle(change.index, change.hold)
        else:
            self._answer(change.index, change.hold, _ASKED[asked], change.reference)

    def _answer(self, index: int, hold: bytes, asked: Ask, reference: int = 0) -> None:
        order, line = hold[:ORDER_ID_BYTES], hold[-1]
        self._single.append((index, LineAnswered(order, line, asked, self._outcome(index), reference)))

    def _grant(self, grant: Granted | Repeat) -> None:
        line = GrantedLine(grant.hold[-1], grant.unit_price, grant.currency, grant.deadline_ms)
        self._bundle(grant.index, grant.hold)[1].append(line)

    def _bundle(self, index: int, hold: bytes) -> tuple[bytes, list[GrantedLine], list[tuple[int, int]]]:
        return self._lines.setdefault(index, (hold[:ORDER_ID_BYTES], [], []))

    def _born(self, grant: Granted) -> Born:
        try:
            carried = decode_carried(grant.carried)
        except UndecodableError as error:
            self.problems.append(f"what {grant.hold.hex()} carries: {error}")
            carried = Carried()
        return Born(
            grant.hold[:ORDER_ID_BYTES],
            grant.sku,
            grant.customer,
            grant.quantity,
            grant.unit_price,
            grant.currency,
            grant.deadline_ms,
            grant.fingerprint,
            self._decided.src,
            grant.index,
            carried.method,
            carried.shipping,
        )

    def _outcome(self, index: int) -> int:
        return self._decided.outcomes[index] & ~REPEATED


# --- to stock -----------------------------------------------------------------------------------------------------


def to_stock(event: OrderEvent) -> dict[int, list[Command]]:
    """Stock commands by partition, from one event of an order. ValueError if a request is none of ours."""
    commands: dict[int, list[Command]] = {}
    for ask in event.asks:
        if ask.kind in TO_STOCK:
            commands.setdefault(ask.partition, []).append(_command(order_bytes(event.order), ask))
    return commands


def _command(order: bytes, ask: AskBody) -> Command:
    if ask.kind == Ask.RESERVE:
        lines = tuple(Line(line.line, line.sku, line.quantity, line.max_price) for line in ask.lines)
        customer, fingerprint = bytes.fromhex(ask.customer), bytes.fromhex(ask.fingerprint)
        return ReserveAll(order, customer, ask.partial, ask.until_ms, fingerprint, lines)
    hold = hold_id(order, ask.line)
    if ask.kind == Ask.COMMIT:
        return Commit(hold)
    if ask.kind == Ask.RELEASE:
        return Release(hold)
    if ask.kind == Ask.EXTEND:
        return Extend(hold, ask.until_ms)
    return Return(hold, ask.reference, ask.quantity, ask.restock)
