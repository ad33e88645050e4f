"""The catalogue of what the programs log: a stable name for machines, a level, and a sentence for people.

A call names the action and gives the fields of its sentence (and more, if useful); tests/streams/test_logs.py reads
every call in the source and checks that. Names are for ever: alerts match them. Add a row where it belongs.
"""

from enum import Enum
from logging import CRITICAL, DEBUG, ERROR, INFO, WARNING


class Action(Enum):
    # Any program.
    STARTED = ("program.started", INFO, "{program} started")
    READY = ("program.ready", INFO, "{program} is at work on {partitions}")
    STOPPING = ("program.stopping", INFO, "{program} is stopping: {reason}")
    STOPPED = ("program.stopped", INFO, "{program} stopped")
    FAILED = ("program.failed", CRITICAL, "{program} cannot go on: {reason}")
    BROKER_AWAY = ("broker.away", WARNING, "the broker does not answer: {reason}")
    BROKER_BACK = ("broker.back", INFO, "the broker answers again")
    HUNG = ("program.hung", CRITICAL, "this process hangs and is ended: {reason}")
    LOOP_LATE = ("loop.late", WARNING, "the event loop was {late_ms} ms late")

    # Who owns which partition (W1, W4, W5, W9).
    REBALANCED = ("plan.rebalanced", DEBUG, "the group was rebalanced in {took_ms} ms")
    MEMBERS = ("plan.members", INFO, "the group's members are {members}")
    PLANNED = ("plan.changed", INFO, "the group plans partitions {partitions} for this worker")
    WARMING = ("partition.warming", DEBUG, "folding the ledger of partition {partition}")
    DROPPED = ("partition.dropped", WARNING, "folding partition {partition} again: {reason}")
    WARM = ("partition.warm", INFO, "partition {partition} is warm at ledger offset {offset}")
    COLD = ("partition.cold", INFO, "partition {partition} is no longer followed")
    CLAIMING = ("partition.claiming", INFO, "claiming partition {partition} at epoch {epoch}")
    CLAIMED = ("partition.claimed", INFO, "owns partition {partition} at epoch {epoch}")
    FENCED = ("partition.fenced", WARNING, "partition {partition} was taken by another worker: {reason}")
    YIELDING = ("partition.yielding", INFO, "handing partition {partition} to {to}")
    YIELDED = ("partition.yielded", INFO, "handed partition {partition} over: {reason}")

    # Alarms of the partition machine (streams/effects.py: Alarm carries label and message).
    PARTITION_STOPPED = ("partition.stopped", CRITICAL, "partition {partition}: {problem}")
    FAULT = ("decide.fault", ERROR, "partition {partition}: {problem}")
    FOLD_FAILED = ("fold.failed", CRITICAL, "partition {partition}: {problem}")
    COMMANDS_FOREIGN = ("commands.foreign", CRITICAL, "partition {partition}: {problem}")
    CLOCK_AHEAD = ("clock.ahead", ERROR, "partition {partition}: {problem}")
    RULES_UNKNOWN = ("rules.unknown", ERROR, "partition {partition}: {problem}")
    LEDGER_DIVERGENT = ("ledger.divergent", CRITICAL, "partition {partition}: {problem}")
    LEDGER_BROKEN = ("ledger.broken", CRITICAL, "partition {partition}: {problem}")
    LEDGER_AHEAD = ("ledger.ahead", CRITICAL, "partition {partition}: {problem}")

    # Snapshots: what shortens a start, and is never needed.
    SNAPSHOT_TAKEN = ("snapshot.taken", INFO, "partition {partition} has a snapshot at ledger offset {offset}")
    SNAPSHOT_FOLDED = ("snapshot.folded", INFO, "the ledger of partition {partition} is folded to {offset}")
    SNAPSHOT_LEFT = ("snapshot.left", INFO, "no snapshot of partition {partition} this time: {reason}")
    SNAPSHOT_LOADED = ("snapshot.loaded", INFO, "partition {partition} begins with a snapshot at {offset}")
    SNAPSHOT_SKIPPED = ("snapshot.skipped", WARNING, "a snapshot of partition {partition} is not used: {problem}")
    SNAPSHOT_DISCARDED = ("snapshot.discarded", ERROR, "a snapshot of partition {partition} is thrown away: {problem}")

    # The ledger and its dead letters (W5, W10).
    APPEND_FAILED = ("ledger.append-failed", CRITICAL, "an append to partition {partition} failed: {reason}")
    DEAD_LETTER = ("dead-letter.written", ERROR, "{topic} {partition}:{offset} went to the dead letters: {reason}")

    # The system of record and its mail.
    SQL_AWAY = ("sql.away", ERROR, "the system of record does not answer: {reason}")
    SQL_BACK = ("sql.back", INFO, "the system of record answers again after {seconds} s")
    SQL_HOLE = ("sql.hole", WARNING, "{topic} {partition} is read again from {start}: the system of record lacks it")
    MAIL_DEFERRED = ("mail.deferred", WARNING, "mail {template} about {order} did not go: {reason}")
    MAIL_FAILED = ("mail.failed", ERROR, "mail {template} about {order} is given up: {reason}")

    # Relay.
    RELAY_STRAY = ("relay.stray", ERROR, "{topic} {partition}:{offset} cannot be passed on whole: {problem}")

    # Gateway.
    GATEWAY_READY = ("gateway.ready", INFO, "the gateway listens at {address}")
    PRODUCER_REPLACED = ("producer.replaced", WARNING, "a new producer after a failed send: {reason}")
    SHEDDING = ("gateway.shedding", WARNING, "partition {partition} is behind, {undecided} wait: purchases get 503")
    SHED = ("gateway.shed", INFO, "partition {partition} has caught up: no purchase is turned away any more")
    CAUGHT_UP = ("view.caught-up", INFO, "the view has read back partition {partition} to {offset}")
    OUTCOME_UNKNOWN = ("append.outcome-unknown", WARNING, "a batch of {commands} for {partition} was not acked in time")
    REQUEST_FAILED = ("request.failed", ERROR, "a bug in serving {route}: {reason}")

    # Payment and compensation. Each names its order: what becomes of it stands in order.events.
    PROVIDER_AWAY = ("provider.away", WARNING, "the payment provider is out: {reason}; one call in a while probes it")
    PROVIDER_BACK = ("provider.back", INFO, "the payment provider answers again")
    PAYMENT_UNKNOWN = (
        "payment.unknown",
        WARNING,
        "{kind} of order {order}, attempt {attempt} is unknown after {tries} tries: {reason}",
    )
    REFUND_STUCK = (
        "refund.stuck",
        ERROR,
        "{kind} of order {order}, attempt {attempt} is not done after {tries} tries: {reason}",
    )
    ORPHAN_CLOSED = ("orphan.closed", ERROR, "{amount} of intent {intent} had no living order {order}: {outcome}")
    PAYMENT_DONE = ("payment.done", DEBUG, "{kind} of order {order}, attempt {attempt}: {outcome}")
    REQUEST_DROPPED = ("payment.dropped", DEBUG, "{kind} of order {order}, attempt {attempt} is given up: {reason}")
    SWEPT = ("orphan.swept", INFO, "{intents} intents up to {until_ms} looked through, {hints} hinted at")
    EVENT_UNREADABLE = ("event.unreadable", ERROR, "{topic} {partition}:{offset} is no order event: {reason}")

    # The provider's stand-in.
    STAND_IN_READY = ("stand-in.ready", INFO, "the stand-in listens at {address}, its book has {intents} intents")
    BEHAVIOUR_SET = ("stand-in.behaviour", INFO, "the stand-in behaves differently: {change}")

    # What a library logs by itself.
    LIBRARY = ("library", INFO, "{message}")

    def __init__(self, label: str, level: int, sentence: str) -> None:
        self.label = label
        self.level = level
        self.sentence = sentence

    @classmethod
    def labelled(cls, label: str) -> "Action":
        """Return the action of a label, such as an Alarm's; KeyError if there is none."""
        for action in cls:
            if action.label == label:
                return action
        raise KeyError(label)
