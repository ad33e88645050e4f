"""An owner's partition machine on a log in memory: deciding in this process, without Kafka and without waiting."""

import os
from collections.abc import Iterator
from random import Random

from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.roles import Role
from domain.shapes import QUANTITY_MAX
from domain.stock import Adjust, Open, Reserve, SetPolicy
from streams.effects import AppendClaim, Publish
from streams.machine import Member, PartitionMachine
from streams.records import (
    LOG_ID_BYTES,
    Genesis,
    encode_genesis,
    encode_ledger_genesis,
)
from streams.stock_records import BATCHES, StockCommand
from tables.stock import StockFold

LOG_ID = bytes(LOG_ID_BYTES)
ME = Member("bench", "bench@1", "bench")
BEGIN_MS = 1_750_000_000_000


def on_sale(sku: str, units: int, hold_ms: int) -> list[StockCommand]:
    """What puts a new SKU on sale, without a limit; sold out from the start with 0 `units`."""
    policy = SetPolicy(sku, 0, 100, "EUR", QUANTITY_MAX, hold_ms, "bench")
    return [policy, *([Adjust(sku, units, "initial", "")] if units else []), Open(sku, 1)]


def orders(count: int, size: int) -> Iterator[list[bytes]]:
    """Order ids in partition 0, `size` at a time."""
    for _ in range(count // size):
        yield [bytes(2) + os.urandom(14) for _ in range(size)]


class LoneMachine:
    """Of the log only its ends are kept; the whole `ledger`, if it `keeps`. `clk`: log time, in ms, moved by hand."""

    def __init__(self, clk: int, *, keeps: bool = False) -> None:
        self.clk = clk
        self.ledger: list[bytes] = []
        self._keeps = keeps
        self.machine = PartitionMachine(StockFold(), 0, ME, Random(1), log_id=LOG_ID)
        self._number = 0
        genesis = Genesis(LOG_ID, 1, 0)
        first = encode_ledger_genesis(genesis, clk, encode_genesis(genesis))
        self.machine.on_ledger(0, clk, first)
        self.machine.on_caught_up(1)
        self.machine.claim("bench")
        claim = next(effect for effect in self.machine.take() if isinstance(effect, AppendClaim))
        self.machine.on_claim_appended(claim.nonce, 1)
        self.ledger += (first, claim.value) if keeps else ()
        self.machine.take()

    def requests(self, sku: str, orders: list[bytes]) -> list[StockCommand]:
        """For a unit each, by as many customers."""
        return [Reserve(hold_id(order), sku, order[8:], 1, self.clk + 1_000, order[8:]) for order in orders]

    def batch(self, role: Role, commands: list[StockCommand]) -> bytes:
        """A commands record."""
        self._number += 1
        return BATCHES.encode(LOG_ID, role, "bench@1/stock/bench", self._number, commands)

    def decide(self, value: bytes) -> bytes:
        """Decide a commands record, and have it accepted and published; its outcomes. AssertionError if it is not."""
        machine = self.machine
        machine.on_clock(0, self.clk)
        machine.submit(machine.next_command, self.clk, value)
        append = machine.decide()
        if append is None:
            message = f"nothing was decided: {machine.take()}"
            raise AssertionError(message)
        machine.on_appended(append.token, machine.ledger_next)
        if self._keeps:
            self.ledger.append(append.value)
        for effect in machine.take():
            if isinstance(effect, Publish):
                machine.on_published(effect.ledger_offset)
        return append.outcomes

    def expect(self, outcome: Outcome, role: Role, commands: list[StockCommand]) -> None:
        """AssertionError if they do not all come to that."""
        outcomes = set(self.decide(self.batch(role, commands)))
        if outcomes != {outcome}:
            message = f"{outcome} was expected, not {outcomes}"
            raise AssertionError(message)
