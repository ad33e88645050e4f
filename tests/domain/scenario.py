"""Scenarios as text tables: one row, one command record, one expected answer, and the counters after it.

Columns stand two spaces apart. `after` is milliseconds since the row before. `tee: 2 1 0 0` = pool tee has 2 available,
1 held, 0 sold, 0 written off. Times in commands (`until`) are milliseconds after the row's own time.

    reserve NAME WHO SKU QUANTITY [content=f] [max=PRICE] [until=MS] [carried=N]
    bundle NAME WHO SKU:QUANTITY,... [partial] [content=f] [until=MS]
    commit NAME[/LINE] [WHO]         release NAME[/LINE] [WHO]      extend NAME MS
    return NAME REFERENCE QUANTITY restock|scrap
    policy SKU VERSION PRICE LIMIT HOLD_MS    open SKU VERSION    close SKU VERSION
    adjust SKU DELTA REFERENCE       rules VERSION                  tick
"""

import re
from typing import Any

from domain import stock as s
from domain.roles import Role
from domain.rules import Rules
from tests.properties.commands import customer, hold, reserve, reserve_all
from tests.properties.partition import Partition

UNTIL_MS = 30_000


def play(table: str, rules: Rules | None = None) -> Partition:
    """Send every row's command in a record of its own; AssertionError names the first row that came out otherwise."""
    partition = Partition(rules)
    for line in table.strip().splitlines()[1:]:
        after, role, command, answer, *counters = re.split(r"\s{2,}", line.strip())
        partition.clk += int(after)
        commands = [] if command == "tick" else [parse(command, partition.clk)]
        answers = partition.record(*commands, role=Role[role.upper()])
        assert answers == ([] if answer == "-" else [answer]), f"{line} -- was {answers}"
        assert not partition.faults, f"{line} -- {partition.faults}"
        for expected in counters:
            sku, values = expected.split(":")
            totals = partition.owner.pools[sku].totals()[2:6]
            assert totals == tuple(int(value) for value in values.split()), f"{line} -- was {totals}"
    partition.verify()
    return partition


def parse(text: str, clk: int) -> Any:
    words = [word for word in text.split() if "=" not in word]
    options = dict(word.split("=") for word in text.split() if "=" in word)
    return _PARSERS[words[0]](words[1:], options, clk)


def _key(word: str) -> bytes:
    name, _, line = word.partition("/")
    return hold(name, int(line or 0))


def _reserve(words, options, clk):
    name, who, sku, quantity = words
    until = clk + int(options.get("until", UNTIL_MS))
    content, price = options.get("content", "f"), int(options.get("max", -1))
    command = reserve(name, who, sku, int(quantity), until=until, content=content, max_price=price)
    return command._replace(carried=bytes(int(options.get("carried", 0))))


def _bundle(words, options, clk):
    name, who, lines, *partial = words
    pairs = [line.split(":") for line in lines.split(",")]
    until = clk + int(options.get("until", UNTIL_MS))
    content = options.get("content", "f")
    asked = [(sku, int(quantity)) for sku, quantity in pairs]
    return reserve_all(name, who, *asked, until=until, content=content, partial=bool(partial))


def _settle(kind):
    return lambda words, _, __: kind(_key(words[0]), customer(words[1]) if len(words) > 1 else b"")


def _policy(words, _, __):
    sku, *numbers = words
    version, price, limit, hold_ms = (int(number) for number in numbers)
    return s.SetPolicy(sku, version, price, "EUR", limit, hold_ms, "key")


_PARSERS = {
    "reserve": _reserve,
    "bundle": _bundle,
    "commit": _settle(s.Commit),
    "release": _settle(s.Release),
    "extend": lambda words, _, clk: s.Extend(_key(words[0]), clk + int(words[1])),
    "return": lambda words, _, __: s.Return(_key(words[0]), int(words[1]), int(words[2]), words[3] == "restock"),
    "policy": _policy,
    "open": lambda words, _, __: s.Open(words[0], int(words[1])),
    "close": lambda words, _, __: s.Close(words[0], int(words[1])),
    "adjust": lambda words, _, __: s.Adjust(words[0], int(words[1]), words[2], "count"),
    "rules": lambda words, _, __: s.SetRules(int(words[0])),
}
