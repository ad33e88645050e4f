"""How rough one run is. Drawn from the seed, so that runs differ in kind (swarm testing), not only in detail."""

from random import Random
from typing import NamedTuple


class Weather(NamedTuple):
    """Rates are per simulated second, over all processes; times in ms; the rest are probabilities."""

    partitions: int
    fault_rate: float
    crash: float
    pause: float
    cut: float
    early_claims: float
    reassign: float
    move: float
    skew: float
    clone: float
    ack_trouble: float
    ack_lost: float
    deep_ghosts: float
    slow_net: float
    slow_net_ms: int
    look_trouble: float
    tail_ms: int
    publish_ms: int
    unknown_members: float
    poison: float
    whim: float
    takeover_ms: int
    hold_ms: int
    limit: int
    buyers: int
    load_ms: int
    snapshots: float


def draw(rng: Random) -> Weather:
    """The weather of one run."""
    pick = rng.choice
    clone = pick((0.0, 0.0, 0.5))
    return Weather(
        partitions=pick((1, 1, 2, 2, 3)),
        fault_rate=pick((2.0, 4.0, 8.0)),
        crash=pick((0.0, 0.5, 2.0)),
        pause=pick((0.0, 0.5, 2.0)),
        cut=pick((0.0, 0.5, 1.0)),
        early_claims=pick((0.0, 0.5, 2.0, 5.0)),
        reassign=pick((0.2, 1.0, 2.0)),
        move=pick((0.2, 1.0)),
        skew=pick((0.0, 0.3, 1.0)),
        clone=clone,
        ack_trouble=pick((0.0, 0.0, 0.01, 0.04)),
        ack_lost=pick((0.1, 0.3)),
        deep_ghosts=pick((0.0, 0.3, 0.8)),
        slow_net=pick((0.0, 0.02, 0.1)),
        slow_net_ms=pick((100, 600, 2000)),
        look_trouble=pick((0.0, 0.1, 0.4)),
        tail_ms=pick((20, 60, 300)),
        publish_ms=pick((1, 30, 300)),
        unknown_members=pick((0.0, 0.3, 1.0)),
        # Of two copies of an owner one may rule what the other decides: then the chain breaks, as it should.
        poison=0.0 if clone else pick((0.0,) * 10 + (1.0,)),
        whim=0.0 if clone else 0.003,
        takeover_ms=pick((60, 150, 500)),
        hold_ms=pick((400, 1500, 4000)),
        limit=pick((1, 2, 5)),
        buyers=rng.randint(10, 30),
        load_ms=pick((1500, 3000, 4500)),
        snapshots=0.0,
    )
