"""Who comes to the sale, when, for what, and what they will do: a pure function of the demo's options."""

import random
from typing import NamedTuple

from streams.topics import partition_of

HOLD_S = 20
"""How long a grant is held; its order ends 5 s before. Longer than any dwell: only who walks away lets it go."""
DWELL_S = (0.5, 8.0)
"""Between a grant and the holder's decision: spread, so that units come back, and grants happen, all the time."""
CARD = "pm_card_visa"
"""A card that is good; the provider declines its share of attempts all the same."""
AT_ONCE = 0.5
"""Share of buyers who pay with the request."""
REPEAT_S = (0.0, 2.0)
"""Between a request and its duplicate: from a double click to an impatient reload."""


class Options(NamedTuple):
    """Of `turnstile demo`. `units` are per SKU; `hot`, `duplicates` and `abandon` are shares of shoppers (0..1).

    `declines` is the share of payment attempts that the provider declines; it answers after `latency_ms`, and for
    `brownout_s` in the middle of the sale hardly at all.
    """

    shoppers: int = 10_000
    units: int = 100
    skus: int = 5
    hot: float = 0.8
    duplicates: float = 0.15
    abandon: float = 0.3
    seed: int = 7
    seconds: float = 40.0
    kill: bool = True
    declines: float = 0.03
    latency_ms: int = 120
    brownout_s: float = 5.0


class Shopper(NamedTuple):
    """One customer. Times in seconds: `at` from the sale's start, the others from the request and from the grant.

    `leaves`: "" = buys, "cancels", or "walks" away so that the order expires. `at_once`: who buys gives the card with
    the request; else after the dwell.
    """

    number: int
    at: float
    sku: str
    repeat_after: float | None
    dwell: float
    leaves: str
    at_once: bool

    @property
    def customer(self) -> str:
        """The token's subject."""
        return f"shopper-{self.number}"

    @property
    def key(self) -> str:
        """The Idempotency-Key of the request and of all its repeats."""
        return f"first-{self.number}"


def sku_names(options: Options) -> list[str]:
    """The products; the first is the hot one."""
    return ["sneaker-hot", *(f"sneaker-{number}" for number in range(2, options.skus + 1))]


def hot_partition(options: Options, partitions: int) -> int:
    """Where the hot SKU is decided."""
    return partition_of(sku_names(options)[0], partitions)


def kill_share(options: Options) -> float:
    """The share of the shoppers' requests that are decided when the owner is killed."""
    return random.Random(f"kill {options.seed}").uniform(0.3, 0.6)


def shoppers(options: Options) -> list[Shopper]:
    """All of them by arrival: a Poisson process conditioned on its number, which is uniform times, sorted."""
    rng = random.Random(options.seed)
    names = sku_names(options)
    arrivals = sorted(rng.uniform(0, options.seconds) for _ in range(options.shoppers))
    return [_shopper(rng, options, names, number, at) for number, at in enumerate(arrivals)]


def _shopper(rng: random.Random, options: Options, names: list[str], number: int, at: float) -> Shopper:
    sku = names[0] if len(names) == 1 or rng.random() < options.hot else rng.choice(names[1:])
    repeats = rng.random() < options.duplicates
    repeat_after = rng.uniform(*REPEAT_S) * (rng.random() < 2 / 3) if repeats else None  # a third at the same moment
    leaves = rng.choice(("cancels", "walks")) if rng.random() < options.abandon else ""
    return Shopper(number, at, sku, repeat_after, rng.uniform(*DWELL_S), leaves, not leaves and rng.random() < AT_ONCE)
