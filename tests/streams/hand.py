"""A partition machine driven by hand: the logs are lists, and each step of the shell is one call of the test."""

from collections.abc import Iterator
from random import Random
from typing import Any, TypeVar

from domain.ids import hold_id
from domain.roles import Role as Sender
from domain.stock import Adjust, Open, Reserve, SetPolicy
from streams.effects import Append, AppendClaim, AppendCommand, Effect, Look, Publish, ReadLedger, Role, Seen
from streams.fold import Fold
from streams.machine import Member, PartitionMachine
from streams.records import (
    Decided,
    Genesis,
    LedgerRecord,
    decode_decided,
    decode_ledger,
    encode_genesis,
    encode_ledger_genesis,
)
from streams.stock_records import BATCHES, StockCommand
from tables.stock import StockFold

START_MS = 1_750_000_000_000
LOG_ID = b"L" * 16
HOLD_MS = 5_000
E = TypeVar("E")


class Logs:
    """Commands, ledger and events of one partition, all beginning with GENESIS. `ms`: log time since the start."""

    def __init__(self) -> None:
        self.ms = 0
        genesis = Genesis(LOG_ID, 1, 0)
        self.commands: list[tuple[int, bytes]] = [(START_MS, encode_genesis(genesis))]
        self.commands_start = 0
        value = encode_ledger_genesis(genesis, *self.commands[0])
        self.ledger: list[tuple[int, bytes]] = [(START_MS, value)]
        self.events: list[bytes] = []
        self._sent = 0

    def command(self, *commands: StockCommand, role: Sender = Sender.OPS, log_id: bytes = LOG_ID) -> int:
        """One batch; its offset."""
        self._sent += 1
        return self.raw(BATCHES.encode(log_id, role, "test", self._sent, list(commands)))

    def raw(self, value: bytes) -> int:
        """Any bytes as a commands record."""
        self.commands.append((START_MS + self.ms, value))
        return len(self.commands) - 1

    def append(self, value: bytes) -> int:
        """Any bytes as a ledger record."""
        self.ledger.append((START_MS + self.ms, value))
        return len(self.ledger) - 1

    def open_sale(self, units: int = 10, limit: int = 10) -> None:
        """A pool "A", open."""
        policy = SetPolicy("A", 0, 100, "EUR", limit, HOLD_MS, "key")
        self.command(policy, Adjust("A", units, "initial", ""), Open("A", 1))

    def reserve(self, number: int, sku: str = "A") -> int:
        """One buyer's request."""
        return self.command(self.request(number, sku), role=Sender.GATEWAY)

    def request(self, number: int, sku: str = "A") -> Reserve:
        """The command of one buyer."""
        order = number.to_bytes(16, "big")
        not_after_ms = START_MS + self.ms + 30_000
        return Reserve(hold_id(order), sku, number.to_bytes(8, "big"), 1, not_after_ms, bytes(8))

    def decided(self) -> Iterator[tuple[int, LedgerRecord, Decided]]:
        """Every DECIDED and RULING, accepted or not."""
        for offset, (_, value) in enumerate(self.ledger):
            record = decode_ledger(value)
            if record.kind > 1:
                yield offset, record, decode_decided(record.body)


class Hand:
    """One worker's machine and what it asked for. Nothing is done that the test does not do."""

    def __init__(
        self, logs: Logs, worker: str = "w1", fold: Fold[Any] | None = None, *, takeover_ms: int = 500, seed: int = 1
    ) -> None:
        self.logs = logs
        me = Member(worker, f"{worker}@1", "code")
        self.machine = PartitionMachine(fold or StockFold(), 0, me, Random(seed), takeover_ms, LOG_ID)
        self.skew_ms = 0
        self.asked: list[Effect] = []

    # --- what it asks for -------------------------------------------------------------------------------------------

    def pull(self, kind: type[E]) -> list[E]:
        """What it asked for of this kind and was not pulled yet."""
        self.asked += self.machine.take()
        found = [effect for effect in self.asked if isinstance(effect, kind)]
        self.asked = [effect for effect in self.asked if not isinstance(effect, kind)]
        return found

    def forget(self) -> None:
        """What it asked for until now is of no interest."""
        self.machine.take()
        self.asked.clear()

    # --- time -----------------------------------------------------------------------------------------------------

    def clock(self) -> None:
        """One call of `on_clock` at the logs' time."""
        self.machine.on_clock(self.logs.ms, START_MS + self.logs.ms + self.skew_ms)

    def wait(self, length_ms: int) -> None:
        """Clock ticks, one every 25 ms."""
        for _ in range(length_ms // 25):
            self.logs.ms += 25
            self.clock()

    def wait_for(self, kind: type[E], most_ms: int) -> int:
        """Tick until it asks for this kind; the time it took, or `most_ms` if it did not."""
        for passed_ms in range(0, most_ms, 25):
            self.asked += self.machine.take()
            if any(isinstance(effect, kind) for effect in self.asked):
                return passed_ms
            self.wait(25)
        return most_ms

    # --- the shell's steps ------------------------------------------------------------------------------------------

    def warm(self) -> "Hand":
        """From nothing to WARM at the end of the ledger."""
        self.clock()
        self.machine.start()
        self.refold()
        self.forget()
        return self

    def refold(self) -> None:
        """A rebuild, at once."""
        self.read()
        self.machine.on_caught_up(len(self.logs.ledger))

    def read(self, end: int | None = None) -> None:
        """The tail: ledger records up to the end."""
        for offset in range(self.machine.ledger_next, len(self.logs.ledger) if end is None else end):
            self.machine.on_ledger(offset, *self.logs.ledger[offset])

    def hear(self) -> None:
        """The commands reader: everything."""
        for offset in range(len(self.logs.commands)):
            self.machine.submit(offset, *self.logs.commands[offset])

    def seen(self, look: Look) -> Seen:
        """What a fresh look shows."""
        logs = self.logs

        def kept(offset: int) -> tuple[int, bytes] | None:
            return logs.commands[offset] if logs.commands_start <= offset < len(logs.commands) else None

        ends = len(logs.ledger), logs.commands_start, len(logs.commands)
        return Seen(look.token, *ends, kept(0), kept(look.src))

    def look(self) -> None:
        """Answer the looks asked for."""
        for look in self.pull(Look):
            self.machine.on_seen(self.seen(look))

    def claim(self) -> int:
        """Append the CLAIM asked for and ack it; its offset."""
        (claim,) = self.pull(AppendClaim)
        offset = self.logs.append(claim.value)
        self.machine.on_claim_appended(claim.nonce, offset)
        return offset

    def own(self) -> "Hand":
        """Claim without a reason, from WARM, with nothing in between."""
        self.machine.claim("test")
        self.claim()
        assert self.machine.role is Role.OWNER
        self.hear()
        return self

    def decide(self) -> list[Append]:
        """Everything that may be decided now, sent to nobody."""
        appends = []
        while (append := self.machine.decide()) is not None:
            appends.append(append)
        return appends

    def land(self, append: Append, *, ack: int | None = None) -> int:
        """Append a decision to the ledger and ack it, by `ack` if given; its offset."""
        offset = self.logs.append(append.value)
        self.machine.on_appended(append.token, offset if ack is None else ack)
        return offset

    def publish(self) -> list[int]:
        """Publish and ack the facts asked for; their ledger offsets."""
        facts = self.pull(Publish)
        for fact in facts:
            self.logs.events.append(fact.value)
            self.machine.on_published(fact.ledger_offset)
        return [fact.ledger_offset for fact in facts]

    def run(self) -> None:
        """Hear, decide, append, ack, publish: until nothing is left to do."""
        self.hear()
        while appends := self.decide():
            for append in appends:
                self.land(append)
            self.publish()

    def send_commands(self) -> list[StockCommand]:
        """Append and ack the worker's own batches; the commands in them."""
        commands = []
        for effect in self.pull(AppendCommand):
            self.machine.on_command_appended(effect.token, self.logs.raw(effect.value))
            commands += BATCHES.decode(effect.value).commands()
        return commands

    def read_holes(self) -> list[tuple[int, int]]:
        """Serve the reads asked for."""
        reads = self.pull(ReadLedger)
        for start, end in reads:
            for offset in range(start, min(end, len(self.logs.ledger))):
                self.machine.on_ledger(offset, *self.logs.ledger[offset])
        return [tuple(read) for read in reads]
