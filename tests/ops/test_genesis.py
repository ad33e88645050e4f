"""GENESIS is written once and binds commands and ledger; what stands in its place tells what happened to a topic."""

import itertools

import pytest

from ops import genesis
from ops.topics_admin import TopicsError
from streams import records
from streams.memory_log import MemoryLog
from streams.topics import Ledger, LedgerTopics, Topic

P = 3


def ledger(name, prefix):
    commands, ledger, events, letters = (Topic(prefix + name, -1) for name in ("commands", "ledger", "events", "dead"))
    return LedgerTopics(name, commands, ledger, events, letters)


FIRST, LATER = ledger(Ledger.STOCK, ""), ledger(Ledger.ORDER, "later-")
NAMES = [topic.name for topics in (FIRST, LATER) for topic in topics[1:]]


@pytest.fixture
def log():
    clock = itertools.count(1_700_000_000_000)
    return MemoryLog(NAMES, P, lambda: next(clock))


async def begin(log, partitions=P, ledgers=(FIRST,)):
    return await genesis.begin(log, ledgers, partitions)


async def inspect(log, ledgers=(FIRST,)):
    return await genesis.inspect(log, ledgers, P)


async def copy(source, *topics):
    """A log in which the other topics are empty: re-created."""
    clock = itertools.count(1_700_000_000_000)
    twin = MemoryLog(NAMES, P, lambda: next(clock))
    for topic in topics:
        for partition in range(P):
            twin._records[topic, partition] = [record async for record in source.read(topic, partition, 0)]
    return twin


async def test_a_new_log_gets_a_random_id_and_two_records_a_partition(log):
    assert await inspect(log) is None
    begun = await begin(log)
    assert begun.written == 2 * P
    assert len(begun.log_id) == 16
    other = MemoryLog(NAMES, P, lambda: 0)
    assert (await begin(other)).log_id != begun.log_id


async def test_again_nothing_is_written(log):
    first = await begin(log)
    assert await begin(log) == (first.log_id, 0)
    assert await inspect(log) == first.log_id


@pytest.mark.parametrize("steps", range(1, 2 * P))
async def test_an_interrupted_beginning_goes_on_with_the_same_id(log, steps):
    appended = 0
    append = log.append

    async def cut(*args):
        nonlocal appended
        if appended == steps:
            raise ConnectionError
        appended += 1
        return await append(*args)

    log.append = cut
    with pytest.raises(ConnectionError):
        await begin(log)
    log.append = append
    assert await inspect(log) is None
    begun = await begin(log)
    assert begun.written == 2 * P - steps
    first = [record async for record in log.read("commands", 0, 0)]
    assert records.decode_genesis(first[0].value).log_id == begun.log_id
    assert await begin(log) == (begun.log_id, 0)


async def test_commands_without_their_ledger_are_refused_and_the_other_way_round(log):
    await begin(log)
    with pytest.raises(TopicsError, match=r"commands\[0\] is empty but its ledger is not"):
        await begin(await copy(log, "ledger"))
    await log.append("commands", 1, b"taken")
    with pytest.raises(TopicsError, match=r"ledger\[1\] is empty but commands were taken"):
        await begin(await copy(log, "commands"))


async def test_a_command_before_any_genesis_is_refused(log):
    await log.append("commands", 1, b"not a genesis")
    with pytest.raises(TopicsError, match=r"commands\[1\] begins with a record of somebody else"):
        await begin(log)
    assert await log.end("commands", 0) == 0


@pytest.mark.parametrize("spoil", [0, 1, 5, 6, 20, 30, 40, -1])
async def test_a_ledger_with_a_changed_bit_in_its_genesis_is_refused(log, spoil):
    await begin(log)
    record = log._records["ledger", 2][0]
    value = bytearray(record.value)
    value[spoil] ^= 1
    log._records["ledger", 2][0] = record._replace(value=bytes(value))
    with pytest.raises(TopicsError, match=r"ledger\[2\] does not begin with a GENESIS record"):
        await begin(log)


async def test_exchanged_partitions_are_refused(log):
    await begin(log)
    for topic in ("commands", "ledger"):
        one, two = log._records[topic, 0], log._records[topic, 1]
        log._records[topic, 0], log._records[topic, 1] = two, one
    with pytest.raises(TopicsError, match=r"commands\[0\] holds partition 1 of a log") as caught:
        await begin(log)
    assert len(caught.value.problems) == 4


async def test_another_number_of_partitions_is_refused_with_the_right_one(log):
    await begin(log)
    with pytest.raises(TopicsError, match=r"belongs to a log of 3 partitions, not 2: set TURNSTILE_PARTITIONS=3"):
        await begin(log, 2)


async def test_partitions_of_two_logs_are_refused(log):
    await begin(log)
    other = MemoryLog(NAMES, P, lambda: 1)
    await begin(other)
    for topic in ("commands", "ledger"):
        log._records[topic, 1] = other._records[topic, 1]
    with pytest.raises(TopicsError, match="are of different logs"):
        await begin(log)


async def test_commands_with_another_log_time_are_not_the_ledger_s(log):
    await begin(log)
    record = log._records["commands", 1][0]
    log._records["commands", 1][0] = record._replace(timestamp_ms=record.timestamp_ms + 1)
    with pytest.raises(TopicsError, match=r"commands\[1\] is not the topic that its ledger began with"):
        await begin(log)


async def test_commands_whose_beginning_was_trimmed_are_well(log):
    first = await begin(log)
    await log.append("commands", 1, b"taken")
    log.trim("commands", 1, 1)
    log.trim("commands", 2, 1)
    assert await begin(log) == (first.log_id, 0)


async def test_somebody_else_who_writes_at_the_same_moment_is_seen(log):
    append = log.append

    async def raced(topic, partition, value, key=None):
        if await log.end(topic, partition) == 0:
            await append(topic, partition, b"first")
        return await append(topic, partition, value, key)

    log.append = raced
    with pytest.raises(TopicsError, match="somebody else wrote to it just now"):
        await begin(log)


async def test_all_ledgers_of_a_log_are_begun_with_one_id(log):
    begun = await begin(log, ledgers=(FIRST, LATER))
    assert begun.written == 4 * P
    assert await inspect(log) == await inspect(log, (LATER,)) == begun.log_id


async def test_a_later_ledger_is_added_to_a_log_that_was_begun_without_it(log):
    first = await begin(log)
    await log.append("commands", 1, b"taken")
    await log.append("ledger", 1, b"decided")
    await log.append("events", 1, b"told")
    assert await inspect(log, (FIRST, LATER)) is None
    assert await begin(log, ledgers=(FIRST, LATER)) == (first.log_id, 2 * P)
    assert await inspect(log, (FIRST, LATER)) == first.log_id


async def test_the_first_ledger_is_never_begun_beside_a_later_one(log):
    await begin(log, ledgers=(FIRST, LATER))
    twin = await copy(log, "later-commands", "later-ledger")
    with pytest.raises(TopicsError, match=r"ledger\[0\] is empty but later-ledger is not: it was re-created") as caught:
        await begin(twin, ledgers=(FIRST, LATER))
    assert len(caught.value.problems) == P
    assert await twin.end("commands", 0) == 0


async def test_ledgers_of_two_logs_are_refused(log):
    await begin(log, ledgers=(FIRST, LATER))
    other = MemoryLog(NAMES, P, lambda: 1)
    await begin(other, ledgers=(FIRST, LATER))
    twin = await copy(log, "commands", "ledger")
    for topic in ("later-commands", "later-ledger"):
        for partition in range(P):
            twin._records[topic, partition] = other._records[topic, partition]
    with pytest.raises(TopicsError, match="ledger and later-ledger and their commands are of different logs"):
        await begin(twin, ledgers=(FIRST, LATER))


async def test_a_ledger_that_was_lost_with_its_commands_is_known_by_its_events(log):
    await begin(log, ledgers=(FIRST, LATER))
    twin = await copy(log, "commands", "ledger")
    await twin.append("later-events", 2, b"told")
    with pytest.raises(TopicsError, match=r"later-ledger\[2\] is empty but later-events is not") as caught:
        await begin(twin, ledgers=(FIRST, LATER))
    assert len(caught.value.problems) == 1
