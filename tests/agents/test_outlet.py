"""A worker's own commands: a failed one is only lost, and the producer with the gap is replaced."""

import asyncio
from types import SimpleNamespace

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from agents.outlet import CommandOutlet


class Producer:
    """aiokafka's, as the outlet uses it; fails with `error` if there is one."""

    def __init__(self, *, start_error=None, send_error=None) -> None:
        self.start_error = start_error
        self.send_error = send_error
        self.sent: list[tuple[str, bytes, int]] = []
        self.stopped = False

    async def start(self) -> None:
        if self.start_error:
            raise self.start_error

    async def stop(self) -> None:
        self.stopped = True

    async def send_and_wait(self, topic: str, value: bytes, partition: int):
        await asyncio.sleep(0)
        if self.send_error:
            raise self.send_error
        self.sent.append((topic, value, partition))
        return SimpleNamespace(offset=len(self.sent) - 1)


def outlet_of(*producers: Producer) -> CommandOutlet:
    return CommandOutlet(iter(producers).__next__, "commands")


async def test_commands_go_to_their_partition_through_one_producer():
    producer = Producer()
    outlet = outlet_of(producer)
    assert [await outlet.append(2, b"a"), await outlet.append(3, b"b")] == [0, 1]
    assert producer.sent == [("commands", b"a", 2), ("commands", b"b", 3)]
    await outlet.stop()
    assert producer.stopped


async def test_after_a_failed_send_the_next_one_has_another_producer():
    broken, fresh = Producer(send_error=KafkaTimeoutError()), Producer()
    outlet = outlet_of(broken, fresh)
    assert await asyncio.gather(outlet.append(0, b"a"), outlet.append(0, b"b")) == [None, None]
    assert broken.stopped
    assert await outlet.append(0, b"c") == 0
    assert fresh.sent == [("commands", b"c", 0)]


async def test_without_a_broker_a_command_is_lost_and_nothing_else():
    away, back = Producer(start_error=KafkaConnectionError()), Producer()
    outlet = outlet_of(away, back)
    assert await outlet.append(0, b"a") is None
    assert away.stopped
    assert await outlet.append(0, b"b") == 0
