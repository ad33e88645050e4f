"""Every scenario, in the order in which `make bench` runs them."""

from bench.scenario import Scenario
from bench.scenarios import (
    contention,
    end_to_end,
    expiry,
    flat,
    hot_sku,
    http,
    journey,
    limits,
    recovery,
    rf3,
    snapshot,
    takeover,
)

_ALL = (
    hot_sku.SCENARIO,
    end_to_end.SCENARIO,
    http.SCENARIO,
    contention.SCENARIO,
    flat.SCENARIO,
    expiry.SCENARIO,
    recovery.SCENARIO,
    snapshot.SCENARIO,
    takeover.SCENARIO,
    rf3.SCENARIO,
    journey.SCENARIO,
    limits.SCENARIO,
)
CATALOGUE: dict[str, Scenario] = {one.name: one for one in _ALL}
