"""The same commands give the same bytes in another process, whose hashes of bytes and strings are others."""

import os
import subprocess
import sys

HISTORY = """
import hashlib
from random import Random
from domain.roles import Role
from tables.stock import StockFold
from tests.properties.commands import sale
from tests.properties.histories import AFTER_MS, RULES, SENDERS, command

rng, fold, clk, digest = Random(9), StockFold({1: RULES}), 1_000_000, hashlib.sha256()
state = fold.new_state(0)
fold.decide(state, [*sale("a", 4, limit=3), *sale("b", 2, limit=3, hold_ms=400)], Role.OPS, 1, clk)
for src in range(2, 3_000):
    clk += rng.choice(AFTER_MS)
    decision = fold.decide(state, [command(rng.choice, clk) for _ in range(6)], rng.choice(SENDERS), src, clk)
    digest.update(bytes(decision.outcomes) + bytes(decision.details))
print(digest.hexdigest(), hash(b"bytes"))
"""


def run(seed):
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", HISTORY], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


def test_no_order_of_hashes_decides_anything():
    (first, first_hash), (second, second_hash) = run("1"), run("2")
    assert first_hash != second_hash
    assert first == second
