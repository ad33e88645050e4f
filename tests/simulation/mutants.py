"""The protocol with one rule taken out, for everybody: by a patch while the worlds of the mutant run."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from random import Random
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import streams.machine
from domain import evolve, inventory, settling
from domain.outcomes import InvariantViolatedError, Outcome
from domain.reservation import RowState
from domain.rules import Rules
from domain.state import Inventory
from domain.stock import Released, Reserve, Sold
from domain.verdict import Verdict
from streams.outbox import Outbox
from streams.takeover import TakeoverClock
from streams.tenure import Tenure
from streams.vigil import Vigil
from tables.snapshot import Picture
from tests.simulation.gateway import View
from tests.simulation.mutation import Mutation, PlantedFold, PlantedPools
from tests.simulation.operator import FAULTS
from tests.simulation.weather import Weather
from tests.simulation.worker import Worker

Patch = tuple[Any, str, Any]


def given(**conditions: Any) -> Mapping[str, Any]:
    """Fields of the weather."""
    return MappingProxyType(conditions)


WITHOUT = given(snapshots=0.0)
"""What blurs the sight of the rules that most mutants are about."""


class Mutant(Mutation):
    """`seeds`: how many are tried at most. `kinds`: what the referee is expected to find, the first of it."""

    seeds = 60
    kinds: frozenset[str] = frozenset()
    conditions: Mapping[str, Any] = given()
    patches: tuple[Patch, ...] = ()

    def weather(self, weather: Weather) -> Weather:
        return weather._replace(**{**WITHOUT, **self.conditions})

    @contextmanager
    def patched(self) -> Iterator[None]:
        with ExitStack() as stack:
            for target, name, value in self.patches:
                stack.enter_context(patch.object(target, name, value))
            yield


class Unmutated(Mutation):
    """The weather of a mutant, and nothing taken out."""

    def __init__(self, mutant: type[Mutant]) -> None:
        self._conditions = mutant.conditions

    def weather(self, weather: Weather) -> Weather:
        return weather._replace(**{**WITHOUT, **self._conditions})


# --- owning (W1-W5) -------------------------------------------------------------------------------------------------


def _any_ack_counts(tenure: Tenure, token: int, offset: int) -> None:
    """Every ack accepts its decision, wherever it stands."""
    if tenure.in_flight and tenure.in_flight[0].token == token and offset >= 0:
        tenure._accepted.offset = offset
        tenure._accept()


class AckOffsetNotChecked(Mutant):
    """W4: a decision counts as soon as it is acked, also behind a foreign CLAIM."""

    kinds = frozenset({"a false fact", "a fact left out", "a partition stopped"})
    patches = ((Tenure, "appended", _any_ack_counts),)


_send = Tenure._send


def _send_and_tell(tenure: Tenure, *args: Any) -> Any:
    append = _send(tenure, *args)
    entry = tenure.in_flight[-1]
    tenure._publish(tenure._accepted.offset + len(tenure.in_flight), entry.record.kind, entry.record.body)
    return append


class PublishedBeforeTheAck(Mutant):
    """W6: facts leave when the decision is sent."""

    kinds = frozenset({"a false fact"})
    patches = ((Tenure, "_send", _send_and_tell),)


class WatermarkBeforeThePublishAck(Mutant):
    """A record says "published" of facts that were only sent."""

    kinds = frozenset({"a fact left out", "stuck"})
    conditions = given(crash=2.0, publish_ms=300)

    @contextmanager
    def patched(self) -> Iterator[None]:
        accepted = Outbox.accepted

        def at_once(outbox: Outbox, ledger_offset: int, *args: Any, **keywords: Any) -> None:
            accepted(outbox, ledger_offset, *args, **keywords)
            outbox.watermark = ledger_offset

        with patch.object(Outbox, "accepted", at_once):
            yield


class NothingPublishedAgain(Mutant):
    """A new owner trusts the old one to have published."""

    kinds = frozenset({"a fact left out", "stuck", "claim storm"})
    patches = ((Outbox, "unpublished", lambda _: []),)


class SnapshotsOfWhatMovesOn(Mutant):
    """A standby that had to take over finishes its snapshot all the same."""

    kinds = frozenset({"a snapshot in doubt"})
    conditions = given(snapshots=1.0, crash=2.0)
    patches = ((Picture, "stands", lambda _: True),)


class OwnRecordsInAHoleNotPublished(Mutant):
    """W4: what an owner finds accepted in a hole of its acks, it does not publish."""

    seeds = 200
    kinds = frozenset({"a fact left out", "stuck"})
    conditions = given(ack_trouble=0.04)

    @contextmanager
    def patched(self) -> Iterator[None]:
        echo = Tenure.echo

        def silently(tenure: Tenure, *args: Any) -> Any:
            with patch.object(Tenure, "_publish", lambda *_: None):
                return echo(tenure, *args)

        with patch.object(Tenure, "echo", silently):
            yield


class StartsFromACommittedOffset(Mutant):
    """W2: an owner begins where a consumer group would: somewhere else than at src + 1."""

    kinds = frozenset({"a record judged broken", "stuck"})

    @contextmanager
    def patched(self) -> Iterator[None]:
        begin = Tenure.__init__

        def elsewhere(tenure: Tenure, *args: Any) -> None:
            begin(tenure, *args)
            tenure.next_command += 1

        with patch.object(Tenure, "__init__", elsewhere):
            yield


def _fold_only_the_claim(machine: Any, nonce: bytes, offset: int) -> None:
    """The CLAIM's ack: as if nothing lay between the state and the CLAIM."""
    if machine.claiming and machine.claiming[0] == nonce and offset >= machine.ledger_next:
        machine.accepted.offset = offset - 1
        machine.on_ledger(offset, machine.wall_ms, machine.claiming[1])


class ClaimsWithoutFolding(Mutant):
    """W1: an owner from its CLAIM's ack on, whatever it has not folded."""

    kinds = frozenset({"a false fact", "a record judged broken", "a fact left out", "a partition stopped"})
    conditions = given(early_claims=5.0, tail_ms=300)
    patches = ((streams.machine.PartitionMachine, "on_claim_appended", _fold_only_the_claim),)


class FailedAppendForgiven(Mutant):
    """W5: an owner whose ledger producer gave up makes another one and goes on."""

    seeds = 200
    kinds = frozenset({"a record judged broken", "stuck"})
    conditions = given(ack_trouble=0.1, ack_lost=0.5, clone=0.0, slow_net=0.2, slow_net_ms=2000)

    @contextmanager
    def patched(self) -> Iterator[None]:
        def go_on(worker: Worker) -> None:
            worker.ledger_session = type(worker.ledger_session)(worker, "ledger", worker._ledger_failed)

        with patch.object(Worker, "_ledger_failed", go_on):
            yield


# --- time (W8, W9, W10) ---------------------------------------------------------------------------------------------


class NoTicks(Mutant):
    """W8: nobody lets time pass on an idle partition."""

    kinds = frozenset({"stuck"})
    patches = ((Vigil, "_append_tick", lambda _: None),)


class TicksNotCounted(Mutant):
    """W8: a tick is appended though one is on its way."""

    kinds = frozenset({"tick storm"})
    patches = ((Vigil, "_tick_pending", lambda *_: False),)


class NobodyTakesOver(Mutant):
    """W9: the plan alone decides who owns, and a dead owner's partition waits."""

    kinds = frozenset({"stuck"})
    conditions = given(crash=2.0, pause=0.0)
    patches = (
        (TakeoverClock, "silent", lambda *_: False),
        (Vigil, "_owner_gone", lambda _: False),
    )


class NaiveClaims(Mutant):
    """W9: whoever sees a command waiting claims, without back-off."""

    seeds = 120
    kinds = frozenset({"claim storm"})
    conditions = given(poison=1.0, whim=0.0, clone=0.0)
    patches = (
        (TakeoverClock, "wait_ms", lambda *_: 0),
        (TakeoverClock, "parked", lambda *_: False),
    )


class NothingIsParked(Mutant):
    """W10: a record that breaks every owner is claimed again and again."""

    seeds = 120
    kinds = frozenset({"claim storm"})
    conditions = given(poison=1.0, whim=0.0, clone=0.0, takeover_ms=60)
    patches = ((TakeoverClock, "parked", lambda *_: False),)


class FaultsStopThePartition(Mutant):
    """W10: an exception in `decide` of one command is taken for a broken state."""

    kinds = frozenset({"stuck"})
    conditions = given(poison=1.0, clone=0.0)

    @contextmanager
    def patched(self) -> Iterator[None]:
        get = PlantedPools.get

        def worse(pools: PlantedPools, key: str, default: Any = None) -> Any:
            if key == FAULTS:
                raise InvariantViolatedError("planted break")
            return get(pools, key, default)

        with patch.object(PlantedPools, "get", worse):
            yield


# --- the fold, and the view -----------------------------------------------------------------------------------------


def _sell_whatever_is_left(state: Inventory, row: Any, index: int) -> Verdict:
    del state
    return Verdict(Outcome.COMMITTED, (Sold(index, row.hold),))


def _sell_if_units(state: Inventory, row: Any, index: int) -> Verdict:
    if row.quantity > state.terms[row.terms - 1].pool.available:
        return Verdict(Outcome.GONE, (Released(index, row.hold, row.customer),))
    return Verdict(Outcome.COMMITTED, (Sold(index, row.hold),))


class SoldAfterExpiryWithoutUnits(Mutant):
    """Commit of an EXPIRED hold sells without looking at what is available."""

    seeds = 200
    kinds = frozenset({"the rows do not add up", "stuck"})
    conditions = given(hold_ms=400)
    patches = ((settling, "_sell_again", _sell_whatever_is_left),)


class SoldAfterExpiryBeyondTheLimit(Mutant):
    """Commit of an EXPIRED hold sells without looking at the customer's limit."""

    seeds = 300
    kinds = frozenset({"the rows do not add up"})
    conditions = given(hold_ms=400, limit=1, buyers=30, load_ms=4500)
    patches = ((settling, "_sell_again", _sell_if_units),)


def _release_anything(state: Inventory, command: Any, index: int) -> Verdict:
    del state
    return Verdict(Outcome.RELEASED, (Released(index, command.hold, command.customer),))


def _give_back_anything(state: Inventory, changes: Any) -> None:
    for index, hold, customer in changes:
        row = state.rows.get(hold)
        if row is None:
            evolve._bury(state, index, hold, customer)
            continue
        pool = evolve._pool_of(state, row)
        pool.available += row.quantity
        pool.held -= row.quantity
        state.rows.update(hold, RowState.RELEASED, row.returned, state.clk)


class ReleasedWithoutState(Mutant):
    """Release gives units back from whatever state the row is in."""

    kinds = frozenset({"the rows do not add up", "stuck", "a partition stopped"})

    @contextmanager
    def patched(self) -> Iterator[None]:
        with (
            patch.dict(inventory._DECIDE, {inventory.Release: _release_anything}),
            patch.dict(evolve.EVOLVE, {Released: _give_back_anything}),
        ):
            yield


class RefusalsRememberedFor300Ms(Mutant):
    """A refused key is a new question after 300 ms."""

    kinds = frozenset({"answers of a key contradict", "answers contradict", "a false answer"})

    def fold(self) -> PlantedFold:
        return PlantedFold({1: Rules(refusal_generation_ms=100, refusal_generations=3)})


class UnguardedView(View):
    """Believes every fact."""

    def is_news(self, ledger_offset: int) -> bool:
        return True


class ViewWithoutGuard(Mutant):
    """Facts published again turn a view back."""

    kinds = frozenset({"a view went back"})

    def view(self) -> View:
        return UnguardedView()


class FlippingFold(PlantedFold):
    """Now and then refuses by the flip of a coin that is not in the state."""

    def __init__(self, coins: Random) -> None:
        super().__init__()
        self._coins = coins

    def decide(self, state: Any, commands: Any, role: Any, src: int, clk: int) -> Any:
        flipped = [
            command._replace(max_price=0) if type(command) is Reserve and self._coins.random() < 0.3 else command
            for command in commands
        ]
        return super().decide(state, flipped, role, src, clk)


class DecidedByChance(Mutant):
    """Determinism: decide reads something else than state and command."""

    kinds = frozenset({"decided otherwise", "a record judged divergent"})

    def __init__(self) -> None:
        super().__init__()
        self._coins = Random(1)

    def fold(self) -> PlantedFold:
        return FlippingFold(self._coins)
