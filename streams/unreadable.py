"""Records that only we write and that cannot be read all the same: told, and passed over."""

from collections.abc import Callable
from typing import TypeVar

from aiokafka import ConsumerRecord

from streams.actions import Action
from streams.logs import Log
from streams.order_events import OrderEvent, decode
from streams.records import UndecodableError

T = TypeVar("T")


def read(
    record: ConsumerRecord,
    decoded: Callable[[ConsumerRecord], T],
    log: Log,
    alarm: Callable[[str], None] = lambda _: None,
) -> T | None:
    """What `decoded` makes of a record; None, a line in the log and an `alarm`, if that is UndecodableError."""
    try:
        return decoded(record)
    except UndecodableError as error:
        log(
            Action.EVENT_UNREADABLE,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=str(error),
        )
        alarm(Action.EVENT_UNREADABLE.label)
        return None


def order_event(record: ConsumerRecord) -> OrderEvent | None:
    """A record of order.events, for `read`; None where it is an answer to a gateway."""
    event = decode(record.headers, record.value or b"")
    return event if isinstance(event, OrderEvent) else None
