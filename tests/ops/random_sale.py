"""Random honest logs: all kinds of commands and roles, shapes good and bad, owners that come and go, jumps in time."""

from random import Random
from typing import Any

from domain.ids import hold_id
from domain.roles import Role
from domain.stock import (
    Adjust,
    Close,
    Commit,
    Extend,
    Line,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)
from streams.protocol import Pin, Tick, Yield
from tests.ops.honest_log import PRINT, HonestLog, Zombie, ask, claim_value, customer, order

SKUS = ("shoe", "sock", "hat", "none")
ORDERS = 40
CUSTOMERS = 8
ROLES = (*[Role.GATEWAY] * 6, *[Role.OPS] * 3, *[Role.ORDER] * 2, Role.WORKER)
JUMPS_MS = (*[1] * 6, 5, 50, 2_000, 5_000, 31_000, 130_000, 500_000, 16 * 60_000)
CALM_JUMPS_MS = (*[1] * 9, 50, 900)
CALM_ROLES = (*[Role.GATEWAY] * 7, Role.OPS, *[Role.ORDER] * 3, Role.WORKER)


class RandomSale:
    """`calm`: mostly good commands, time goes slowly, the sales are open; else anything."""

    def __init__(self, rng: Random, *, calm: bool) -> None:
        self.rng = rng
        self.calm = calm
        self.jumps = CALM_JUMPS_MS if calm else JUMPS_MS
        self.roles = CALM_ROLES if calm else ROLES
        self.zombies: list[Zombie] = []
        self.log = HonestLog()
        self.versions = dict.fromkeys(SKUS, 0)
        self.grants: list[bytes] = []

    def run(self, records: int) -> HonestLog:
        rng, log = self.rng, self.log
        log.claim("w0")
        for sku in SKUS[:3] if self.calm else ():
            log.open_sale(sku, units=rng.choice((1, 5, 15)), limit=6, hold_ms=rng.choice((200, 3_000, 60_000)))
        self.learn()
        while len(log.commands) <= records:
            for _ in range(rng.choice((1, 1, 1, 3))):
                if rng.random() < 0.03:
                    log.send_raw(rng.randbytes(20), rng.choice(self.jumps))
                else:
                    role = rng.choice(self.roles)
                    commands = [self.command(role) for _ in range(rng.choice((1, 2, 5, 20)))]
                    log.send(*commands, role=role, later_ms=rng.choice(self.jumps))
            self.owner()
            self.zombies = [zombie for zombie in self.zombies if rng.random() < 0.5 or zombie.decide()]
            while log.accepted.src + 1 < len(log.commands) and rng.random() < 0.95:
                if log.accepted.yielded_to is not None:
                    log.claim(log.accepted.yielded_to or "w9")
                if rng.random() < 0.02:
                    self.rule()
                else:
                    log.decide()
            self.learn()
        return log

    def rule(self) -> None:
        try:
            self.log.rule()
        except ValueError:  # an undecodable record: leave it to the fold
            self.log.decide()

    def owner(self) -> None:
        """Claims that win and that lose, and late records of a former owner."""
        rng, log = self.rng, self.log
        if rng.random() < 0.1:
            if rng.random() < 0.5 and log.accepted.yielded_to is None:
                self.zombies.append(log.zombie())
            log.claim(f"w{rng.randrange(5)}")
            if rng.random() < 0.5:
                log.append(claim_value(log.accepted.epoch, rng.randbytes(8), "loser"))

    def learn(self) -> None:
        for sku, pool in self.log.state.pools.items():
            self.versions[sku] = pool.version

    def command(self, role: Role) -> Any:
        rng = self.rng
        kinds = {
            Role.GATEWAY: [self.reserve] * 6 + [self.tick],
            Role.ORDER: [self.reserve_all] * 2 + [self.commit, self.release, self.extend, self.give_back],
            Role.OPS: [self.policy, self.adjust, self.open, self.close, self.commit, self.give_back, self.protocol],
            Role.WORKER: [self.tick, self.protocol],
        }
        if rng.random() < 0.03 and not self.calm:
            role = rng.choice(ROLES)
        return rng.choice(kinds[role])()

    def a_hold(self) -> bytes:
        rows = [row.hold for row in self.log.state.rows] if self.calm else []
        if rows and self.rng.random() < 0.8:
            return self.rng.choice(sorted(rows))
        return hold_id(order(self.rng.randrange(ORDERS)), self.rng.choice((0, 0, 0, 0, 1, 2)))

    def a_customer(self) -> bytes:
        return customer(self.rng.randrange(CUSTOMERS))

    def reserve(self) -> Reserve:
        rng = self.rng
        number = rng.randrange(10**6 if self.calm and rng.random() < 0.7 else ORDERS)
        if self.calm:
            not_after_ms = self.log.now_ms + 30_000
            return ask(number, SKUS[number % 3], number % CUSTOMERS, 1 + number % 2, not_after_ms=not_after_ms)
        return ask(
            number,
            rng.choice(SKUS) if rng.random() < 0.3 else SKUS[number % 3],
            number % CUSTOMERS,
            1 + number % 3 if rng.random() < 0.9 else rng.choice((0, 1, 7, 500)),
            not_after_ms=self.log.now_ms + rng.choice((-10, 0, 30_000, 30_000, 30_000, 899_000, 10**7)),
            fingerprint=PRINT if rng.random() < 0.95 else b"x" * rng.choice((7, 8)),
            max_price=rng.choice((-1, -1, -1, 4_000, 4_900)),
            carried=rng.choice((b"", b"", b"c" * 10, b"c" * 2000)),
        )

    def reserve_all(self) -> ReserveAll:
        rng = self.rng
        lines = tuple(
            Line(line, sku, rng.choice((1, 1, 2, 9)), rng.choice((-1, -1, 4_000)))
            for line, sku in enumerate(rng.sample(SKUS, rng.choice((1, 2, 2, 3))))
        )
        number = rng.randrange(10**6 if self.calm else ORDERS)
        not_after_ms = self.log.now_ms + rng.choice((-10, 30_000, 30_000))
        return ReserveAll(
            order(number), customer(number % CUSTOMERS), rng.random() < 0.5, not_after_ms, PRINT, lines, b"c"
        )

    def commit(self) -> Commit:
        return Commit(*self.hold_and_customer())

    def release(self) -> Release:
        return Release(*self.hold_and_customer())

    def hold_and_customer(self) -> tuple[bytes, bytes]:
        rng = self.rng
        hold = self.a_hold()
        number = int.from_bytes(hold[2:16], "big")
        return hold, rng.choice((customer(number % CUSTOMERS),) * 4 + (b"", b"123", self.a_customer()))

    def extend(self) -> Extend:
        return Extend(self.a_hold(), self.log.now_ms + self.rng.choice((-5, 1_000, 70_000, 10**7)))

    def give_back(self) -> Return:
        rng = self.rng
        return Return(self.a_hold(), rng.randrange(3), rng.choice((1, 1, 2, 0)), rng.random() < 0.5)

    def adjust(self) -> Adjust:
        rng = self.rng
        return Adjust(rng.choice(SKUS[:3]), rng.choice((5, 20, 20, -3, -100, 0)), f"r{rng.randrange(30)}", "")

    def a_version(self, sku: str) -> int:
        return self.versions[sku] if self.rng.random() < 0.8 else self.rng.randrange(5)

    def policy(self) -> SetPolicy:
        rng = self.rng
        sku = rng.choice(SKUS[:3])
        if self.calm:
            return SetPolicy(
                sku, self.versions[sku], rng.choice((4_000, 4_900)), "EUR", 6, rng.choice((200, 60_000)), ""
            )
        price, currency = rng.choice((4_000, 4_900, 4_900)), rng.choice(("EUR", "EUR", "USD", "eu"))
        hold_ms = rng.choice((1, 3_000, 60_000, 900_000))
        return SetPolicy(sku, self.a_version(sku), price, currency, rng.choice((1, 3, 6)), hold_ms, "k1")

    def open(self) -> Open:
        sku = self.rng.choice(SKUS)
        return Open(sku, self.a_version(sku))

    def close(self) -> Close | Open:
        sku = self.rng.choice(SKUS)
        if self.calm and self.rng.random() < 0.8:
            return self.open()
        return Close(sku, self.a_version(sku)) if self.rng.random() < 0.5 else self.open()

    def tick(self) -> Tick:
        return Tick()

    def protocol(self) -> Any:
        rng, log = self.rng, self.log
        epoch = log.accepted.epoch + rng.choice((0, 0, 0, 1, -1))
        to = rng.choice(("", "w1", "w2", log.accepted.claim.worker))
        until_ms = log.now_ms + rng.choice((5_000, 5_000, -1))
        return rng.choice((Tick(), Pin(rng.choice(("", "w1"))), SetRules(1), Yield(to, epoch, until_ms)))
