"""`turnstile topics apply`: make the topics of a log and its GENESIS, or see that they are as they must be.

Running it again changes nothing. What it may mend, it mends (retention too short, compaction missing); what would put
the log's meaning at risk (partitions, timestamps, another log id) is an error that says what to do.
"""

from typing import NamedTuple

from ops import genesis
from ops.topics_admin import TopicsAdmin, TopicsError, TopicState
from streams.kafka_log import KafkaLog
from streams.topics import RECORD_BYTES_MAX, LedgerTopics, Topic, Topics

REPLICAS = 3
IN_SYNC_MIN = 2
"""Of three replicas, two have every acked record: one broker may be lost. Fewer brokers: no replication."""


class Applied(NamedTuple):
    """A log that is ready. `changes`: what was done, in words; `notes`: what an operator should know."""

    log_id: bytes
    partitions: int
    changes: list[str]
    notes: list[str]


class Verdict(NamedTuple):
    """What is to be said about one topic. `fixes`: configs that may be changed at once."""

    problems: list[str]
    fixes: dict[str, str]


async def apply(servers: str, topics: Topics, partitions: int) -> Applied:
    """Create and check the topics, write GENESIS. TopicsError lists every problem; nothing is changed then.

    StalledError: no broker answers.
    """
    async with TopicsAdmin(servers) as admin, KafkaLog(servers, "turnstile-topics") as log:
        replicas = REPLICAS if await admin.brokers() >= REPLICAS else 1
        states = await admin.describe(topic.name for topic in topics)
        verdicts = {
            topic.name: judge(topic, states[topic.name], partitions) for topic in topics if topic.name in states
        }
        problems = [problem for verdict in verdicts.values() for problem in verdict.problems]
        for ledger in topics.ledgers:
            problems += await _lost(log, ledger, states)
        if problems:
            raise TopicsError(problems)
        changes = []
        missing = {topic.name: configs(topic, replicas) for topic in topics if topic.name not in states}
        if missing:
            await admin.create(missing, partitions, replicas)
            changes += [f"created {name}: {partitions} partitions, {replicas} replicas" for name in missing]
        for name, verdict in verdicts.items():
            if verdict.fixes:
                await admin.alter(name, states[name], verdict.fixes)
                changes += [f"set {name} {key}={value}" for key, value in verdict.fixes.items()]
        begun = await genesis.begin(log, topics.ledgers, partitions)
        if begun.written:
            changes.append(f"wrote {begun.written} GENESIS records of log {begun.log_id.hex()}")
        return Applied(begun.log_id, partitions, changes, _notes(states, replicas))


async def check(servers: str, topics: Topics, partitions: int) -> list[str]:
    """Look only: everything that `apply` would refuse or change, in words; empty when all is well. StalledError."""
    async with TopicsAdmin(servers) as admin, KafkaLog(servers, "turnstile-topics") as log:
        states = await admin.describe(topic.name for topic in topics)
        findings = []
        for topic in topics:
            if topic.name not in states:
                findings.append(f"{topic.name} is missing")
                continue
            verdict = judge(topic, states[topic.name], partitions)
            findings += verdict.problems
            findings += [f"{topic.name}: {key} should be {value}" for key, value in verdict.fixes.items()]
        if findings:
            return findings
        try:
            log_id = await genesis.inspect(log, topics.ledgers, partitions)
        except TopicsError as error:
            return error.problems
        return [] if log_id else ["the topics have no GENESIS records yet"]


def configs(topic: Topic, replicas: int) -> dict[str, str]:
    """What the broker is asked for a new topic."""
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
        "message.timestamp.type": topic.timestamp_type,
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "min.insync.replicas": str(_in_sync_min(replicas)),
        "unclean.leader.election.enable": "false",
    }


def judge(topic: Topic, state: TopicState, partitions: int) -> Verdict:
    """Compare a topic with the catalogue. Longer retention, larger messages than asked for are the operator's right."""
    wanted = configs(topic, state.replicas)
    is_ = state.configs
    problems = []
    if state.partitions != partitions:
        problems.append(
            f"{topic.name} has {state.partitions} partitions, not {partitions}: P is constant for the life of a log. "
            f"Set TURNSTILE_PARTITIONS={state.partitions} if it was made so, else another TURNSTILE_NAMESPACE"
        )
    if is_["message.timestamp.type"] != topic.timestamp_type:
        problems.append(
            f"{topic.name} has message.timestamp.type={is_['message.timestamp.type']}, not {topic.timestamp_type}: its "
            "records carry their senders' clocks. If nothing was written to it yet, delete it and run "
            "`turnstile topics apply`; else set another TURNSTILE_NAMESPACE"
        )
    fixes = {
        key: wanted[key] for key in ("cleanup.policy", "unclean.leader.election.enable") if is_[key] != wanted[key]
    }
    fixes |= {
        key: wanted[key] for key in ("max.message.bytes", "min.insync.replicas") if int(is_[key]) < int(wanted[key])
    }
    if _shorter(int(is_["retention.ms"]), topic.retention_ms):
        fixes["retention.ms"] = wanted["retention.ms"]
    return Verdict(problems, fixes)


def _in_sync_min(replicas: int) -> int:
    return IN_SYNC_MIN if replicas >= REPLICAS else 1


def _shorter(retention_ms: int, wanted_ms: int) -> bool:
    """-1 is for ever."""
    return retention_ms >= 0 and not 0 <= wanted_ms <= retention_ms


def _notes(states: dict[str, TopicState], replicas: int) -> list[str]:
    fewest = min([replicas, *(state.replicas for state in states.values())])
    if fewest >= REPLICAS:
        return []
    return [f"topics have {fewest} replica(s), so a lost disk loses them: production wants {REPLICAS} brokers"]


async def _lost(log: KafkaLog, topics: LedgerTopics, states: dict[str, TopicState]) -> list[str]:
    """A commands topic without its ledger, or the other way round: never make the other one anew."""
    commands, ledger = topics.commands.name, topics.ledger.name
    problems = []
    for here, gone in ((commands, ledger), (ledger, commands)):
        if here in states and gone not in states:
            ends = [await log.end(here, partition) for partition in range(states[here].partitions)]
            if any(ends):
                problems.append(f"{gone} is gone, but {here} has records; {genesis.RECOVER}")
    return problems
