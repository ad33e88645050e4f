"""The demo's shoppers follow from its options alone."""

import pytest

from domain.order_rules import FIRST_ORDER_RULES, ORDER_RULES
from ops.demo.plan import DWELL_S, HOLD_S, Options, hot_partition, kill_share, shoppers, sku_names
from streams.topics import partition_of


def share(things, of) -> float:
    return sum(1 for thing in things if of(thing)) / len(things)


def test_the_same_options_bring_the_same_shoppers_and_another_seed_others():
    options = Options(shoppers=500)
    assert shoppers(options) == shoppers(options)
    assert shoppers(options) != shoppers(options._replace(seed=8))


def test_shares_are_as_asked_for():
    people = shoppers(Options(shoppers=20_000, hot=0.8, duplicates=0.15, abandon=0.3))
    assert share(people, lambda one: one.sku == "sneaker-hot") == pytest.approx(0.8, abs=0.01)
    assert share(people, lambda one: one.repeat_after is not None) == pytest.approx(0.15, abs=0.01)
    assert share(people, lambda one: one.leaves) == pytest.approx(0.3, abs=0.01)
    assert share(people, lambda one: one.leaves == "walks") == pytest.approx(0.15, abs=0.01)


def test_they_come_one_after_another_over_the_whole_time():
    people = shoppers(Options(shoppers=2_000, seconds=20.0))
    arrivals = [one.at for one in people]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] < 0.1
    assert 19.9 < arrivals[-1] <= 20.0
    assert [one.number for one in people] == list(range(2_000))


def test_nobody_is_two_customers_and_keys_differ():
    people = shoppers(Options(shoppers=1_000))
    assert len({one.customer for one in people}) == len({one.key for one in people}) == 1_000


def test_an_order_outlasts_every_decision_of_its_holder():
    assert DWELL_S[1] * 1_000 < HOLD_S * 1_000 - ORDER_RULES[FIRST_ORDER_RULES].hold_margin_ms


def test_only_who_buys_pays_with_the_request_and_half_of_them_do():
    people = shoppers(Options(shoppers=20_000, abandon=0.3))
    buyers = [one for one in people if not one.leaves]
    assert share(buyers, lambda one: one.at_once) == pytest.approx(0.5, abs=0.02)
    assert not any(one.at_once for one in people if one.leaves)


def test_one_sku_is_enough_and_it_is_the_hot_one():
    options = Options(shoppers=50, skus=1)
    assert sku_names(options) == ["sneaker-hot"]
    assert {one.sku for one in shoppers(options)} == {"sneaker-hot"}
    assert hot_partition(options, 8) == partition_of("sneaker-hot", 8)


@pytest.mark.parametrize("seed", range(50))
def test_the_kill_hits_well_inside_the_window_of_the_verdict(seed):
    assert 0.25 < kill_share(Options(seed=seed)) < 0.65
