"""One order, real stock, and an intent a attempt: everything that may happen next, for enumerating all interleavings.

The states of the order fold and of the stock fold are numbered, so that what a command does to one is decided once; a
world is a small tuple of such numbers, of the intents, of what is on its way, and of how often fate may still strike.
"""

from copy import deepcopy
from typing import Any, NamedTuple

from domain import orders as o
from domain import stock as s
from domain.ids import hold_id
from domain.order_row import Order
from domain.orders import Ask, Pay
from domain.outcomes import Outcome
from domain.roles import Role
from tests.domain.order_scenario import ROLES
from tests.properties.commands import customer, fingerprint, order, sale
from tests.properties.order_partition import OrderPartition
from tests.properties.partition import Partition
from tests.properties.plain import PlainOrderFold

NAME = order("o1")
HOLD_MS = 400_000
PRICE = 500

# An intent: - none, A authorised, D declined, K captured, X cannot be captured any more, V void, F refunded.
ALIVE = frozenset("AK")


class Luck(NamedTuple):
    """How often each of these may still happen, in the whole of a story."""

    cancels: int = 1
    deadlines: int = 1
    expiries: int = 1
    rivals: int = 1
    declines: int = 1
    failures: int = 1
    losses: int = 1
    """Answers of the provider that nobody hears, after it did what was asked or before."""
    hints: int = 2
    methods: int = 1
    ships: int = 1
    repeats: int = 1
    """Messages that stay on their way when they were delivered."""


class World(NamedTuple):
    """`order`, `stock`: numbers of states. `intents`: a letter an attempt. `bag`: messages on their way."""

    order: int
    stock: int
    intents: str
    bag: frozenset[tuple]
    luck: Luck


class Numbered:
    """States of one fold, numbered by content, and what commands did to them."""

    def __init__(self, first: Any, content: Any) -> None:
        self.states = [first]
        self._content = content
        self._numbers = {content(first): 0}
        self._done: dict[tuple, tuple[int, Any]] = {}

    def after(self, number: int, name: tuple, act: Any) -> tuple[int, Any]:
        """The state that `act(state)` makes of a copy of the state, and what it gives."""
        key = (number, name)
        if key not in self._done:
            state = deepcopy(self.states[number])
            result = act(state)
            content = self._content(state)
            if content not in self._numbers:
                self._numbers[content] = len(self.states)
                self.states.append(state)
            self._done[key] = (self._numbers[content], result)
        return self._done[key]


def order_content(partition: OrderPartition) -> Any:
    """Nothing that only counts or times: how often something was asked for again."""
    row = partition.get(NAME)
    if isinstance(row, Order):
        return row._replace(
            born_ms=0,
            version=0,
            sequence=0,
            offset=0,
            deadline_ms=bool(row.deadline_ms),
            asked_ms=0,
            resume_ms=0,
            tries=0,
        )
    return row and row._replace(version=0, sequence=0, ended_ms=0)


def stock_content(partition: Partition) -> Any:
    rows = sorted((row.hold, row.state, row.returned) for row in partition.owner.rows)
    return tuple(rows), tuple(pool.totals()[:6] for pool in partition.owner.pools.values())


class Machine:
    """All that can happen in a world. `start` = "born" (a granted line), "placed" or "partial" (two lines)."""

    def __init__(self, start: str = "born") -> None:
        self.lines = (0,) if start == "born" else (1, 2)
        self.partial = start == "partial"
        partition = OrderPartition(fold=PlainOrderFold())
        shop = Partition(clk=partition.clk)
        for line in self.lines:
            shop.record(*sale(f"tee{line}", 1, hold_ms=HOLD_MS, price=PRICE))
        first: tuple = ("place",)
        if start == "born":
            reserve = s.Reserve(hold_id(NAME), "tee0", customer("ann"), 1, shop.clk, fingerprint("f"))
            shop.record(reserve, role=Role.GATEWAY)
            first = ("born",)
        self.orders = Numbered(partition, order_content)
        self.shops = Numbered(shop, stock_content)
        self.start = World(0, 0, "", frozenset({first}), Luck())

    # --- what may happen next ----------------------------------------------------------------------------------

    def moves(self, world: World):
        """Every world that may come next."""
        for message in world.bag:
            rest = world._replace(bag=world.bag - {message})
            yield from self._deliver(rest, message)
            if world.luck.repeats:
                yield from self._deliver(self._spend(world, "repeats"), message)
        yield from self._fate(world)

    def quiet(self, world: World) -> bool:
        """Nothing is on its way and no time will ever come."""
        partition = self.orders.states[world.order]
        return not world.bag and partition.fold.due_at_ms(partition.owner) is None

    def row(self, world: World):
        return self.orders.states[world.order].get(NAME)

    def held(self, world: World) -> list[int]:
        """States of the order's rows in stock, as far as it has any."""
        rows = self.shops.states[world.stock].owner.rows
        return [row.state for line in self.lines if (row := rows.get(hold_id(NAME, line))) is not None]

    def _fate(self, world: World):
        luck, row = world.luck, self.row(world)
        if luck.cancels:
            yield self._tell(self._spend(world, "cancels"), o.Cancel(NAME, bytes(8), customer("ann")))
        if luck.methods and isinstance(row, Order) and row.attempt:
            yield self._tell(self._spend(world, "methods"), o.Method(NAME, customer("ann"), "pm_2"))
        if luck.ships and isinstance(row, Order) and row.phase is o.Phase.CONFIRMED:
            yield self._tell(self._spend(world, "ships"), o.Ship(NAME, o.ALL_LINES, 0))
        if luck.deadlines and isinstance(row, Order) and row.deadline_ms:
            yield self._wait(self._spend(world, "deadlines"), "deadline")
        if luck.expiries:
            yield self._stock(self._spend(world, "expiries"), ("expire",))
        if luck.rivals:
            yield self._stock(self._spend(world, "rivals"), ("rival",))
        if luck.hints and world.intents:
            for attempt in range(1, len(world.intents) + 1):
                hint = o.Hint(NAME, attempt, f"pi_{attempt}", "evt", "any")
                yield self._tell(self._spend(world, "hints"), hint)
        if not world.bag and not self.quiet(world):
            yield self._wait(world, "due")

    @staticmethod
    def _spend(world: World, what: str) -> World:
        return world._replace(luck=world.luck._replace(**{what: getattr(world.luck, what) - 1}))

    # --- the order ---------------------------------------------------------------------------------------------

    def _tell(self, world: World, command: Any) -> World:
        def act(partition: OrderPartition) -> list[tuple]:
            partition.record(command, role=ROLES[type(command)])
            assert not partition.faults
            return asked(partition)

        number, asks = self.orders.after(world.order, (type(command), command), act)
        return world._replace(order=number, bag=world.bag | set(asks))

    def _wait(self, world: World, until: str) -> World:
        def act(partition: OrderPartition) -> list[tuple]:
            due_ms = partition.fold.due_at_ms(partition.owner) if until == "due" else partition.get(NAME).deadline_ms
            partition.record(after_ms=max(0, due_ms - partition.clk))
            return asked(partition)

        number, asks = self.orders.after(world.order, ("wait", until), act)
        return world._replace(order=number, bag=world.bag | set(asks))

    # --- messages ----------------------------------------------------------------------------------------------

    def _deliver(self, world: World, message: tuple):
        kind = message[0]
        if kind == "born":
            hold = self.orders.states[0].clk + HOLD_MS
            born = o.Born(NAME, "tee0", customer("ann"), 1, PRICE, "EUR", hold, fingerprint("f"), 7, 0, "pm_1", b"")
            yield self._tell(world, born)
        elif kind == "place":
            lines = tuple(o.PlacedLine(line, f"tee{line}", 0, 1) for line in self.lines)
            until = self.orders.states[0].clk + 600_000
            place = o.Place(NAME, customer("ann"), fingerprint("f"), self.partial, until, lines, "pm_1", b"")
            yield self._tell(world, place)
        elif kind == "answer":
            yield self._tell(world, message[1])
        elif kind == Ask.CONFIRM:
            yield world._replace(bag=world.bag | {("answer", o.Booked(NAME, 1))})
        elif kind in o.TO_STOCK:
            yield self._stock(world, message)
        else:
            yield from self._pay(world, *message)

    def _stock(self, world: World, message: tuple) -> World:
        def act(shop: Partition) -> list[tuple]:
            if message[0] == "expire":
                shop.record(after_ms=HOLD_MS)
                return []
            if message[0] == "rival":
                rival = s.Reserve(
                    hold_id(order("o2")), f"tee{self.lines[-1]}", customer("bob"), 1, shop.clk, fingerprint("f")
                )
                shop.record(rival, s.Commit(rival.hold), role=Role.ORDER)
                return []
            kind, line = message
            if kind == Ask.RESERVE:
                return [("answer", self._reserve(shop))]
            command = {Ask.COMMIT: s.Commit, Ask.RELEASE: s.Release}[kind](hold_id(NAME, line))
            return [("answer", o.LineAnswered(NAME, line, kind, outcome_of(shop, command)))]

        number, answers = self.shops.after(world.stock, message, act)
        return world._replace(stock=number, bag=world.bag | set(answers))

    def _reserve(self, shop: Partition) -> o.Reserved:
        lines = tuple(s.Line(line, f"tee{line}", 1) for line in self.lines)
        asked_all = s.ReserveAll(NAME, customer("ann"), self.partial, shop.clk + 1, fingerprint("f"), lines)
        code = outcome_of(shop, asked_all)
        granted = self.lines if code == Outcome.GRANTED else ()
        if self.partial and granted:  # what relays read from the facts
            refused = shop.owner.refusals
            granted = tuple(line for line in self.lines if refused.get(hold_id(NAME, line)) is None)
        terms = tuple(o.GrantedLine(line, PRICE, "EUR", shop.clk + HOLD_MS) for line in granted)
        rest = tuple((line, int(Outcome.SOLD_OUT)) for line in self.lines if line not in granted)
        return o.Reserved(NAME, 0, code, terms, rest if terms else ())

    # --- money -------------------------------------------------------------------------------------------------

    def _pay(self, world: World, kind: str, attempt: int, amount: int):
        """The provider does what it is asked once, and again what it did before; fate chooses where it may."""
        intents = world.intents.ljust(attempt, "-")
        now = intents[attempt - 1]
        for after, outcome, spent in ways(kind, now, self._pay_state(world, kind)):
            if spent and not getattr(world.luck, spent):
                continue
            spread = self._spend(world, spent) if spent else world
            told = spread._replace(intents=intents[: attempt - 1] + after + intents[attempt:])
            operation = self._operation(world, kind)
            if world.luck.losses and kind not in {Ask.LOOK, Ask.ORPHAN}:
                yield self._spend(told, "losses")
                yield self._spend(world, "losses")
            if outcome is None:
                yield told
                continue
            answer = o.PayAnswered(NAME, attempt, operation, outcome, f"pi_{attempt}", amount)
            yield told._replace(bag=told.bag | {("answer", answer)})

    def _pay_state(self, world: World, kind: str) -> str:
        row = self.row(world)
        return row.pay if kind == Ask.LOOK and isinstance(row, Order) else ""

    def _operation(self, world: World, kind: str) -> str:
        if kind != Ask.LOOK:
            return kind
        return {Pay.AUTHORISING: "authorise", Pay.CAPTURING: "capture", Pay.REFUNDING: "refund"}.get(
            self._pay_state(world, kind), "void"
        )


def ways(kind: str, now: str, pay: str) -> list[tuple[str, str | None, str]]:
    """(intent after it, outcome to answer or None, what it takes of luck) of one request to the provider."""
    if kind == Ask.AUTHORISE:
        known = {
            "A": "authorised",
            "K": "authorised",
            "X": "authorised",
            "D": "declined",
            "V": "cancelled",
            "F": "cancelled",
        }
        return [(now, known[now], "")] if now != "-" else [("A", "authorised", ""), ("D", "declined", "declines")]
    if kind == Ask.CAPTURE:
        if now == "A":
            return [("K", "captured", ""), ("X", "failed", "failures")]
        return [(now, "captured" if now in "KF" else "failed", "")]
    if kind == Ask.VOID:
        return [(now, "captured", "")] if now in "KF" else [("V", "voided", "")]
    if kind == Ask.REFUND:
        return [("F", "refunded", "")]
    if kind == Ask.ORPHAN:
        return [({"A": "V", "K": "F"}.get(now, now), None, "")]
    found = {
        ("A", "A"): "authorised", ("A", "D"): "declined", ("A", "V"): "cancelled", ("C", "K"): "captured",
        ("C", "X"): "failed", ("C", "V"): "failed", ("V", "V"): "voided", ("V", "K"): "captured", ("W", "V"): "voided",
        ("R", "F"): "refunded",
    }  # fmt: skip
    return [(now, found.get((pay, now)), "")]


def outcome_of(shop: Partition, command: Any) -> Outcome:
    """What a command of role ORDER comes to."""
    (label,) = shop.record(command, role=Role.ORDER)
    return Outcome[label.removesuffix("!").upper().replace("-", "_")]


def asked(partition: OrderPartition) -> list[tuple]:
    """What the last record asks of others, as messages."""
    messages = []
    for event in partition.events():
        for ask in event.asks:
            if ask.kind == Ask.RESERVE:
                messages.append((ask.kind, 0))
            elif ask.kind in o.TO_STOCK:
                messages.append((ask.kind, ask.line))
            elif ask.kind == Ask.CONFIRM:
                messages.append((ask.kind,))
            else:
                messages.append((ask.kind, ask.attempt, ask.amount))
    return messages
