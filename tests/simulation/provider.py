"""The provider of the simulation: the stand-in's book on simulated time, its webhooks and outages; and the bank."""

import json
from random import Random
from typing import TYPE_CHECKING

import msgspec

from adapters.stand_in.book import Book, Change, Request
from adapters.stand_in.charges import Charge, charge_of
from adapters.stand_in.mail import Delivery, Letter
from adapters.stand_in.objects import Intent
from adapters.stripe_wire import request_of
from domain.ids import order_id, order_text, parse_order
from domain.orders import Hint
from domain.provider import Create, Tags
from domain.roles import Role
from tests.simulation.forms import flat
from tests.simulation.logs import START_MS
from tests.simulation.world import KEY

if TYPE_CHECKING:
    from tests.simulation.journey import Journey

POST_MS = 20
PATIENCE_MS = 900
LONG_MS = 10_000
ALIVE = frozenset(
    {"requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture"}
)
HOLDS_MONEY = frozenset({"requires_capture"})


class Provider:
    """Outside of everything that can crash here."""

    def __init__(self, world: "Journey") -> None:
        self._world = world
        self._rng = Random(world.rng.getrandbits(32))
        behaviour = world.trade.behaviour
        self.book = Book(behaviour, keep=self._happened, webhooks=True)
        self._intents: dict[str, dict[str, Intent]] = {}
        """By order."""
        self._challenged: set[str] = set()
        self._undelivered = 0
        self.strays: set[str] = set()
        """Orders of nobody."""
        self._posting = False

    @property
    def now_ms(self) -> int:
        """The provider's clock."""
        return START_MS + self._world.now_ms

    def start(self) -> None:
        """An outage, if one is planned; and sometimes an authorisation is too old."""
        world, rng = self._world, self._rng
        if world.trade.outage_ms:
            begin_ms = START_MS + rng.randint(200, world.weather.load_ms)
            self.book.brown_out(begin_ms, begin_ms + world.trade.outage_ms)
        if world.trade.expired_authorisations:
            for _ in range(4):
                world.at(rng.randint(500, world.weather.load_ms + 1000), self._expire_one)
        if not world.trade.behaviour.webhook_lost:
            for _ in range(world.trade.strays):
                world.at(rng.randint(200, world.weather.load_ms), self._stray)
        world.at(world.now_ms + POST_MS, self._post)

    def calm(self) -> None:
        """No fault any more; what hangs still comes."""
        quiet = type(self.book.behaviour)(
            declines=self.book.behaviour.declines,
            latency_ms=1,
            reads_per_s=0,
            writes_per_s=0,
            refund_ms=self.book.behaviour.refund_ms,
            kept_ms=self.book.behaviour.kept_ms,
        )
        self.book.behave(quiet)
        if self._world.trade.outage_ms < LONG_MS:
            self.book.brown_out(0, 0)

    def charges_of(self, order_text: str) -> list[Charge]:
        """All intents of an order."""
        self.book.advance(self.now_ms)
        return [charge_of(intent) for intent in self._intents.get(order_text, {}).values()]

    def truth(self, order_text: str, attempt: int) -> str:
        """What an operator who looks an attempt up finds that can change no more: voided, captured, refunded, or ""."""
        self.book.advance(self.now_ms)
        for intent in self._intents.get(order_text, {}).values():
            if intent.metadata["attempt"] == str(attempt):
                if intent.status == "canceled":
                    return "voided"
                if intent.captured:
                    return "refunded" if intent.refunded == intent.captured else "captured"
        return ""

    def stray_money(self) -> list[Intent]:
        """What is authorised for nobody."""
        self.book.advance(self.now_ms)
        intents = (intent for order in sorted(self.strays) for intent in self._intents.get(order, {}).values())
        return [intent for intent in intents if intent.capturable]

    def restless(self) -> str:
        """Calls that are executed late, and mail."""
        if self.book.next_ms() is not None and self.book._late:
            return "a call hangs at the provider"
        if self.stray_money():
            return "money is authorised for nobody"
        return "mail" if self._undelivered or self.book.mail.next_ms() is not None else ""

    def _happened(self, change: Change) -> None:
        """At no moment is more than one attempt's money held or taken."""
        for intent in change.intents:
            order = intent.metadata["order"]
            mine = self._intents.setdefault(order, {})
            mine[intent.id] = intent
            money = [one for one in mine.values() if one.capturable or one.captured > one.refunded]
            if len(money) > 1:
                self._world.violated("two attempts have money", f"{order}: {money}")
            if len({one.metadata["attempt"] for one in mine.values()}) < len(mine):
                self._world.violated("two intents of one attempt", f"{order}: {list(mine.values())}")

    # --- webhooks -------------------------------------------------------------------------------------------------

    def _post(self) -> None:
        self.book.advance(self.now_ms)
        for letter in self.book.mail.due(self.now_ms):
            self._deliver(letter)
        self._world.at(self._world.now_ms + POST_MS, self._post)

    def _deliver(self, letter: Letter) -> None:
        """To any gateway: what gateway/webhooks.py makes of it is a Hint."""
        world = self._world
        event = json.loads(self.book.payload(letter))
        thing = event["data"]["object"]
        tags = thing.get("metadata") or {}
        intent = thing["id"] if thing["object"] == "payment_intent" else thing["payment_intent"]
        gateway = self._rng.choice(world.gateways)
        order = parse_order(tags["order"])
        hint = Hint(order, int(tags["attempt"]), intent, event["id"], event["type"])
        appended: list[int] = []
        if gateway.alive and gateway.paused_until <= world.now_ms:
            world.count("hints")
            gateway.sender.send(world.home(order), Role.GATEWAY, [hint], lambda: appended.append(world.now_ms))
        delivery = Delivery(0, self.now_ms, letter.event, event["type"], intent, letter.attempt, 0)
        self._undelivered += 1
        world.at(world.now_ms + PATIENCE_MS, self._answered, letter, delivery, appended)

    def _answered(self, letter: Letter, delivery: Delivery, appended: list[int]) -> None:
        """200 once the hint is in the log; else the letter comes again."""
        self._undelivered -= 1
        self.book.mail.answered(letter, msgspec.structs.replace(delivery, status=200 if appended else 0))

    # --- what happens to intents by itself ----------------------------------------------------------------------------

    def challenge(self, intent: str) -> None:
        """The customer will act at the bank, or not."""
        world = self._world
        if intent in self._challenged:
            return
        self._challenged.add(intent)
        if self._rng.random() < world.trade.acts:
            world.at(world.now_ms + self._rng.randint(50, 2000), self._act, intent)

    def _act(self, intent: str) -> None:
        ok = self._rng.random() < 0.7
        self._world.count("challenges answered")
        self.book.settle(intent, self.now_ms, ok=ok)

    def _stray(self) -> None:
        """Money in our name for an order that nobody knows, as after a log was restored: only webhooks tell of it."""
        world = self._world
        home = self._rng.randrange(len(world.orders))
        order = order_id(KEY, "nobody", str(self._rng.random()), home)
        call = Create("", Tags(world.environment, order_text(order), 1), 1999, "EUR", "pm_card_visa")
        wire = request_of(call)
        self.strays.add(order_text(order))
        self.book.receive(Request("POST", wire.path, flat(wire.params)), self.now_ms)

    def _expire_one(self) -> None:
        self.book.advance(self.now_ms)
        held = [charge.id for charge in self.book.charges() if charge.status in HOLDS_MONEY]
        if held and self._rng.random() < self._world.trade.expired_authorisations:
            self._world.count("authorisations expired")
            self.book.expire(self._rng.choice(held), self.now_ms)
