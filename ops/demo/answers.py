"""What the shoppers were told, on its way from the load to the verdict."""

from pathlib import Path

import msgspec


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The decisive answer to one request, with its retries. `body` = the JSON text as it came.

    `repeat`: the same key sent once more on purpose. `status` 0: none came until the deadline. `latency_ms`: from the
    planned moment of sending (so a load that falls behind shows), retries included.
    """

    customer: str
    key: str
    sku: str
    repeat: bool
    status: int
    body: str
    latency_ms: float
    tries: int


class Ending(msgspec.Struct, frozen=True, array_like=True):
    """What a holder wished last (`wish`: pay, cancel), how that was answered, and the order's status as told last.

    `status` = HTTP status of the wish, 0 if there was none beyond the purchase itself; `seen` = the last status that
    GET told, "" if none was told in time.
    """

    customer: str
    order_id: str
    wish: str
    status: int
    body: str
    seen: str
    tries: int


class Told(msgspec.Struct, frozen=True):
    """Everything that the load was told, and how long the sale's requests took to be sent (seconds)."""

    answers: list[Answer]
    endings: list[Ending]
    sale_s: float


class Progress(msgspec.Struct, frozen=True):
    """One line of the load's output. Latencies are of the answers since the line before."""

    phase: str
    sent: int
    answered: int
    granted: int
    retries: int
    p50_ms: float
    p99_ms: float


def save(path: Path, told: Told) -> None:
    """Write for `load`."""
    path.write_bytes(msgspec.json.encode(told))


def load(path: Path) -> Told:
    """Read what `save` wrote; msgspec.MsgspecError if it is something else."""
    return msgspec.json.decode(path.read_bytes(), type=Told)


def percentile(values: list[float], share: float) -> float:
    """Nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
