"""Topic names, namespaces, and the partition of a pool."""

import collections

import pytest
from pydantic import ValidationError

from settings import Shared
from streams.topics import CATALOGUE, group_id, named, partition_of


def test_without_a_namespace_names_are_the_catalogue_s():
    assert named("") == CATALOGUE
    assert group_id("", "inventory") == "turnstile.inventory"


def test_a_namespace_stands_before_every_name_and_group():
    shop = named("shop-1")
    assert shop.stock_commands.name == "shop-1.stock.commands"
    assert [topic.name for topic in shop] == [f"shop-1.{topic.name}" for topic in CATALOGUE]
    assert [topic._replace(name="") for topic in shop] == [topic._replace(name="") for topic in CATALOGUE]
    assert group_id("shop-1", "inventory") == "shop-1.turnstile.inventory"


@pytest.mark.parametrize("namespace", ["Shop", "-a", "_a", "a.b", "a b", "a\n", "é", "a" * 65, "a/b"])
def test_a_namespace_that_a_topic_cannot_have_is_refused(namespace):
    with pytest.raises(ValueError, match="namespace"):
        named(namespace)
    with pytest.raises(ValueError, match="namespace"):
        group_id(namespace, "inventory")
    with pytest.raises(ValidationError):
        Shared(namespace=namespace)


@pytest.mark.parametrize(
    ("sku", "partition"),
    # Kafka's own test vectors: Utils.murmur2 of these, without the sign bit, modulo 8.
    [
        ("21", (-973932308 & 0x7FFFFFFF) % 8),
        ("foobar", (-790332482 & 0x7FFFFFFF) % 8),
        ("a-little-bit-long-string", (-985981536 & 0x7FFFFFFF) % 8),
    ],
)
def test_a_pool_is_where_kafka_s_default_partitioner_puts_its_key(sku, partition):
    assert partition_of(sku, 8) == partition


def test_pools_spread_over_all_partitions():
    counts = collections.Counter(partition_of(f"sku-{number}", 8) for number in range(8_000))
    assert set(counts) == set(range(8))
    assert max(counts.values()) < 1_200
