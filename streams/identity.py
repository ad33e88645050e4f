"""Which log this is: its id and P, from the GENESIS of its ledger. Every program asks at its start."""

from typing import NamedTuple

from streams.log import Log, UnknownTopicError
from streams.records import GENESIS, UndecodableError, decode_genesis_body, decode_ledger
from streams.topics import Topics


class NoLogError(RuntimeError):
    """The topics are not there, or are not a log of ours: run `turnstile topics apply`."""


class Identity(NamedTuple):
    """What every record of a log is bound to."""

    log_id: bytes
    partitions: int


async def read_identity(log: Log, topics: Topics) -> Identity:
    """From the stock ledger's partition 0, whose first record is kept for good. NoLogError if there is none."""
    ledger = topics.stock_ledger.name
    try:
        first = [record async for record in log.read(ledger, 0, 0, 1)]
    except UnknownTopicError as error:
        raise NoLogError(str(error)) from error
    if not first:
        message = f"{ledger} is empty: run `turnstile topics apply`"
        raise NoLogError(message)
    try:
        header = decode_ledger(first[0].value)
        genesis = decode_genesis_body(header.body)
    except UndecodableError as error:
        message = f"{ledger} does not begin with a GENESIS record ({error}): is it a topic of somebody else?"
        raise NoLogError(message) from error
    if header.kind != GENESIS:
        message = f"{ledger} does not begin with a GENESIS record: is it a topic of somebody else?"
        raise NoLogError(message)
    return Identity(genesis.log_id, genesis.partitions)
