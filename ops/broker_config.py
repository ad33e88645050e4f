"""Configuration of the embedded Kafka nodes: small, on loopback only, quick to start and to notice a dead neighbour."""

from typing import NamedTuple

HOST = "127.0.0.1"
INTERNAL_PARTITIONS = 4
CONTROLLER_ID = 100

LOG_DIR = "log"
"""Relative to the node's folder, its working directory: a path in a Java properties file would need escapes."""

COMMON = {
    "log.dirs": LOG_DIR,
    "auto.create.topics.enable": "false",  # topics come from `turnstile topics apply` only
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "broker.heartbeat.interval.ms": "500",
    # A single node started again after kill -9 waits for its own former session: 2 s instead of the default 9.
    "broker.session.timeout.ms": "2000",
}

LOG4J = """\
Configuration:
  status: WARN
  Appenders:
    Console:
      name: console
      target: SYSTEM_OUT
      PatternLayout: {pattern: "%d{ISO8601} %-5p %c{1} - %m%n"}
  Loggers:
    Root:
      level: WARN
      AppenderRef: [{ref: console}]
"""

JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xss512k",
    "-XX:MaxMetaspaceSize=128m",
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)
"""Start-up and memory over peak speed: about 190 MiB resident, 2 % of a core when idle."""
HEAP_MIN_MB = 128


class Ports(NamedTuple):
    """Of one node; 0 where it has no such listener."""

    broker: int
    controller: int


def combined(ports: Ports) -> str:
    """server.properties of the single node: broker and controller in one process."""
    return _render(
        {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{ports.controller}",
            "listeners": f"BROKER://{HOST}:{ports.broker},CONTROLLER://{HOST}:{ports.controller}",
            "advertised.listeners": f"BROKER://{HOST}:{ports.broker}",
            "inter.broker.listener.name": "BROKER",
            **_listeners(),
            **_replication(1),
            **COMMON,
        }
    )


def controller(port: int) -> str:
    """server.properties of the three-broker cluster's controller, which holds no topics."""
    return _render(
        {
            "process.roles": "controller",
            "node.id": str(CONTROLLER_ID),
            "controller.quorum.voters": f"{CONTROLLER_ID}@{HOST}:{port}",
            "listeners": f"CONTROLLER://{HOST}:{port}",
            **_listeners(),
            **_replication(3),
            **COMMON,
        }
    )


def broker(node_id: int, port: int, controller_port: int) -> str:
    """server.properties of one of three brokers."""
    return _render(
        {
            "process.roles": "broker",
            "node.id": str(node_id),
            "controller.quorum.voters": f"{CONTROLLER_ID}@{HOST}:{controller_port}",
            "listeners": f"BROKER://{HOST}:{port}",
            "advertised.listeners": f"BROKER://{HOST}:{port}",
            "inter.broker.listener.name": "BROKER",
            **_listeners(),
            **_replication(3),
            **COMMON,
        }
    )


def _listeners() -> dict[str, str]:
    return {
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
    }


def _replication(factor: int) -> dict[str, str]:
    in_sync_min = max(1, factor - 1)
    return {
        "default.replication.factor": str(factor),
        "min.insync.replicas": str(in_sync_min),
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": str(factor),
        "offsets.topic.num.partitions": str(INTERNAL_PARTITIONS),
        "transaction.state.log.replication.factor": str(factor),
        "transaction.state.log.min.isr": str(in_sync_min),
        "transaction.state.log.num.partitions": str(INTERNAL_PARTITIONS),
        "share.coordinator.state.topic.replication.factor": str(factor),
        "share.coordinator.state.topic.min.isr": str(in_sync_min),
        "share.coordinator.state.topic.num.partitions": str(INTERNAL_PARTITIONS),
    }


def _render(properties: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())
