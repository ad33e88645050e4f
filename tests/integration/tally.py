"""`python -m tests.integration.tally FILE [DELAY_MS]`: a role that notes every chunk it is handed, to test the frame.

A line a chunk: topic, partition, first and last offset, number of records. Reads stock.events and order.events. With a
delay it notes the chunk's beginning ("begins") and sleeps before the line itself.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from aiokafka import ConsumerRecord, TopicPartition

from agents.duty import Context, Duty, run
from settings import RelaySettings
from streams.topics import named


class Tally:
    """Notes chunks."""

    def __init__(self, file: Path, delay_s: float) -> None:
        self._file = file
        self._delay_s = delay_s

    async def start(self, context: Context) -> None:
        """Nothing to connect."""

    async def take(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        """Note a chunk."""
        if self._delay_s:
            self._note("begins", source.topic, source.partition, records[0].offset)
            await asyncio.sleep(self._delay_s)
        if any(record.value == b"bug" for record in records):
            message = "a planted bug"
            raise ValueError(message)
        self._note(source.topic, source.partition, records[0].offset, records[-1].offset, len(records))

    async def stop(self) -> None:
        """Nothing to disconnect."""
        self._note("stopped")

    def _note(self, *what: object) -> None:
        with self._file.open("a") as file:
            file.write(" ".join(map(str, what)) + "\n")


def main() -> int:
    """Read, until asked to stop."""
    settings = RelaySettings()
    topics = named(settings.namespace)
    duty = Duty("tally", [topics.stock_events, topics.order_events], [])
    return run(settings, duty, Tally(Path(sys.argv[1]), int(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0))


if __name__ == "__main__":
    sys.exit(main())
