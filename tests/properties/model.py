"""A naive inventory: lists, searched from the front; written from the design, not from the fold. Slow and obvious.

It does not know about bytes, tables or changes; only what a customer and an operator may expect.
"""

from typing import NamedTuple

from domain import stock as s
from domain.roles import Role
from domain.rules import Rules

SENDERS = {
    Role.GATEWAY: (s.Reserve,),
    Role.ORDER: (s.Reserve, s.ReserveAll, s.Commit, s.Release, s.Extend, s.Return),
    Role.OPS: (s.Commit, s.Release, s.Extend, s.Return, s.Adjust, s.SetPolicy, s.Open, s.Close, s.SetRules),
    Role.WORKER: (),
}
PRECEDENCE = (
    "too-late", "unknown-sku", "busy", "not-open", "closed", "price-changed", "limit-reached", "all-held", "sold-out",
    "insufficient", "sibling-refused", "granted", "gone",
)  # fmt: skip
FORGOTTEN = ("too-late", "unknown-sku", "busy")


class Hold(NamedTuple):
    hold: bytes
    state: str  # held, sold, expired, released, returned
    customer: bytes
    sku: str = ""  # "" = a tombstone
    quantity: int = 0
    back: int = 0
    price: int = 0
    fingerprint: bytes = b""
    receipt: tuple[int, int] = (0, 0)
    granted_ms: int = 0
    first_deadline_ms: int = 0
    deadline_ms: int = 0
    ended_ms: int = 0
    returns: tuple[tuple[int, int, bool], ...] = ()


class Refused(NamedTuple):
    hold: bytes
    answer: str
    fingerprint: bytes
    receipt: tuple[int, int]
    ms: int


class Shelf(NamedTuple):
    sku: str
    version: int
    phase: str
    price: int
    limit: int
    hold_ms: int
    received: int = 0
    available: int = 0
    written_off: int = 0
    adjustments: tuple[tuple[str, int, str], ...] = ()


class Model:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.clk = 0
        self.src = 0
        self.holds: list[Hold] = []
        self.refusals: list[Refused] = []
        self.shelves: list[Shelf] = []
        self.pool_sweeps = 0
        self.lines = 0
        self.told: list[tuple[int, bytes]] = []  # (index, hold) of the last record's commands that came to nothing new

    def copy(self) -> "Model":
        other = Model.__new__(Model)
        other.__dict__.update(self.__dict__)
        other.holds = self.holds.copy()
        other.refusals = self.refusals.copy()
        other.shelves = self.shelves.copy()
        return other

    # --- looking things up

    def hold(self, hold: bytes) -> Hold | None:
        return next((each for each in self.holds if each.hold == hold), None)

    def shelf(self, sku: str) -> Shelf | None:
        return next((each for each in self.shelves if each.sku == sku), None)

    def refusal(self, hold: bytes) -> Refused | None:
        return next((each for each in self.refusals if each.hold == hold), None)

    def units(self, sku: str, state: str, customer: bytes | None = None) -> int:
        return sum(
            h.quantity - h.back
            for h in self.holds
            if h.sku == sku and h.state == state and customer in (None, h.customer)
        )

    def put(self, old: Hold, **new) -> None:
        self.holds[self.holds.index(old)] = old._replace(**new)

    def put_shelf(self, old: Shelf, **new) -> None:
        self.shelves[self.shelves.index(old)] = old._replace(**new)

    # --- one record

    def record(self, src: int, clk: int, role: Role, *commands) -> list[str]:
        rules = self.rules
        self.src, self.clk = src, clk
        span = rules.refusal_generation_ms
        self.refusals = [r for r in self.refusals if clk // span - r.ms // span < rules.refusal_generations]
        self.holds = [
            h
            for h in self.holds
            if h.state not in ("released", "expired", "returned") or clk - h.ended_ms < rules.ended_keep_ms
        ]
        self.pool_sweeps, self.lines = rules.pool_sweep_max, rules.record_lines_max
        self.told = []
        for hold in self.due()[: rules.sweep_max]:
            self.expire(hold)
        return [self.command(index, role, command) for index, command in enumerate(commands)]

    def due(self, sku: str | None = None) -> list[Hold]:
        holds = [h for h in self.holds if h.state == "held" and h.deadline_ms <= self.clk and sku in (None, h.sku)]
        return sorted(holds, key=lambda h: (h.deadline_ms, h.hold))

    def expire(self, hold: Hold) -> None:
        shelf = self.shelf(hold.sku)
        self.put_shelf(shelf, available=shelf.available + hold.quantity)
        self.put(hold, state="expired", ended_ms=self.clk)

    def command(self, index: int, role: Role, command) -> str:
        if not isinstance(command, SENDERS[role]):
            return "forbidden"
        name = type(command).__name__.lower()
        before = self.settled()
        answer = getattr(self, "return_" if name == "return" else name)(index, command)
        if name == "reserveall" and self.wrote:
            self.lines -= len(command.lines)
        if answer == "busy":
            return answer
        if name == "reserveall" and not self.wrote:
            self.told.append((index, command.order + bytes([command.lines[0].line])))
        if name in ("commit", "release", "extend", "return") and self.settled() == before:
            self.told.append((index, command.hold))
        return answer

    def settled(self) -> list[tuple]:
        """Everything that a command on a hold may change; expiry is nobody's command."""
        return [
            (h.hold, "live" if h.state in ("held", "expired") else h.state, h.back, h.deadline_ms) for h in self.holds
        ]

    # --- reserving

    def known(self, sku: str, hold: bytes, fingerprint: bytes) -> str | None:
        """The answer that this key has already, if any."""
        refusal, row = self.refusal(hold), self.hold(hold)
        if refusal:
            return refusal.answer + "!" if refusal.fingerprint == fingerprint else "key-reused"
        if row is None:
            return None
        if not row.sku:
            return "gone"
        return "granted!" if (row.sku, row.fingerprint) == (sku, fingerprint) else "key-reused"

    def ask(self, sku: str, customer: bytes, quantity: int, max_price: int, not_after_ms: int) -> str:
        """What a new question comes to; sweeps the shelf's due holds before it says no."""
        shelf = self.shelf(sku)
        if self.clk > not_after_ms:
            return "too-late"
        if shelf is None:
            return "unknown-sku"
        if shelf.phase != "open":
            return shelf.phase
        if 0 <= max_price < shelf.price:
            return "price-changed"
        while True:
            shelf = self.shelf(sku)
            held = self.units(sku, "held")
            counted = self.units(sku, "held", customer) + self.units(sku, "sold", customer)
            if counted + quantity > shelf.limit:
                answer = "limit-reached"
            elif quantity <= shelf.available:
                return "granted"
            elif quantity <= shelf.available + held:
                answer = "all-held"
            else:
                answer = "insufficient" if shelf.available + held else "sold-out"
            due = self.due(sku)
            if not due:
                return answer
            if not self.pool_sweeps:
                return "busy"
            self.pool_sweeps -= 1
            self.expire(due[0])

    def grant(self, index: int, hold: bytes, sku: str, customer: bytes, quantity: int, fingerprint: bytes) -> None:
        shelf = self.shelf(sku)
        self.put_shelf(shelf, available=shelf.available - quantity)
        deadline_ms = self.clk + shelf.hold_ms
        self.holds.append(
            Hold(
                hold, "held", customer, sku, quantity, 0, shelf.price, fingerprint, (self.src, index), self.clk,
                deadline_ms, deadline_ms,
            )
        )  # fmt: skip

    def refuse(self, index: int, hold: bytes, answer: str, fingerprint: bytes) -> None:
        self.refusals.append(Refused(hold, answer, fingerprint, (self.src, index), self.clk))

    def reserve(self, index: int, c: s.Reserve) -> str:
        known = self.known(c.sku, c.hold, c.fingerprint)
        if known:
            return known
        answer = self.ask(c.sku, c.customer, c.quantity, c.max_price, c.not_after_ms)
        if answer == "granted":
            self.grant(index, c.hold, c.sku, c.customer, c.quantity, c.fingerprint)
        elif answer not in FORGOTTEN:
            if len(self.refusals) >= self.rules.refusals_max:
                return "busy"
            self.refuse(index, c.hold, answer, c.fingerprint)
        return answer

    def reserveall(self, index: int, c: s.ReserveAll) -> str:
        self.wrote = False
        if len(c.lines) > self.lines:
            return "busy"
        holds = [c.order + bytes([line.line]) for line in c.lines]
        known = [self.known(line.sku, hold, c.fingerprint) for line, hold in zip(c.lines, holds, strict=True)]
        if "key-reused" in known:
            return "key-reused"
        first = [answer for answer in known if answer and answer.endswith("!")]
        if all(known) or (first and not c.partial):
            best = self.best([answer.rstrip("!") for answer in known if answer])
            self.wrote = bool(first)
            return best + "!" if first else best
        answers = []
        for line, answer in zip(c.lines, known, strict=True):
            price = line.max_price
            answers.append(answer or self.ask(line.sku, c.customer, line.quantity, price, c.not_after_ms))
            if answers[-1] == "busy":
                return "busy"
        if not c.partial and set(answers) != {"granted"}:
            answers = ["sibling-refused" if answer == "granted" else answer for answer in answers]
            if self.best(answers) in FORGOTTEN:
                return self.best(answers)
        fresh = [
            (line, hold, answer)
            for line, hold, answer, was in zip(c.lines, holds, answers, known, strict=True)
            if was is None and answer not in FORGOTTEN
        ]
        refused = [each for each in fresh if each[2] != "granted"]
        if len(self.refusals) + len(refused) > self.rules.refusals_max:
            return "busy"
        self.wrote = bool(fresh or first)
        for line, hold, answer in fresh:
            if answer == "granted":
                self.grant(index, hold, line.sku, c.customer, line.quantity, c.fingerprint)
            else:
                self.refuse(index, hold, answer, c.fingerprint)
        return self.best([answer.rstrip("!") for answer in answers])

    @staticmethod
    def best(answers: list[str]) -> str:
        """Granted if any line is; else what comes first in precedence, a sibling's refusal last."""
        if "granted" in answers:
            return "granted"
        own = [answer for answer in answers if answer != "sibling-refused"]
        return min(own, key=PRECEDENCE.index) if own else "sibling-refused"

    # --- settling

    def foreign(self, row: Hold, customer: bytes) -> bool:
        return bool(customer) and bool(row.customer) and customer != row.customer

    def commit(self, _: int, c: s.Commit) -> str:
        row = self.hold(c.hold)
        if row is None:
            return "gone"
        if self.foreign(row, c.customer):
            return "not-yours"
        if row.state == "sold":
            return "committed"
        if row.state == "held":
            self.put(row, state="sold")
            return "committed"
        if row.state != "expired":
            return "gone"
        return self.sell_again(row)

    def sell_again(self, row: Hold) -> str:
        """Without a limit: what would it come to if somebody asked now?"""
        while True:
            shelf = self.shelf(row.sku)
            counted = self.units(row.sku, "held", row.customer) + self.units(row.sku, "sold", row.customer)
            if row.quantity <= shelf.available and counted + row.quantity <= shelf.limit:
                self.put_shelf(shelf, available=shelf.available - row.quantity)
                self.put(row, state="sold")
                return "committed"
            due = self.due(row.sku)
            if not due:
                self.put(row, state="released", ended_ms=self.clk)
                return "gone"
            if not self.pool_sweeps:
                return "busy"
            self.pool_sweeps -= 1
            self.expire(due[0])

    def release(self, _: int, c: s.Release) -> str:
        row = self.hold(c.hold)
        if row is None:
            stones = [h for h in self.holds if not h.sku]
            mine = [h for h in stones if c.customer and h.customer == c.customer]
            if len(stones) >= self.rules.tombstones_max or len(mine) >= self.rules.tombstones_per_customer:
                return "busy"
            self.holds.append(Hold(c.hold, "released", c.customer, ended_ms=self.clk))
            return "released"
        if self.foreign(row, c.customer):
            return "not-yours"
        if row.state in ("held", "sold"):
            shelf = self.shelf(row.sku)
            self.put_shelf(shelf, available=shelf.available + row.quantity - row.back)
        if row.state in ("held", "sold", "expired"):
            self.put(row, state="released", ended_ms=self.clk)
        return "released"

    def extend(self, _: int, c: s.Extend) -> str:
        row = self.hold(c.hold)
        if row is None or row.state in ("sold", "released", "returned"):
            return "gone"
        if row.state == "expired" or row.deadline_ms <= self.clk:
            return "expired"
        until_ms = min(c.until_ms, row.granted_ms + self.rules.extend_max_ms)
        if until_ms > row.deadline_ms:
            self.put(row, deadline_ms=until_ms)
        return "extended"

    def return_(self, _: int, c: s.Return) -> str:
        row = self.hold(c.hold)
        if row is None or row.state not in ("sold", "returned"):
            return "gone"
        for reference, quantity, restock in row.returns:
            if reference == c.reference:
                return "returned" if (quantity, restock) == (c.quantity, c.restock) else "key-reused"
        if row.state == "returned":
            return "returned"
        if row.back + c.quantity > row.quantity:
            return "shortfall"
        shelf = self.shelf(row.sku)
        if c.restock:
            self.put_shelf(shelf, available=shelf.available + c.quantity)
        else:
            self.put_shelf(shelf, written_off=shelf.written_off + c.quantity)
        back = row.back + c.quantity
        returns = (*row.returns, (c.reference, c.quantity, c.restock))
        done = back == row.quantity
        self.put(
            row, back=back, returns=returns, state="returned" if done else "sold", ended_ms=self.clk if done else 0
        )
        return "returned"

    # --- stocking

    def adjust(self, _: int, c: s.Adjust) -> str:
        shelf = self.shelf(c.sku)
        if shelf is None:
            return "unknown-sku"
        for reference, delta, answer in shelf.adjustments:
            if reference == c.reference:
                return answer if delta == c.delta else "key-reused"
        moved = max(c.delta, -shelf.available)
        answer = "adjusted" if moved == c.delta else "shortfall"
        self.put_shelf(
            shelf,
            received=shelf.received + moved,
            available=shelf.available + moved,
            adjustments=(*shelf.adjustments, (c.reference, c.delta, answer)),
        )
        return answer

    def setpolicy(self, _: int, c: s.SetPolicy) -> str:
        shelf = self.shelf(c.sku)
        if shelf is None:
            if c.version:
                return "unknown-sku"
            self.shelves.append(Shelf(c.sku, 1, "not-open", c.price, c.limit, c.hold_ms))
            return "policy-set"
        if shelf.version != c.version:
            return "conflict"
        self.put_shelf(shelf, version=c.version + 1, price=c.price, limit=c.limit, hold_ms=c.hold_ms)
        return "policy-set"

    def open(self, _: int, c: s.Open) -> str:
        return self.turn(c.sku, c.version, "open", "opened")

    def close(self, _: int, c: s.Close) -> str:
        return self.turn(c.sku, c.version, "closed", "shut")

    def turn(self, sku: str, version: int, phase: str, answer: str) -> str:
        shelf = self.shelf(sku)
        if shelf is None:
            return "unknown-sku"
        if shelf.version != version:
            return "conflict"
        self.put_shelf(shelf, version=version + 1, phase=phase)
        return answer

    def setrules(self, _: int, c: s.SetRules) -> str:
        return "rules-set" if c.version == 1 else "conflict"
