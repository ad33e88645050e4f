"""How the order ledger is published: as which records of order.events one of its records is told."""

from streams.order_events import EventRecord, encode
from streams.order_records import events_of
from streams.records import decode_decided, decode_fact


def records_of(source: str, partition: int, fact: bytes) -> list[EventRecord]:
    """Of one fact (streams.effects.Publish), in order. UndecodableError if it is none.

    `source`: streams.order_events.source_of.
    """
    _, ledger_offset, body = decode_fact(fact)
    return [encode(event, source) for event in events_of(partition, ledger_offset, decode_decided(body))]
