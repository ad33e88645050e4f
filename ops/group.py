"""Who lives, as the consumer group sees it: a worker that died stays listed until its session ends (10 s)."""

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.log import StalledError
from streams.plan import SEPARATOR, Members, ask_members
from streams.topics import group_id

REBALANCE_S = 5.0
"""A rebalance among living members takes milliseconds; with one that died, up to its session. Do not wait for that."""
POLL_S = 0.1


async def members(servers: str, namespace: str, role: str) -> Members:
    """Incarnation -> planned partitions of the workers of an owner role; StalledError if no broker answers.

    Empty if there is no such group, or it is being rebalanced for longer than 5 s.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, client_id="turnstile-group")
    end = time.monotonic() + REBALANCE_S
    try:
        await admin.start()
        found = await ask_members(admin, group_id(namespace, role))
        while found is None and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
            found = await ask_members(admin, group_id(namespace, role))
    except KafkaError as error:
        message = f"the group cannot be described: {error!r}"
        raise StalledError(message) from error
    finally:
        await admin.close()
    return found or {}


def name_of(incarnation: str) -> str:
    """The worker's name: `worker-1@5f3c` is an incarnation of worker-1."""
    return incarnation.partition(SEPARATOR)[0]
