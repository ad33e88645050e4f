"""GENESIS: the first record of every partition of a commands topic and its ledger, which binds the two together.

It is written once, by `turnstile topics apply`. What is found instead of it tells a log that was never begun from one
whose topic was lost, re-created, or is somebody else's. All ledgers of a log have its one id; a later one may be added
to a log that was begun without it, but never the first one to a log that has a later one already.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from ops.topics_admin import TopicsError
from streams.log import Log
from streams.records import (
    GENESIS,
    LOG_ID_BYTES,
    NONCE_BYTES,
    Genesis,
    LedgerRecord,
    UndecodableError,
    command_digest,
    decode_genesis,
    decode_genesis_body,
    decode_ledger,
    digest,
    encode_genesis,
    encode_ledger_genesis,
)
from streams.topics import LedgerTopics

RECOVER = (
    "restore the topic from a backup, or give up this log: delete all its topics, or set another TURNSTILE_NAMESPACE"
)


class Begun(NamedTuple):
    """A log with all its GENESIS records. `written`: how many were missing until now."""

    log_id: bytes
    written: int


class _Head(NamedTuple):
    """The beginning of one partition of a ledger. `command`: (timestamp, value) at offset 0 if it is kept."""

    topics: LedgerTopics
    partition: int
    commands_end: int
    events_end: int
    command: tuple[int, bytes] | None
    commands_genesis: Genesis | None
    ledger_genesis: Genesis | None


async def begin(log: Log, ledgers: Sequence[LedgerTopics], partitions: int) -> Begun:
    """Write what GENESIS records are missing, if nothing speaks against it. TopicsError lists all that does."""
    heads = await _heads(log, ledgers, partitions)
    log_id = _common_log_id(heads) or secrets.token_bytes(LOG_ID_BYTES)
    written = 0
    for head in heads:
        commands, ledger = head.topics.commands.name, head.topics.ledger.name
        mine = Genesis(log_id, partitions, head.partition)
        command = head.command
        if head.commands_genesis is None and head.ledger_genesis is None:
            value = encode_genesis(mine)
            position = await log.append(commands, head.partition, value, _key(head.partition))
            command = (position.timestamp_ms, value)
            written += 1
            if position.offset != 0:
                raise TopicsError([f"{commands}[{head.partition}]: somebody else wrote to it just now; {RECOVER}"])
        if head.ledger_genesis is None and command is not None:
            value = encode_ledger_genesis(mine, *command)
            position = await log.append(ledger, head.partition, value, _key(head.partition))
            written += 1
            if position.offset != 0:
                raise TopicsError([f"{ledger}[{head.partition}]: somebody else wrote to it just now; {RECOVER}"])
    return Begun(log_id, written)


async def inspect(log: Log, ledgers: Sequence[LedgerTopics], partitions: int) -> bytes | None:
    """Look only: the log id, None if the log was not begun in every partition. TopicsError as `begin`."""
    heads = await _heads(log, ledgers, partitions)
    log_id = _common_log_id(heads)
    return log_id if all(head.ledger_genesis is not None for head in heads) else None


async def _heads(log: Log, ledgers: Sequence[LedgerTopics], partitions: int) -> list[_Head]:
    """Read the beginnings, ledger by ledger, and judge each."""
    looks = [_head(log, topics, partition) for topics in ledgers for partition in range(partitions)]
    found = await asyncio.gather(*looks)
    heads = [head for head in found if isinstance(head, _Head)]
    problems = [problem for problem in found if isinstance(problem, str)]
    for head in heads:
        problems += _contradictions(head, partitions)
    problems += _begun_before(heads, ledgers[0])
    if problems:
        raise TopicsError(problems)
    return heads


async def _head(log: Log, topics: LedgerTopics, partition: int) -> _Head | str:
    """What is there, or the problem with it."""
    try:
        return await _read_head(log, topics, partition)
    except UndecodableError as error:
        return str(error)


async def _read_head(log: Log, topics: LedgerTopics, partition: int) -> _Head:
    commands, ledger = topics.commands.name, topics.ledger.name
    kept = await log.beginning(commands, partition) == 0
    command = [record async for record in log.read(commands, partition, 0, 1)] if kept else []
    entry = [record async for record in log.read(ledger, partition, 0, 1)]
    return _Head(
        topics,
        partition,
        await log.end(commands, partition),
        await log.end(topics.events.name, partition),
        (command[0].timestamp_ms, command[0].value) if command else None,
        _of_commands(command[0].value, f"{commands}[{partition}]") if command else None,
        _of_ledger(entry[0].value, f"{ledger}[{partition}]") if entry else None,
    )


def _of_commands(value: bytes, where: str) -> Genesis:
    try:
        return decode_genesis(value)
    except UndecodableError as error:
        message = (
            f"{where} begins with a record of somebody else ({error}): it was re-created or is not ours; {RECOVER}"
        )
        raise UndecodableError(message) from error


def _of_ledger(value: bytes, where: str) -> Genesis:
    try:
        header = decode_ledger(value)
        if header == LedgerRecord(GENESIS, 0, bytes(NONCE_BYTES), 0, digest(header.body), header.body):
            return decode_genesis_body(header.body)
    except UndecodableError:
        pass
    message = f"{where} does not begin with a GENESIS record: it was re-created or is not ours; {RECOVER}"
    raise UndecodableError(message)


def _contradictions(head: _Head, partitions: int) -> list[str]:
    """What speaks against this partition, as problems with their way out."""
    commands, ledger, events = head.topics.commands.name, head.topics.ledger.name, head.topics.events.name
    problems = []
    for topic, genesis in ((commands, head.commands_genesis), (ledger, head.ledger_genesis)):
        if genesis is not None and genesis.partitions != partitions:
            problems.append(
                f"{topic}[{head.partition}] belongs to a log of {genesis.partitions} partitions, not {partitions}: "
                f"set TURNSTILE_PARTITIONS={genesis.partitions} (P is constant for the life of a log)"
            )
        if genesis is not None and genesis.partition != head.partition:
            problems.append(f"{topic}[{head.partition}] holds partition {genesis.partition} of a log; {RECOVER}")
    mine, theirs = head.commands_genesis, head.ledger_genesis
    if theirs is None and head.commands_end > 1:
        problems.append(f"{ledger}[{head.partition}] is empty but commands were taken: it was re-created; {RECOVER}")
    elif theirs is None and head.events_end > 0:
        problems.append(f"{ledger}[{head.partition}] is empty but {events} is not: it was re-created; {RECOVER}")
    if theirs is not None and head.commands_end == 0:
        problems.append(f"{commands}[{head.partition}] is empty but its ledger is not: it was re-created; {RECOVER}")
    if mine is not None and theirs is not None and head.command is not None:
        if mine.log_id != theirs.log_id:
            problems.append(
                f"{commands}[{head.partition}] is of log {mine.log_id.hex()}, {ledger}[{head.partition}] of "
                f"{theirs.log_id.hex()}: one of them was re-created; {RECOVER}"
            )
        elif command_digest(*head.command) != theirs.cmd_digest:
            problems.append(f"{commands}[{head.partition}] is not the topic that its ledger began with; {RECOVER}")
    return problems


def _begun_before(heads: list[_Head], first: LedgerTopics) -> list[str]:
    """The first ledger is begun before any other: where it is empty beside another one, it was lost."""
    later = [head for head in heads if head.topics != first and (head.commands_genesis or head.ledger_genesis)]
    empty = [head for head in heads if head.topics == first and head.ledger_genesis is None]
    return [
        f"{first.ledger.name}[{head.partition}] is empty but {later[0].topics.ledger.name} is not: it was re-created; "
        f"{RECOVER}"
        for head in empty
        if later
    ]


def _common_log_id(heads: list[_Head]) -> bytes | None:
    """The id that all GENESIS records share, None if there is none yet."""
    found = {genesis.log_id for head in heads for genesis in (head.commands_genesis, head.ledger_genesis) if genesis}
    if len(found) > 1:
        names = " and ".join(dict.fromkeys(head.topics.ledger.name for head in heads))
        ids = ", ".join(sorted(log_id.hex() for log_id in found))
        raise TopicsError([f"the partitions of {names} and their commands are of different logs ({ids}); {RECOVER}"])
    return found.pop() if found else None


def _key(partition: int) -> bytes:
    return str(partition).encode()
