"""Factories of Kafka clients. Make them inside the running loop, `await start()` them, `await stop()` them.

Of producers, use one each for the ledger, for facts and for commands: aiokafka keeps one request in flight per broker
node, so what shares a producer waits for one another. After a send that failed for good, close the producer and make
another: its sequence numbers have a gap.

Consumers have no group and start nowhere: `assign`, then `seek` every partition. A position that the log does not have
(trimmed, or re-created) raises OffsetOutOfRangeError instead of going on somewhere else.
"""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.topics import RECORD_BYTES_MAX

METADATA_MAX_AGE_MS = 5_000
"""A consumer may sit on a former leader without any error until its metadata ages; the default is 5 minutes."""
DELIVERY_TIMEOUT_MS = 40_000
"""aiokafka's request timeout is how long it tries to deliver a record. A broker's restart takes up to 12 s."""
PRODUCER_BATCH_BYTES = 1024 * 1024
"""More than any DECIDED (900 KiB), so that records are coalesced but none is alone too large."""

HOT_WAIT_MS = 20
"""One fetch is in flight per node: it must come back soon, or a partition that was just seeked waits for it."""
FOLLOW_WAIT_MS = 100
"""Nobody seeks any more, and a record ends the wait: an idle fetch costs 0.4 ms of CPU, 10 a second instead of 50."""
TAIL_BYTES_MIN = 1024 * 1024
TAIL_WAIT_MS = 50
"""The tail reads everything once more: at most 20 fetches a second, whatever the load."""
CATCH_UP_WAIT_MS = 100
LOOKUP_BYTES_MAX = 256 * 1024
"""A question is about one record, or a few: more is fetched for nothing. A larger record still comes, alone."""


def producer(servers: str, client_id: str) -> AIOKafkaProducer:
    """Idempotent, acked by all in-sync replicas, sent at once. Not started."""
    return AIOKafkaProducer(
        bootstrap_servers=servers,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=DELIVERY_TIMEOUT_MS,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
    )


def hot_consumer(servers: str, client_id: str) -> AIOKafkaConsumer:
    """Each record as soon as it is there, of partitions that come and go: commands at their owner. Not started."""
    return _consumer(servers, client_id, bytes_min=1, wait_ms=HOT_WAIT_MS)


def follow_consumer(servers: str, client_id: str) -> AIOKafkaConsumer:
    """Each record as soon as it is there, of the same partitions for ever: facts at a gateway. Not started."""
    return _consumer(servers, client_id, bytes_min=1, wait_ms=FOLLOW_WAIT_MS)


def tail_consumer(servers: str, client_id: str) -> AIOKafkaConsumer:
    """Follows many partitions lazily, at little cost: up to TAIL_WAIT_MS late. Not started."""
    return _consumer(servers, client_id, bytes_min=TAIL_BYTES_MIN, wait_ms=TAIL_WAIT_MS)


def catch_up_consumer(servers: str, client_id: str) -> AIOKafkaConsumer:
    """Reads what is already there up to a known end, then is stopped. Not started."""
    return _consumer(servers, client_id, bytes_min=1, wait_ms=CATCH_UP_WAIT_MS)


def lookup_consumer(servers: str, client_id: str) -> AIOKafkaConsumer:
    """Reads single records and short stretches. Not started."""
    return _consumer(servers, client_id, bytes_min=1, wait_ms=CATCH_UP_WAIT_MS, bytes_max=LOOKUP_BYTES_MAX)


def _consumer(
    servers: str, client_id: str, *, bytes_min: int, wait_ms: int, bytes_max: int = RECORD_BYTES_MAX
) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=servers,
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        check_crcs=False,  # TCP and the ledger's own digests check the bytes; CRCs in Python cost more than decoding
        fetch_min_bytes=bytes_min,
        fetch_max_wait_ms=wait_ms,
        max_partition_fetch_bytes=bytes_max,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
    )
