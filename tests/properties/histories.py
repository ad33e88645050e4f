"""Random commands over a few holds, customers and SKUs, and bounds small enough to be met by them."""

from collections.abc import Callable, Sequence
from typing import Any

from domain.roles import Role
from domain.rules import Rules
from domain.stock import (
    Adjust,
    Close,
    Commit,
    Extend,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)
from tests.properties.commands import customer, hold, reserve, reserve_all

RULES = Rules(
    sweep_max=2,
    pool_sweep_max=2,
    prune_max=1_000,
    ended_keep_ms=5_000,
    extend_max_ms=4_000,
    refusal_generation_ms=1_000,
    refusal_generations=3,
    refusals_max=5,
    tombstones_max=3,
    tombstones_per_customer=2,
    record_lines_max=4,
)
SENDERS = (Role.GATEWAY, Role.ORDER, Role.ORDER, Role.OPS, Role.WORKER)
AFTER_MS = (0, 1, 400, 1_000, 1_001, 3_000, 6_000)
KINDS = (
    *[Reserve] * 6, *[ReserveAll] * 3, *[Commit] * 3, *[Release] * 2, *[Return] * 3,
    Extend, Adjust, SetPolicy, Open, Open, Close, SetRules,
)  # fmt: skip
SKUS = ("a", "a", "a", "b", "n", "x")  # n may never be opened, nobody sells x
LINES = (
    [("a", 1)], [("a", 1), ("b", 1)], [("b", 2), ("a", 1)], [("a", 2), ("x", 1)], [("a", 1), ("b", 3), ("x", 1)],
)  # fmt: skip

Choose = Callable[[Sequence[Any]], Any]


def command(choose: Choose, clk: int) -> Any:
    """One command; what it is made of is chosen only if it is needed."""
    kind = choose(KINDS)
    name, line = choose(["h1", "h2", "h3", "h4", "h5", "h6"]), choose([0, 0, 1])
    who = choose(["ann", "bob", "cy"])
    if kind is Reserve or kind is ReserveAll:
        until, content = clk + choose([5_000, 5_000, 5_000, -1]), choose("fffg")
        if kind is ReserveAll:
            return reserve_all(name, who, *choose(LINES), until=until, content=content, partial=choose([True, False]))
        price = choose([-1, -1, 500, 499])
        return reserve(name, who, choose(SKUS), choose([1, 2, 3]), until=until, content=content, max_price=price)
    if kind is Commit or kind is Release:
        return kind(hold(name, line), customer(who))
    if kind is Extend:
        return Extend(hold(name, line), clk + choose([0, 500, 1_500, 5_000]))
    if kind is Return:
        return Return(hold(name, line), choose([1, 2, 3]), choose([1, 1, 2]), choose([True, False]))
    if kind is Adjust:
        return Adjust(choose(SKUS), choose([-4, -1, 1, 2]), choose("pqrs"), "count")
    if kind is SetRules:
        return SetRules(choose([1, 3]))  # 2 would end the history: tests/domain has it
    version = choose([1, 2, 3, 4, 5, 6])
    if kind is SetPolicy:
        return SetPolicy(choose(SKUS[:2]), version - 1, choose([500, 600]), "EUR", 3, 1_500, "key")
    return kind(choose(SKUS), version)
