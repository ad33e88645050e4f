"""What the consumer group plans: who lives, who should own which partition, who stands by. Hints, never safety.

Every worker asks for itself, so two may plan differently for some seconds: then a partition has a standby more, or one
less until somebody has folded it.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

FOLLOW_ALL_MAX = 4
"""With so few workers each follows every partition: a standby costs 2-3 % of a core."""
STABLE = "Stable"
SEPARATOR = "@"

Members = Mapping[str, frozenset[int]]
"""Incarnation -> partitions of the plan topic that the group assigned to it."""


class Plan(NamedTuple):
    """The plan as one worker sees it.

    `members`: None while unknown, as during a rebalance. `known`: what was known last, good enough to choose by: who
    followed everything whenever nothing is known would fold everything at every rebalance. Empty = nothing yet.
    """

    me: str
    partitions: int
    assigned: frozenset[int]
    members: Members | None
    known: Members

    @property
    def incarnations(self) -> frozenset[str] | None:
        """Of the live members; None if unknown."""
        return None if self.members is None else frozenset(self.members)

    def followed(self) -> frozenset[int]:
        """The partitions that this worker should follow: its own by plan, and those that it stands by for."""
        everything = frozenset(range(self.partitions))
        if len(self.known) <= FOLLOW_ALL_MAX:
            return everything
        return self.assigned | {number for number in everything if self.standby(number) == self.me}

    def standby(self, partition: int) -> str | None:
        """Incarnation of the first choice among the live members that do not own `partition` by plan, None if none."""
        others = [member for member, planned in self.known.items() if partition not in planned]
        return max(others, key=lambda member: _weight(member, partition), default=None)

    def successor(self, partition: int) -> str:
        """Name of the worker to hand `partition` to: its owner by plan, else its standby; "" if nobody is known."""
        others = {member: planned for member, planned in self.known.items() if member != self.me}
        planned = [member for member, numbers in others.items() if partition in numbers]
        chosen = planned or sorted(others, key=lambda member: _weight(member, partition), reverse=True)
        return chosen[0].partition(SEPARATOR)[0] if chosen else ""


def _weight(member: str, partition: int) -> bytes:
    """Rendezvous hashing (Thaler, Ravishankar 1998): a member that comes or goes moves only what it gains or had."""
    return hashlib.blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()


async def ask_members(admin: AIOKafkaAdminClient, group: str) -> Members | None:
    """The group's live members; None if it is just being rebalanced, or the answer makes no sense. KafkaError."""
    (response,) = await admin.describe_consumer_groups([group])
    error, _, state, _, _, described = response.groups[0][:6]
    if error or state != STABLE:
        return None
    members = {}
    for member in described:
        try:
            assignment = ConsumerProtocolMemberAssignment.decode(member[4])
        except (ValueError, KafkaError):
            return None
        members[member[1]] = frozenset(source.partition for source in assignment.partitions())
    return members
