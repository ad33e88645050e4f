"""What happens to a system that runs for long: one fault at a time, drawn by a seed, and it mends itself."""

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from enum import StrEnum

from ops.deployment import Deployment
from ops.survey import survey
from streams.kafka_log import KafkaLog

PAUSE_S = 3.0
"""Long enough for a standby to take over, and to see that the owner comes back."""
BROKER_PAUSE_S = 2.0
GATEWAY = "gateway-2"
"""The one that is hit; what the other one holds in memory may grow old."""


class Fault(StrEnum):
    """The kinds."""

    KILL_OWNER = "kill -9 of the owner"
    STOP_OWNER = "SIGTERM of the owner"
    PAUSE_OWNER = "SIGSTOP of the owner"
    KILL_GATEWAY = "kill -9 of a gateway"
    STOP_GATEWAY = "SIGTERM of a gateway"
    RESTART_BROKER = "SIGTERM of the broker"
    PAUSE_BROKER = "SIGSTOP of the broker"


MILD = (Fault.STOP_GATEWAY, Fault.KILL_GATEWAY)
"""Those that no owner, nor the broker, nor the other gateway notices in its memory."""
_SIGNALS = {
    Fault.KILL_OWNER: signal.SIGKILL,
    Fault.STOP_OWNER: signal.SIGTERM,
    Fault.PAUSE_OWNER: signal.SIGSTOP,
    Fault.KILL_GATEWAY: signal.SIGKILL,
    Fault.STOP_GATEWAY: signal.SIGTERM,
    Fault.RESTART_BROKER: signal.SIGTERM,
    Fault.PAUSE_BROKER: signal.SIGSTOP,
}
_PAUSES_S = {Fault.PAUSE_OWNER: PAUSE_S, Fault.PAUSE_BROKER: BROKER_PAUSE_S}


def draw(seed: int, mild_from: int) -> Iterator[Fault]:
    """For ever: every kind comes once before one comes again; from the `mild_from`th on, mild ones only."""
    chance = random.Random(seed)
    drawn = 0
    while True:
        for fault in chance.sample(list(Fault), len(Fault)):
            if drawn < mild_from or fault in MILD:
                drawn += 1
                yield fault


async def inject(fault: Fault, deployment: Deployment, log: KafkaLog, partition: int) -> str:
    """Do it to what is running; its name, or why nothing was done.

    An owner is that of the partition of stock. What ends is started again by whoever keeps it.
    """
    name = await _victim(fault, deployment, log, partition)
    pid = deployment.broker_pid if name == "broker" else deployment.supervisor.pid(name) if name else None
    if pid is None:
        return f"{name or 'nobody owns it'}: not running"
    os.kill(pid, _SIGNALS[fault])
    if fault in _PAUSES_S:
        await asyncio.sleep(_PAUSES_S[fault])
        os.kill(pid, signal.SIGCONT)
    return name


async def _victim(fault: Fault, deployment: Deployment, log: KafkaLog, partition: int) -> str:
    if fault in {Fault.RESTART_BROKER, Fault.PAUSE_BROKER}:
        return "broker"
    if fault in MILD:
        return GATEWAY
    claim = (await survey(log, deployment.topics))[partition].claim
    return claim.worker if claim else ""
