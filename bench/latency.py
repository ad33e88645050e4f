"""Latencies in an HdrHistogram: 1 us to 60 s, to three digits, mergeable between processes."""

from collections.abc import Iterable, Mapping

from hdrh.histogram import HdrHistogram

HIGHEST_US = 60_000_000
DIGITS = 3
SHARES = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}


class Latencies:
    """Record seconds, ask for milliseconds. What is longer than a minute counts as a minute."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._histogram = HdrHistogram(1, HIGHEST_US, DIGITS)
        for one in seconds:
            self._histogram.record_value(min(HIGHEST_US, max(1, round(one * 1e6))))

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def merge(self, encoded: str) -> None:
        """Add those of another process."""
        self._histogram.decode_and_add(encoded)

    def encoded(self) -> str:
        """For another process."""
        return str(self._histogram.encode().decode("ascii"))

    def figures(self) -> Mapping[str, float]:
        """Median, 99 %, 99.9 % and the longest, in milliseconds; nothing if none was recorded."""
        if not len(self):
            return {}
        return {name: self._histogram.get_value_at_percentile(share) / 1000 for name, share in SHARES.items()}
