"""Log time as clients see it."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)  # what is granted together has one deadline
def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC: 2026-01-31T12:05:00.000Z."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
