"""Asks one Kafka node, by its own protocol and without a client library, whether it serves.

An open port is not enough: a broker listens before it has its metadata. Ready = Metadata shows the brokers, and
FindCoordinator answers without error (it creates the offsets topic).
"""

import socket
import struct
from typing import NamedTuple

METADATA = 3  # https://kafka.apache.org/protocol: API keys
FIND_COORDINATOR = 10
TIMEOUT_S = 3.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_GROUP = "turnstile-probe"


class Answer(NamedTuple):
    """What a node says. `coordinator_error` is a Kafka error code, 0 = none."""

    brokers: int
    coordinator_error: int


def probe(host: str, port: int) -> Answer:
    """Ask once. OSError if nobody answers within TIMEOUT_S, ValueError if the answer is not Kafka's."""
    every_topic_of_none = struct.pack(">i", 0)
    metadata = _call(host, port, METADATA, 1, every_topic_of_none)
    coordinator = _call(host, port, FIND_COORDINATOR, 0, _string(_GROUP))
    try:
        (brokers,) = struct.unpack_from(">i", metadata)
        (error,) = struct.unpack_from(">h", coordinator)
    except struct.error as short:
        message = f"{host}:{port} does not answer as Kafka does"
        raise ValueError(message) from short
    return Answer(brokers, error)


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _call(host: str, port: int, key: int, version: int, body: bytes) -> bytes:
    """One request, one answer; the answer's body behind its correlation id."""
    request = struct.pack(">hhi", key, version, 1) + _string("turnstile-probe") + body
    with socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            size = int.from_bytes(stream.read(4), "big")
            if not 4 <= size <= ANSWER_BYTES_MAX:  # noqa: PLR2004 - the correlation id
                message = f"{host}:{port} does not answer as Kafka does"
                raise ValueError(message)
            return stream.read(size)[4:]
