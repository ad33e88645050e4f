"""The inner side of a helper process: a JSON line in, a JSON line out, until stdin ends."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

LINE_BYTES_MAX = 64 * 1024 * 1024
"""An answer is one line, with every moment of a run in it."""
READY = 0


async def serve(kinds: Any, answer: Callable[[Any], Awaitable[object]]) -> None:
    """Say READY, then answer each line, decoded as `kinds`, with what `answer` returns. Logs nothing from here on.

    What a log would tell of brokers that are away, killed by the bench itself, is in its figures.
    """
    logging.disable()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    decoder = msgspec.json.Decoder(kinds)
    _write(READY)
    while line := await reader.readline():
        _write(await answer(decoder.decode(line)))


def _write(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()
