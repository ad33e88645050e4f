"""Every scenario, in the order in which `make bench` runs them."""

from bench.scenario import Scenario
from bench.scenarios import hot_sku, http

CATALOGUE: dict[str, Scenario] = {one.name: one for one in (hot_sku.SCENARIO, http.SCENARIO)}
