"""What time asks of a partition machine: ticks (W8), taking over (W9), giving to the planned worker, old acks (W5)."""

from typing import TYPE_CHECKING, NamedTuple

from domain.roles import Role as Sender
from streams.acceptance import NO_EPOCH
from streams.effects import Alarm, AppendCommand, Exit, Look, ReadLedger, Role, Seen
from streams.protocol import Tick, Yield
from streams.records import command_digest
from streams.tenure import AHEAD_MS, EXIT_CODE

if TYPE_CHECKING:
    from streams.machine import PartitionMachine

CLOCK_MS = 25
CLOCK_LATE_MS = 50
"""A clock tick this late means that this process was not running: it cannot call another silent."""
ACK_MAX_MS = 40_000
"""The delivery timeout of the ledger's producer: an older unacked decision will never be acked (W5)."""
LOOK_FRESH_MS = 150
LOOK_LOST_MS = 5_000
OWNER_LOOKS_EVERY_MS = 2_000
FACTS_LATE_MS = 2_000
DUE_LATE_MS = 1_000
WATERMARK_LATE_MS = 500
TICK_LOST_MS = 5_000
PLAN_PATIENCE_MS = 10_000
"""Assigned and warm for so long while another owns: ask it to yield."""
YIELD_TIME_MS = 5_000


class _Look(NamedTuple):
    token: int
    reason: str
    """"" for the owner's routine look."""
    ledger_next: int
    src: int
    cmd_digest: bytes
    since_ms: int


class _Tick(NamedTuple):
    token: int
    offset: int | None
    since_ms: int


class Vigil:
    """Part of a machine: reads its state, asks for effects, calls its `claim` and `stop`."""

    def __init__(self, machine: "PartitionMachine") -> None:
        self._machine = machine
        self.assigned = False
        self.members: frozenset[str] | None = None
        self._assigned_since_ms = 0
        self._waiting_since_ms: int | None = None
        self._warm_since_ms: int | None = None
        self._recorded_late_ms: int | None = None
        self._recorded = -1
        self._yield_asked_ms: int | None = None
        self._looked_ms = 0
        self._look: _Look | None = None
        self._tick: _Tick | None = None
        self._tick_again_ms = 0
        self._token = 0
        self._rules_alarmed = False

    # --- inputs ---------------------------------------------------------------------------------------------------

    def on_plan(self, members: frozenset[str] | None, *, assigned: bool) -> None:
        """See PartitionMachine.on_plan."""
        if assigned and not self.assigned:
            self._assigned_since_ms = self._machine.now_ms
        self.assigned = assigned
        self.members = members

    def on_clock(self, now_ms: int, wall_ms: int) -> None:
        """See PartitionMachine.on_clock."""
        machine = self._machine
        if now_ms - machine.now_ms > CLOCK_MS + CLOCK_LATE_MS:
            machine.takeover.restart(now_ms)
        machine.now_ms = now_ms
        machine.wall_ms = wall_ms
        if self._look and now_ms - self._look.since_ms > LOOK_LOST_MS:
            self._look = None
        if machine.role is Role.OWNER:
            self._warm_since_ms = None
            self._own()
        elif machine.role is Role.WARM:
            if self._warm_since_ms is None:
                self._warm_since_ms = now_ms
            self._wait()
        else:
            self._warm_since_ms = None

    def on_command_appended(self, token: int, offset: int | None) -> None:
        """See PartitionMachine.on_command_appended."""
        if self._tick and self._tick.token == token:
            self._tick = self._tick._replace(offset=offset) if offset is not None else None

    def on_seen(self, seen: Seen) -> None:
        """See PartitionMachine.on_seen."""
        look = self._look
        if look is None or look.token != seen.token:
            return
        self._look = None
        machine = self._machine
        if machine.role not in {Role.OWNER, Role.WARM}:
            return
        contradiction = _contradiction(look, machine, seen)
        if contradiction:
            machine.stop(contradiction)
            return
        machine.commands_end = max(machine.commands_end, seen.commands_end)
        if not look.reason or machine.role is not Role.WARM or machine.ledger_next != look.ledger_next:
            return
        if machine.now_ms - look.since_ms > LOOK_FRESH_MS:
            machine.counts["looks_late"] += 1
            machine.takeover.restart(machine.now_ms)
        elif seen.ledger_end > machine.ledger_next:
            machine.counts["looks_behind"] += 1
            machine.takeover.restart(machine.now_ms)
            machine.ask(ReadLedger(machine.ledger_next, seen.ledger_end))
        else:
            machine.claim(look.reason)

    def is_stirred(self) -> bool:
        """Whether this worker claims, or has a reason to."""
        return bool(self._look or self._machine.claiming or self._reason_to_claim())

    def hand_over(self, to: str) -> None:
        """See PartitionMachine.hand_over."""
        machine = self._machine
        if machine.tenure:
            self._append(Yield(to, machine.tenure.sent.epoch, machine.wall_ms + YIELD_TIME_MS))

    # --- as owner -------------------------------------------------------------------------------------------------

    def _own(self) -> None:
        machine = self._machine
        tenure = machine.tenure
        if tenure is None:
            return
        if tenure.in_flight and machine.now_ms - tenure.in_flight[0].sent_ms > ACK_MAX_MS:
            machine.ask(Exit(EXIT_CODE, f"no ack for {ACK_MAX_MS} ms: what was written is unknown"))
        if self._look is None and machine.now_ms - self._looked_ms >= OWNER_LOOKS_EVERY_MS:
            self._ask_look("")
        if not tenure.idle() or machine.commands_end > tenure.sent.src + 1 or self._tick_pending(tenure.sent.src):
            self._recorded_late_ms = None
            return
        if self._due(0):
            self._append_tick()
        elif len(machine.outbox) or machine.outbox.newest <= tenure.recorded:
            self._recorded_late_ms = None
        elif self._recorded_late_ms is None or self._recorded != tenure.recorded:
            self._recorded_late_ms = machine.now_ms
            self._recorded = tenure.recorded
        elif machine.now_ms - self._recorded_late_ms >= WATERMARK_LATE_MS:
            self._append_tick()

    def _due(self, late_ms: int) -> bool:
        """Whether the fold has been wanting a sweep for so long. Log time may lag behind the wall clock."""
        machine = self._machine
        due_ms = machine.fold.due_at_ms(machine.state)
        return due_ms is not None and machine.wall_ms >= due_ms + late_ms and machine.now_ms >= self._tick_again_ms

    def _tick_pending(self, src: int) -> bool:
        tick = self._tick
        if tick is None:
            return False
        if tick.offset is not None and tick.offset <= src:
            self._tick = None
            machine = self._machine
            due_ms = machine.fold.due_at_ms(machine.state)
            clk = machine.tenure.sent.clk if machine.tenure else machine.accepted.clk
            self._tick_again_ms = machine.now_ms + max(0, min(due_ms - clk, TICK_LOST_MS)) if due_ms is not None else 0
            return False
        return self._machine.now_ms - tick.since_ms < TICK_LOST_MS

    def _append_tick(self) -> None:
        self._recorded_late_ms = None
        self._machine.counts["ticks"] += 1
        self._tick = _Tick(self._append(Tick()), None, self._machine.now_ms)

    def _append(self, command: Tick | Yield) -> int:
        machine = self._machine
        genesis = machine.accepted.genesis
        self._token += 1
        log_id = genesis.log_id if genesis else machine.log_id
        value = machine.fold.batches.encode(log_id, Sender.WORKER, machine.me.worker, self._token, [command])
        machine.ask(AppendCommand(self._token, value))
        return self._token

    # --- as standby -----------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        machine = self._machine
        waiting = machine.commands_end > max(machine.accepted.src, machine.standstill.src) + 1
        if not waiting:
            self._waiting_since_ms = None
        elif self._waiting_since_ms is None:
            self._waiting_since_ms = machine.now_ms
        if machine.standstill.on:
            if self._reason_to_claim():
                machine.standstill.end()
            return
        if self._look or machine.claiming or machine.standstill.catching_up():
            return
        reason = self._reason_to_claim()
        if reason:
            self._ask_look(reason)
        elif not waiting and not self._tick_pending(machine.accepted.src) and self._due(DUE_LATE_MS):
            self._append_tick()
        elif self._wants_yield():
            self._yield_asked_ms = machine.now_ms
            self._append(Yield(machine.me.worker, machine.accepted.epoch, machine.wall_ms + YIELD_TIME_MS))

    def _reason_to_claim(self) -> str:
        """Why to claim now; "" if there is no reason, or one against it."""
        machine = self._machine
        accepted = machine.accepted
        if machine.takeover.parked(accepted.claims_here, machine.wall_ms) or not self._able():
            return ""
        if accepted.yielded_to == machine.me.worker:
            return "yielded to me"
        if self.assigned:
            if accepted.epoch == NO_EPOCH:
                return "assigned, never owned"
            if accepted.yielded_to == "":
                return "assigned, yielded to nobody in particular"
            if self._owner_gone():
                return "assigned, owner gone"
        since_ms = self._asked_for_since_ms()
        if since_ms is not None and machine.takeover.silent(machine.now_ms, machine.wall_ms, since_ms):
            return f"silence of {machine.now_ms - max(machine.takeover.quiet_since_ms, since_ms)} ms"
        return ""

    def _able(self) -> bool:
        """Rules that this code does not implement, or a clock that is far behind, keep it from claiming."""
        machine = self._machine
        known = machine.fold.rules_version(machine.state) in machine.fold.rules_versions
        if not known and not self._rules_alarmed:
            machine.ask(Alarm("rules.unknown", "the rules in force are newer than this worker: update it"))
        self._rules_alarmed = not known
        ahead = self._waiting_since_ms is not None and machine.commands_newest_ms > machine.wall_ms + AHEAD_MS
        return known and not ahead

    def _asked_for_since_ms(self) -> int | None:
        """Since when somebody should be deciding or publishing here."""
        standstill = self._machine.standstill
        unpublished_ms = self._machine.outbox.waits_since_ms(standstill.published)
        if unpublished_ms is None:
            unpublished_ms = standstill.owed_since_ms()
        if unpublished_ms is not None and self._machine.now_ms - unpublished_ms < FACTS_LATE_MS:
            unpublished_ms = None
        since = [at for at in (self._waiting_since_ms, unpublished_ms) if at is not None]
        return min(since) if since else None

    def _owner_gone(self) -> bool:
        machine = self._machine
        claim = machine.accepted.claim
        if self.members is None or claim is None or claim.incarnation in {machine.me.incarnation, *self.members}:
            return False
        return machine.takeover.silent(machine.now_ms, machine.wall_ms, 0)

    def _wants_yield(self) -> bool:
        """Planned to be ours for a while, another one lives and owns, and no pin speaks against it."""
        machine = self._machine
        accepted = machine.accepted
        if accepted.epoch == NO_EPOCH or accepted.yielded_to is not None or accepted.claim is None:
            return False
        ours = accepted.pin == machine.me.worker or (self.assigned and not self._pinned_elsewhere())
        if not ours or accepted.claim.worker == machine.me.worker or self._warm_since_ms is None:
            return False
        since_ms = max(self._assigned_since_ms, self._warm_since_ms)
        if self._yield_asked_ms is not None:
            since_ms = max(since_ms, self._yield_asked_ms)
        return machine.now_ms - since_ms >= PLAN_PATIENCE_MS

    def _pinned_elsewhere(self) -> bool:
        pin = self._machine.accepted.pin
        if pin in {"", self._machine.me.worker}:
            return False
        return self.members is None or any(member.partition("@")[0] == pin for member in self.members)

    def _ask_look(self, reason: str) -> None:
        machine = self._machine
        accepted = machine.accepted
        self._token += 1
        self._looked_ms = machine.now_ms
        self._look = _Look(self._token, reason, machine.ledger_next, accepted.src, accepted.cmd_digest, machine.now_ms)
        machine.ask(Look(self._token, accepted.src))


def _contradiction(look: _Look, machine: "PartitionMachine", seen: Seen) -> str:
    """Why the commands topic cannot be the one that this ledger decided (W1); "" if it can."""
    genesis = machine.accepted.genesis
    if not seen.commands_start <= look.src + 1 <= seen.commands_end:
        return (
            f"stock was decided up to command {look.src}, but the commands topic holds {seen.commands_start} to "
            f"{seen.commands_end}: it was re-created or cut. Nothing is decided, so that nothing is lost silently."
        )
    if genesis and seen.genesis and command_digest(*seen.genesis) != genesis.cmd_digest:
        return "the commands topic's first record is not the one that this ledger began with: it was re-created"
    if seen.at_src and command_digest(*seen.at_src) != look.cmd_digest:
        return f"command {look.src} is not the one that the ledger decided: the commands topic was replaced"
    return ""
