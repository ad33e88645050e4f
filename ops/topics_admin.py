"""What a cluster says about topics, and how it is asked to make and change them (aiokafka's admin client)."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from streams.log import StalledError

SETTLE_S = 30.0
"""A created topic gets its leaders within some 100 ms; three busy brokers take a few seconds."""
POLL_S = 0.05
DYNAMIC_TOPIC_CONFIG = 1
"""Source of a configuration entry that was set for this very topic."""


class TopicsError(RuntimeError):
    """The topics are not what a log needs; `problems` say what to do, one a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TopicState(NamedTuple):
    """A topic as it is. `configs` are all in force, `overrides` those set for this topic. `led`: all have a leader."""

    partitions: int
    replicas: int
    led: bool
    configs: dict[str, str]
    overrides: dict[str, str]


class TopicsAdmin:
    """`async with TopicsAdmin(servers) as admin`. StalledError if no broker answers."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._client = AIOKafkaAdminClient(bootstrap_servers=servers, client_id="turnstile-admin")

    async def __aenter__(self) -> Self:
        try:
            await self._client.start()
        except KafkaError as error:
            await self._client.close()
            message = f"no Kafka broker answers at {self._servers}: {error}"
            raise StalledError(message) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._client.close()

    async def brokers(self) -> int:
        """Number of live brokers."""
        return len((await self._client.describe_cluster())["brokers"])

    async def describe(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Those of the topics that exist."""
        wanted = set(names)
        found = {topic["topic"]: topic for topic in await self._client.describe_topics() if topic["topic"] in wanted}
        if not found:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
        configs: dict[str, list[tuple[str, str | None, int]]] = {}
        for response in await self._client.describe_configs(resources):
            for code, text, _, name, entries in response.resources:
                if code == UnknownTopicOrPartitionError.errno:  # deleted between the two questions
                    found.pop(name)
                    continue
                _raise_for(code, text, name)
                configs[name] = [(entry[0], entry[1], entry[3]) for entry in entries]
        return {
            name: TopicState(
                partitions=len(topic["partitions"]),
                replicas=min((len(part["replicas"]) for part in topic["partitions"]), default=0),
                led=all(part["leader"] >= 0 for part in topic["partitions"]),
                configs={key: value or "" for key, value, _ in configs[name]},
                overrides={key: value or "" for key, value, src in configs[name] if src == DYNAMIC_TOPIC_CONFIG},
            )
            for name, topic in found.items()
        }

    async def create(self, topics: Mapping[str, Mapping[str, str]], partitions: int, replicas: int) -> None:
        """Create topics (name -> configs) and wait for their leaders. Nothing for one that somebody just created."""
        new = [NewTopic(name, partitions, replicas, topic_configs=dict(configs)) for name, configs in topics.items()]
        response = await self._client.create_topics(new)
        for name, code, text in response.topic_errors:
            if code != TopicAlreadyExistsError.errno:
                _raise_for(code, text, name)
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            states = await self.describe(topics)
            if len(states) == len(topics) and all(state.led for state in states.values()):
                return
            await asyncio.sleep(POLL_S)
        raise TopicsError([f"{name}: no leader after {SETTLE_S:.0f} s; are all brokers up?" for name in topics])

    async def alter(self, name: str, state: TopicState, changes: Mapping[str, str]) -> None:
        """Change configs of a topic. The request replaces all overrides, so those of others are sent again."""
        resource = ConfigResource(ConfigResourceType.TOPIC, name, {**state.overrides, **changes})
        for response in await self._client.alter_configs([resource]):
            for code, text, _, topic in response.resources:
                _raise_for(code, text, topic)

    async def delete(self, names: Iterable[str]) -> None:
        """Delete topics with all that is in them, and wait until they are gone. Nothing for one that is not there."""
        doomed = list(names)
        response = await self._client.delete_topics(doomed)
        for name, code in response.topic_error_codes:
            if code != UnknownTopicOrPartitionError.errno:
                _raise_for(code, "", name)
        deadline = time.monotonic() + SETTLE_S
        while await self.describe(doomed):
            if time.monotonic() > deadline:
                raise TopicsError([f"{name}: still there {SETTLE_S:.0f} s after it was deleted" for name in doomed])
            await asyncio.sleep(POLL_S)


def _raise_for(code: int, text: str | None, name: str) -> None:
    if code:
        raise TopicsError([f"{name}: {text or for_code(code).__name__}"])
