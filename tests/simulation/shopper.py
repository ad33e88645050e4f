"""Shoppers: each wants one order, asks for it as often as it takes, pays, cancels, tries another card."""

from typing import TYPE_CHECKING, Any, NamedTuple

from domain.ids import hold_id
from domain.orders import Cancel, Method, Phase, Place, PlacedLine
from domain.outcomes import Outcome
from domain.stock import Reserve
from streams.carried import Carried, encode_carried
from streams.records import digest
from tests.simulation.gateway import Answer
from tests.simulation.logs import START_MS
from tests.simulation.order_rows import FINAL, OrderRow
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.journey import Journey

TRIES_MAX = 5
NOT_KEPT = FINAL | {Phase.EARLY}
OPEN_ENDED = frozenset({Outcome.BUSY, Outcome.FAULT, Outcome.TOO_LATE, Outcome.UNKNOWN_SKU, Outcome.KEY_REUSED})
"""No answer to the question: nothing of it is remembered."""
GOOD_CARD = "pm_card_visa"
BAD_CARD = "pm_card_visa_chargeDeclined"
CHALLENGED_CARD = "pm_card_authenticationRequired"
SLOW_REFUND_CARD = "pm_card_pendingRefund"
SHIPPING = b"sealed"
STRANGER = b"\xff" * 8


class Wanted(NamedTuple):
    """An order: its id, where it lives, whose it is, its lines (sku, quantity) sorted by SKU."""

    order: bytes
    home: Part
    customer: bytes
    lines: tuple[tuple[str, int], ...]
    partial: bool


class Wish:
    """One command under one key, sent until it is answered. The answers never differ."""

    def __init__(self, world: "Journey", part: Part, command: Any, tries: int) -> None:
        self._world = world
        self._part = part
        self.command = command
        self._tries = tries
        self.answer: Answer | None = None

    def send(self) -> None:
        """Through any gateway; again in a while if nobody answers."""
        if self.answer is not None or self._tries <= 0:
            return
        self._tries -= 1
        world = self._world
        gateway = world.rng.choice(world.gateways)
        if gateway.alive:
            gateway.submit(self._part, self.command, self)
            if world.rng.random() < 0.1:
                gateway.submit(self._part, self.command, self)
        world.at(world.now_ms + world.rng.randint(200, 1800), self.send)

    def insist(self) -> None:
        """Never give up."""
        self._tries = 1_000

    def answered(self, answer: Answer) -> None:
        """See gateway.Caller."""
        if answer.outcome in OPEN_ENDED:
            return
        if answer.outcome == Outcome.NOT_YOURS:  # a stranger cancelled it before its birth: no answer to its customer
            return
        if self.answer is not None and self.answer.outcome != answer.outcome and self._sticks():
            self._world.violated("answers contradict", f"{self.command}: {self.answer}, then {answer}")
        self.answer = answer
        self._world.count(f"{type(self.command).__name__.lower()} told: {Outcome(answer.outcome).label}")

    def _sticks(self) -> bool:
        """A wish for another card is answered by the moment, a stranger's too; all others for good."""
        return not isinstance(self.command, Method) and self.command.customer != STRANGER


class Shopper:
    """Everything that one customer wishes for one order."""

    def __init__(self, world: "Journey", wanted: Wanted) -> None:
        self._world = world
        self.wanted = wanted
        rng = world.rng
        trade = world.trade
        draw = rng.random()
        self._method = GOOD_CARD
        if draw < trade.without_method:
            self._method = ""
        elif draw < trade.without_method + trade.bad_method:
            self._method = BAD_CARD
        elif draw < trade.without_method + trade.bad_method + trade.challenge:
            self._method = CHALLENGED_CARD
        elif rng.random() < trade.pending_refund:
            self._method = SLOW_REFUND_CARD
        self.buy = self._question()
        self.cancels: list[Wish] = []

    def pay_with(self, method: str) -> None:
        """Another card than chance gave; asked for until it is answered."""
        self._method = method
        self.buy = self._question()
        self.buy.insist()

    def _question(self) -> Wish:
        world, wanted = self._world, self.wanted
        patience_ms = 30_000 if not world.faulty or world.rng.random() < 0.9 else world.rng.randint(0, 400)
        not_after_ms = START_MS + world.now_ms + patience_ms
        fingerprint = digest(repr(wanted.lines).encode())[:8]
        command: Reserve | Place
        if len(wanted.lines) == 1:
            sku, quantity = wanted.lines[0]
            carried = encode_carried(Carried(self._method, SHIPPING))
            hold = hold_id(wanted.order)
            command = Reserve(hold, sku, wanted.customer, quantity, not_after_ms, fingerprint, -1, carried)
        else:
            lines = tuple(
                PlacedLine(number, sku, world.skus[sku].partition, quantity)
                for number, (sku, quantity) in enumerate(wanted.lines, 1)
            )
            command = Place(
                wanted.order, wanted.customer, fingerprint, wanted.partial, not_after_ms, lines, self._method, SHIPPING
            )
        single = isinstance(command, Reserve)
        part = world.stock[wanted.home.partition] if single else wanted.home
        return Wish(world, part, command, world.rng.randint(1, TRIES_MAX))

    def come(self) -> None:
        """At the time that it was planned for."""
        world, rng, trade = self._world, self._world.rng, self._world.trade
        self.buy.send()
        order, customer = self.wanted.order, self.wanted.customer
        if rng.random() < trade.cancel:
            wish = Wish(world, self.wanted.home, Cancel(order, rng.randbytes(8), customer), TRIES_MAX)
            self.cancels.append(wish)
            world.at(world.now_ms + rng.randint(0, rng.choice((100, 1000, 5000))), wish.send)
        if not self._method or rng.random() < trade.another_method:
            for _ in range(rng.choice((1, 1, 2))):
                method = rng.choice((GOOD_CARD, GOOD_CARD, BAD_CARD))
                wish = Wish(world, self.wanted.home, Method(order, customer, method), 3)
                world.at(world.now_ms + rng.randint(50, 2500), wish.send)
        if rng.random() < 0.05:
            thief = Wish(world, self.wanted.home, Cancel(order, rng.randbytes(8), STRANGER), 2)
            world.at(world.now_ms + rng.randint(0, 2500), thief.send)
            world.count("strangers' cancels")

    def check(self, row: OrderRow | None) -> None:
        """At the end: what was told came true."""
        world, order = self._world, self.wanted.order.hex()
        bought = self.buy.answer
        if bought and isinstance(self.buy.command, Reserve):
            granted = bought.outcome == Outcome.GRANTED
            if not granted and row is not None and row.phase is not Phase.EARLY:
                world.violated("an order of a refused hold", f"{order} was told {bought}, is {row}")
            hold = world.stock[self.wanted.home.partition].referee.rows.rows.get(hold_id(self.wanted.order))
            ruled = world.counts["rulings"]  # by which a birth may have come to nothing
            if granted and row is None and not ruled and (hold is None or hold.state != "released"):
                world.violated("a grant without an order", f"{order} was told {bought}, hold {hold}")
        for wish in self.cancels:
            if wish.answer is None:
                continue
            if wish.answer.outcome == Outcome.UNKNOWN_ORDER:
                world.violated("a cancel is forgotten", f"{order} is {row}")
            gone = (
                row is not None and row.phase in NOT_KEPT and not (row.phase is Phase.REFUNDED and "u" in row.letters)
            )
            if wish.answer.outcome == Outcome.ACCEPTED and not gone:
                world.violated("a cancel is ignored", f"{order} was told {wish.answer}, is {row}")
