"""Who lives, as the consumer group sees it: a worker that died stays listed until its session ends (10 s)."""

from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from streams.log import StalledError
from streams.topics import group_id

ROLE = "inventory"
SEPARATOR = "@"
"""A member's client id is worker@unique."""


class GroupMember(NamedTuple):
    """One worker process. `planned`: the partitions that the group assigned to it."""

    worker: str
    incarnation: str
    planned: frozenset[int]


async def members(servers: str, namespace: str) -> list[GroupMember]:
    """The inventory workers, by name; StalledError if no broker answers. Empty while there is no such group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, client_id="turnstile-group")
    try:
        await admin.start()
        (response,) = await admin.describe_consumer_groups([group_id(namespace, ROLE)])
    except KafkaError as error:
        message = f"the group cannot be described: {error!r}"
        raise StalledError(message) from error
    finally:
        await admin.close()
    found = []
    for _, client_id, _, _, assignment in response.groups[0][5]:
        planned = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
        worker = client_id.partition(SEPARATOR)[0]
        found.append(GroupMember(worker, client_id, frozenset(place.partition for place in planned)))
    return sorted(found)
