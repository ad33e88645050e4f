"""The fold against the naive model: random commands, small limits so that every bound is met."""

from collections import Counter
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.outcomes import OF_ORDERS, Outcome
from domain.reservation import RowState
from domain.roles import Role
from domain.stock import Answered, Commit, Granted, Refused, Release, Reserve
from tests.properties.commands import sale
from tests.properties.histories import AFTER_MS, RULES, SENDERS, command
from tests.properties.model import Model
from tests.properties.partition import Partition


class Pair:
    """A partition and the model beside it."""

    def __init__(self, units: int, limit: int) -> None:
        self.partition = Partition(RULES)
        self.model = Model(RULES)
        self.seen = Counter()
        pools = [*sale("a", units, limit=limit), *sale("b", 2, limit=3, hold_ms=400), *sale("n", 0)[:1]]
        self.send(Role.OPS, pools)

    def send(self, role, batch, after_ms=0):
        answers = self.partition.record(*batch, role=role, after_ms=after_ms)
        assert answers == self.model.record(self.partition.src, self.partition.clk, role, *batch), (role, batch)
        assert not self.partition.faults
        answered = [(c.index, c.hold) for c in self.partition.changes() if isinstance(c, Answered)]
        assert answered == self.model.told, (role, batch)
        self.seen.update(answers)
        self.seen.update(Outcome(c.outcome).label for c in self.partition.changes() if isinstance(c, Refused))

    def compare(self):
        self.partition.verify()
        state, model = self.partition.owner, self.model
        rows = sorted((r.hold, RowState(r.state).name.lower(), r.quantity, r.returned) for r in state.rows)
        assert rows == sorted((h.hold, h.state, h.quantity, h.back) for h in model.holds)
        for shelf in model.shelves:
            pool = state.pools[shelf.sku]
            held, sold = model.units(shelf.sku, "held"), model.units(shelf.sku, "sold")
            assert pool.totals()[1:6] == (shelf.received, shelf.available, held, sold, shelf.written_off)
        remembered = sorted((r.hold, r.offset, r.position) for r in state.refusals)
        assert remembered == sorted((r.hold, *r.receipt) for r in model.refusals)

    def ask_again(self, settle):
        """Every grant of the last record is repeated in full, whatever becomes of it in between."""
        src = self.partition.src
        grants = [change for change in self.partition.changes() if isinstance(change, Granted)]
        asked = [Reserve(g.hold, g.sku, g.customer, g.quantity, self.partition.clk, g.fingerprint) for g in grants]
        self.send(Role.ORDER, [kind(grant.hold) for kind in settle for grant in grants] + asked)
        repeats = {repeat.hold: repeat for repeat in self.partition.details.repeats}
        for grant in grants:
            repeat = repeats[grant.hold]
            assert (repeat.offset, repeat.position) == (src, grant.index)
            assert repeat[4:] == (
                grant.sku, grant.customer, grant.quantity, grant.unit_price, grant.currency, grant.deadline_ms,
            )  # fmt: skip


class FoldAgainstModel(RuleBasedStateMachine):
    @initialize(units=st.integers(0, 4), limit=st.integers(1, 3))
    def sales(self, units, limit):
        self.pair = Pair(units, limit)

    @rule(role=st.sampled_from(SENDERS), after_ms=st.sampled_from(AFTER_MS), size=st.integers(0, 6), data=st.data())
    def record(self, role, after_ms, size, data):
        clk = self.pair.partition.clk + after_ms
        batch = [command(lambda options: data.draw(st.sampled_from(options)), clk) for _ in range(size)]
        self.pair.send(role, batch, after_ms)

    @rule(settle=st.lists(st.sampled_from([Commit, Release]), max_size=2))
    def the_same_again(self, settle):
        self.pair.ask_again(settle)

    @invariant()
    def equal(self):
        if hasattr(self, "pair"):
            self.pair.compare()


# A failing history is short enough; shrinking it takes minutes.
FoldAgainstModel.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, phases=[Phase.explicit, Phase.generate]
)
TestFoldAgainstModel = pytest.mark.slow(FoldAgainstModel.TestCase)

NOT_THE_MODELS = {
    "malformed", "fault",  # tests/domain/test_shapes.py, tests/tables/test_stock.py
    "ticked", "yielded", "not-yielded", "pinned",  # the protocol's own
}  # fmt: skip


def histories(seeds):
    seen = Counter()
    for seed in seeds:
        rng = Random(seed)
        pair = Pair(rng.randint(0, 4), rng.randint(1, 3))
        for step in range(40):
            after_ms = rng.choice(AFTER_MS)
            clk = pair.partition.clk + after_ms
            batch = [command(rng.choice, clk) for _ in range(rng.randint(0, 8))]
            pair.send(rng.choice(SENDERS), batch, after_ms)
            if step % 8 == 7:
                pair.ask_again(rng.choice([[], [Commit], [Release], [Commit, Release]]))
            if step % 4 == 3:
                pair.compare()
        seen += pair.seen
    return seen


def test_a_few_random_histories():
    assert histories(range(100, 108)).total() > 1_000


@pytest.mark.slow
def test_random_histories_meet_every_outcome_and_never_part_from_the_model():
    seen = histories(range(100))
    assert {answer.rstrip("!") for answer in seen} == {
        outcome.label for outcome in set(Outcome) - OF_ORDERS
    } - NOT_THE_MODELS
