"""A run of Reserves decided together comes to what each of them comes to alone: answers, changes, totals and state."""

from collections import Counter
from random import Random

import pytest

from domain import rush
from domain.columns import ReserveRun
from domain.outcomes import InvariantViolatedError
from domain.roles import Role
from domain.rules import RULES, Rules
from domain.stock import Adjust, Close, Commit, Open, Release, Reserve
from streams.records import DECIDED_BYTES_MAX, Decided, decode_decided, encode_body
from streams.stock_records import BATCHES, decode_details
from tables.stock import StockFold
from tests.properties.commands import customer, hold, sale
from tests.properties.content import check, content
from tests.properties.ledger_partition import label

SMALL = Rules(
    sweep_max=3,
    pool_sweep_max=4,
    ended_keep_ms=5_000,
    refusal_generation_ms=1_000,
    refusal_generations=3,
    refusals_max=150,
)
SKUS = ("a", "a", "a", "b", "c", "x")  # nobody sells x


class Twins:
    """One state for each way to decide, and a standby that folds what the run came to."""

    def __init__(self, rules: Rules, units: int, limit: int) -> None:
        self.fold = StockFold({1: rules})
        self.alone, self.together, self.standby = (self.fold.new_state(0) for _ in range(3))
        self.src, self.clk = 0, 1_000_000
        self.seen: Counter[str] = Counter()
        self.runs = 0
        for sku in "abc":
            self.record(Role.OPS, sale(sku, units, limit=limit, hold_ms=700))

    def record(self, role: Role, commands: list, after_ms: int = 0) -> list[str]:
        self.src += 1
        self.clk += after_ms
        run = BATCHES.decode(BATCHES.encode(bytes(16), role, "gw", 1, commands)).commands() if commands else []
        self.runs += isinstance(run, ReserveRun)
        one, other = (
            self.fold.decide(state, asked, role, self.src, self.clk)
            for state, asked in ((self.alone, commands), (self.together, run))
        )
        assert [label(code) for code in one.outcomes] == [label(code) for code in other.outcomes]
        assert told(one) == told(other)
        assert (one.faults, other.faults) == ([], [])
        self.follow(other)
        self.seen.update(label(code) for code in other.outcomes)
        return [label(code) for code in other.outcomes]

    def follow(self, decision) -> None:
        body = encode_body(
            Decided(self.src, bytes(16), self.clk, "gw", 1, bytes(decision.outcomes), None, None, decision.details)
        )
        assert len(body) <= DECIDED_BYTES_MAX
        decided = decode_decided(body)
        assert self.fold.lawful(self.together, decided, evolved=True)
        assert self.fold.lawful(self.standby, decided, evolved=False)
        self.fold.apply(self.standby, decided)

    def compare(self) -> None:
        assert content(self.alone) == content(self.together) == content(self.standby)
        check(self.together)


def told(decision) -> tuple:
    details = decode_details(decision.details)
    return details.repeats, [change for run in details.changes for change in run.items], details.totals


def request(rng: Random, clk: int) -> Reserve:
    return Reserve(
        hold(f"h{rng.randrange(400)}", rng.choice([0, 0, 0, 1])),
        rng.choice(SKUS) if rng.random() < 0.5 else "a",
        customer(f"c{rng.randrange(120)}"),
        rng.choice([1, 1, 1, 2, 3]) if rng.random() < 0.999 else rng.choice([0, -1, 65_536]),
        clk + rng.choice([900_000, 5_000, 5_000, 0]) + (0 if rng.random() < 0.999 else rng.choice([-1, 900_001])),
        rng.choice([b"content1", b"content1", b"content2"]),
        rng.choice([-1, -1, -1, 0, 500, 10**15]),
        rng.choice([b"", b"", bytes(20)]) if rng.random() < 0.999 else bytes(1_025),
    )


def batch(rng: Random, twins: Twins) -> tuple[Role, list]:
    kind = rng.random()
    if kind < 0.7:
        role = rng.choice([Role.GATEWAY, Role.GATEWAY, Role.ORDER, Role.OPS])
        alike = rng.random() < 0.5
        asked = [request(rng, twins.clk + 300) for _ in range(rng.choice([1, 2, 5, 40]))]
        return role, [one._replace(sku="a", max_price=-1) for one in asked] if alike else asked
    if kind < 0.85:
        held = [row.hold for row in twins.together.rows]
        return Role.ORDER, [rng.choice([Commit, Release])(one) for one in rng.sample(held, min(len(held), 5))]
    sku, units = rng.choice("abc"), rng.choice([-30, 5, 40])
    version = twins.together.pools[sku].version
    return Role.OPS, [rng.choice([Adjust(sku, units, f"r{twins.src}", ""), Open(sku, version), Close(sku, version)])]


def history(seed: int, records: int = 60) -> Twins:
    rng = Random(seed)
    twins = Twins(SMALL, units=rng.choice([0, 3, 60, 500]), limit=rng.choice([1, 4, 60]))
    for _ in range(records):
        role, commands = batch(rng, twins)
        twins.record(role, commands, after_ms=rng.choice([0, 1, 300, 800]))
    twins.compare()
    return twins


def histories(seeds: int) -> tuple[Counter[str], int]:
    """What commands came to, and how many runs there were."""
    seen: Counter[str] = Counter()
    runs = 0
    for seed in range(seeds):
        twins = history(seed)
        seen += twins.seen
        runs += twins.runs
    return seen, runs


def test_it_makes_no_difference_to_a_long_history():
    seen, runs = histories(60)
    assert runs > 1_000
    assert min(seen[name] for name in (
        "granted", "granted!", "limit-reached", "limit-reached!", "all-held", "sold-out", "insufficient", "closed",
        "price-changed", "too-late", "unknown-sku", "busy", "malformed", "forbidden", "key-reused",
    )) > 2, seen  # fmt: skip


def crowd(first: int, number: int, quantity: int = 1, sku: str = "a") -> list[Reserve]:
    """As many customers with a key of their own."""
    return [
        Reserve(hold(f"n{at}"), sku, customer(f"n{at}"), quantity, 1_005_000, b"content1")
        for at in range(first, first + number)
    ]


@pytest.mark.parametrize(("units", "held"), [(1_000, 500), (700, 500), (500, 500), (0, 0), (1, 0)])
def test_a_full_batch_for_one_pool(units, held):
    """The whole batch comes to one outcome, or turns in its middle."""
    twins = Twins(RULES[1], units, limit=5)
    if held:
        twins.record(Role.GATEWAY, crowd(0, held))
    twins.record(Role.GATEWAY, crowd(held, 500, quantity=2 if units == 1 else 1))
    twins.record(Role.GATEWAY, crowd(held, 500, quantity=2 if units == 1 else 1))
    twins.compare()


# --- what is looked at before deciding together: each, taken out, is missed ---------------------------------------


def whatever_is_asked(state, run):
    return bool(run) and all(sku in state.pools for sku, _ in run.offers)


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("_known", lambda *_: set()),
        ("_plain", whatever_is_asked),
        ("due_now", lambda *_: False),
        ("barred", lambda *_: 0),
        ("afford", lambda counted, limit, quantity, available, held: 16 if quantity <= available else 12),
        ("_Shelf", type("Generous", (rush._Shelf,), {"same": lambda *_: 16})),
    ],
)
def test_without_it_there_is_a_difference(monkeypatch, name, without):
    monkeypatch.setattr(rush, name, without)
    with pytest.raises((AssertionError, InvariantViolatedError)):  # another answer, or a state that is broken
        histories(40)


def test_a_bug_in_deciding_together_costs_time_and_nothing_else(monkeypatch):
    met = []

    def buggy(*_):
        met.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(rush, "_judge", buggy)
    assert history(1).seen["granted"] > 0
    assert met
