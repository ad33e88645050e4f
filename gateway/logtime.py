"""Log time as a gateway knows it: the broker's clock, seen in acks and facts, carried on by the own monotonic clock."""

import time
from collections.abc import Callable

GRACE_MS = 30_000
"""How long after it was asked a command may still be decided: longer than a takeover (1.5 s) or a broker's restart
(12 s), shorter than anybody waits for a surprise."""


class LogTime:
    """The newest log time of each partition. Before the first `see` of a partition there is none: not ready."""

    def __init__(self, partitions: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: list[tuple[int, float]] = [(-1, 0.0)] * partitions

    def see(self, partition: int, timestamp_ms: int) -> None:
        """A record of this partition was stamped so; older ones than known are no news."""
        if timestamp_ms > self._seen[partition][0]:
            self._seen[partition] = (timestamp_ms, self._monotonic())

    def known(self) -> bool:
        """Whether a record of every partition was seen."""
        return all(timestamp_ms >= 0 for timestamp_ms, _ in self._seen)

    def now_ms(self, partition: int) -> int:
        """Log time now, at least: the newest seen and the time since it was seen."""
        timestamp_ms, at = self._seen[partition]
        return timestamp_ms + int((self._monotonic() - at) * 1000)

    def not_after_ms(self, partition: int) -> int:
        """Until when a command that is made now may be decided."""
        return self.now_ms(partition) + GRACE_MS
