"""Rules that cover for one another: each may be taken out alone and nothing happens; together something does."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import streams.machine
from domain.stock import Reserve
from streams.acceptance import Acceptance, Lawful, Verdict
from streams.fold import Fold
from streams.machine import Member, PartitionMachine
from streams.records import DECIDED, Decided, LedgerRecord
from tests.simulation.mutants import ClaimsWithoutFolding, Mutant, given
from tests.simulation.mutation import PlantedFold


class Lax(Acceptance):
    """Acceptance whose readers, all of them, leave out some rules."""

    __slots__ = ()
    fenced = True
    chained = True
    counted = True

    def chains(self, record: LedgerRecord) -> bool:
        return not self.chained or super().chains(record)

    def _judge_stale(self, record: LedgerRecord) -> Verdict | None:
        return super()._judge_stale(record) if self.fenced else None

    def judge_decision(self, record: LedgerRecord, decided: Decided, lawful: Lawful) -> Verdict:
        if self.counted or record.kind != DECIDED:
            return super().judge_decision(record, decided, lawful)
        src = self.src
        self.src = decided.src - 1
        verdict = super().judge_decision(record, decided, lawful)
        if verdict is not Verdict.ACCEPTED:
            self.src = src
        return verdict


class Unfenced(Lax):
    """Without R4: records of older epochs count."""

    __slots__ = ()
    fenced = False


class Unchained(Lax):
    """Without the digest chain."""

    __slots__ = ()
    chained = False


class UnfencedUnchained(Lax):
    __slots__ = ()
    fenced = chained = False


class UnchainedUncounted(Lax):
    """Without the chain, and src may be any."""

    __slots__ = ()
    chained = counted = False


class AllOff(Lax):
    __slots__ = ()
    fenced = chained = counted = False


class SkewedFold(PlantedFold):
    """Another version of the rules, by mistake under the same number: it refuses half of the customers."""

    def decide(self, state: Any, commands: Any, role: Any, src: int, clk: int) -> Any:
        skewed = [
            command._replace(max_price=0) if type(command) is Reserve and command.customer[-1] % 2 else command
            for command in commands
        ]
        return super().decide(state, skewed, role, src, clk)


class Covering(Mutant):
    """`rules`: the acceptance of everybody. `skewed`: the first worker decides by other rules."""

    rules: type[Acceptance] = Acceptance
    skewed = False
    conditions = given(early_claims=5.0, pause=2.0, clone=0.0, fault_rate=8.0, whim=0.0, poison=0.0)

    def __init__(self) -> None:
        self.replays = not self.skewed
        if self.skewed:
            self.tolerated = self.tolerated | {"a record judged divergent"}

    def acceptance(self) -> Acceptance:
        return self.rules()

    def machine(
        self, fold: Fold[Any], partition: int, me: Member, rng: Random, takeover_ms: int, log_id: bytes
    ) -> PartitionMachine:
        decider = SkewedFold() if self.skewed and me.worker == "w0" else fold
        return PartitionMachine(decider, partition, me, rng, takeover_ms, log_id)

    @contextmanager
    def patched(self) -> Iterator[None]:
        with super().patched(), patch.object(streams.machine, "Acceptance", self.rules):
            yield


class AnyClaim(Acceptance):
    """Without R1: every CLAIM counts."""

    __slots__ = ()

    def _judge_claim(self, record: LedgerRecord, value: bytes) -> Verdict:
        self.epoch = record.epoch - 1
        return super()._judge_claim(record, value)


class AnyClaimCounts(Covering):
    """R1 off: a claim that came second, or late from a dead worker, takes the partition from who has it."""

    seeds = 200
    rules = AnyClaim
    kinds = frozenset({"a record judged ahead", "a record judged broken", "stuck"})


class FenceOff(Covering):
    """Covered by the chain: a CLAIM is chained in, so a fenced owner's record chains to nothing."""

    rules = Unfenced
    tolerated = frozenset({"a record judged broken"})


class ChainOff(Covering):
    """Covered by the fence."""

    rules = Unchained


class FenceAndChainOff(Covering):
    """A zombie's decision counts, and the owner's own, which says the same, does not: at that offset it is no fact.

    Nor can R2 tell any more that it says the same: it knows a body by what it does to the chain.
    """

    rules = UnfencedUnchained
    kinds = frozenset({"a false fact", "a record judged broken", "a record judged divergent"})


class SkewOnly(Covering):
    """Covered by the fence and the chain: only one owner's decisions count, by whatever rules."""

    skewed = True


class SkewFenceAndChainOff(Covering):
    """A zombie's other decision counts."""

    seeds = 400
    rules = UnfencedUnchained
    skewed = True
    kinds = frozenset({"a false fact", "a record judged broken"})


class SkewAndAllOff(Covering):
    """Everybody's decisions count, as often as they come."""

    rules = AllOff
    skewed = True
    kinds = frozenset({"a command decided twice, or never", "a record judged broken", "a false fact"})


class ClaimWithoutFoldingAndAllOff(Covering, ClaimsWithoutFolding):
    """An owner that has not folded decides again what was decided."""

    rules = UnchainedUncounted
    kinds = frozenset(
        {"a false fact", "a record judged broken", "a command decided twice, or never", "decided otherwise"}
    )
    patches = ClaimsWithoutFolding.patches
