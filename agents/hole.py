"""Reads again what lies before a chunk, for a copy that is behind its own consumer group (restored, or made anew)."""

from collections.abc import AsyncIterator, Sequence

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams import kafka

POLL_MS = 500


class TrimmedError(Exception):
    """The log does not keep any more what the system of record lacks: run `turnstile sql rebuild`."""


async def read_hole(
    servers: str, client_id: str, source: TopicPartition, start: int, stop: int
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Records `start` to `stop` (exclusive), in chunks, however long the broker is away. TrimmedError."""
    reader = kafka.catch_up_consumer(servers, client_id)
    await reader.start()
    try:
        reader.assign([source])
        reader.seek(source, start)
        at = start
        while at < stop:
            fetched = (await reader.getmany(source, timeout_ms=POLL_MS, max_records=500)).get(source, [])
            chunk = [record for record in fetched if record.offset < stop]
            if chunk:
                yield chunk
                at = chunk[-1].offset + 1
    except OffsetOutOfRangeError as error:
        message = (
            f"{source.topic} {source.partition} does not keep offset {start} any more: run `turnstile sql rebuild`"
        )
        raise TrimmedError(message) from error
    finally:
        await reader.stop()
