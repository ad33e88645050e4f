"""Every short sequence over a small world, by prefix tree: the fold never parts from the model and never oversells."""

import pytest

from domain.roles import Role
from domain.rules import Rules
from domain.stock import Adjust, Answered, Commit, Extend, Release, Return
from streams.stock_records import decode_details
from tables.stock import StockFold
from tests.properties.commands import hold, reserve, sale
from tests.properties.ledger_partition import label
from tests.properties.model import Model
from tests.properties.plain import copied, plain_state

RULES = Rules(ended_keep_ms=2_500, extend_max_ms=1_500, refusal_generation_ms=1_000, refusal_generations=2)
START_MS = 1_000_000
LATER_MS = 1_000  # as long as a hold
H1, H2, H3 = hold("h1"), hold("h2"), hold("h3")

# One letter = one record: how long after the one before it, who sends it, what.
# Two customers for the last unit, one of them asking twice.
LAST_UNIT = (
    (1, Role.ORDER, reserve("h1", "ann", "a", until=START_MS + 9_000)),
    (1, Role.ORDER, reserve("h2", "bob", "a", until=START_MS + 9_000)),
    (1, Role.ORDER, reserve("h3", "ann", "a", until=START_MS + 2_000)),
    (1, Role.ORDER, Commit(H1)),
    (1, Role.ORDER, Commit(H2)),
    (1, Role.ORDER, Release(H1)),
    (1, Role.ORDER, Release(H2)),
    (1, Role.ORDER, Return(H1, 1, 1, restock=True)),
    (LATER_MS, Role.ORDER, Commit(H1)),
    (LATER_MS, Role.WORKER, None),
)
# Two units, a limit of two, quantities of two and one, stock that comes and goes.
TWO_UNITS = (
    (1, Role.ORDER, reserve("h1", "ann", "a", 2, until=START_MS + 9_000)),
    (1, Role.ORDER, reserve("h2", "bob", "a", 1, until=START_MS + 9_000)),
    (1, Role.ORDER, reserve("h3", "bob", "a", 2, until=START_MS + 9_000)),
    (1, Role.ORDER, Commit(H1)),
    (1, Role.ORDER, Commit(H3)),
    (1, Role.ORDER, Release(H1)),
    (1, Role.ORDER, Extend(H1, START_MS + 9_000)),
    (1, Role.ORDER, Return(H1, 1, 1, restock=False)),
    (1, Role.OPS, Adjust("a", -1, "count", "")),
    (LATER_MS, Role.WORKER, None),
)


class Tree:
    """Walks all sequences of `letters` up to a length; each node is one record on a copy of its parent's states."""

    def __init__(self, letters, units, limit):
        self.letters = letters
        self.fold = StockFold({1: RULES})
        self.nodes = 0
        self.answers = set()
        self.state = plain_state({1: RULES})
        self.model = Model(RULES)
        opening = sale("a", units, limit=limit, hold_ms=LATER_MS)
        self.fold.decide(self.state, opening, Role.OPS, 1, START_MS)
        self.model.record(1, START_MS, Role.OPS, *opening)

    def walk(self, state, model, depth, path=()):
        for letter in self.letters:
            after_ms, role, command = letter
            new, twin = copied(state), model.copy()
            commands = [] if command is None else [command]
            src, clk = state.src + 1, state.clk + after_ms
            decision = self.fold.decide(new, commands, role, src, clk)
            expected = twin.record(src, clk, role, *commands)
            self.nodes += 1
            changes = [change for run in decode_details(decision.details).changes for change in run.items]
            answered = [(change.index, change.hold) for change in changes if isinstance(change, Answered)]
            assert answered == twin.told, (*path, letter)
            self.judge(new, twin, [label(code) for code in decision.outcomes], expected, (*path, letter))
            if depth > 1:
                self.walk(new, twin, depth - 1, (*path, letter))

    def judge(self, state, model, answers, expected, path):
        assert answers == expected, path
        self.answers.update(answers)
        _, received, available, held, sold, written_off, _ = state.pools["a"].totals()
        shelf = model.shelves[0]
        assert (received, available, written_off) == (shelf.received, shelf.available, shelf.written_off), path
        assert (held, sold) == (model.units("a", "held"), model.units("a", "sold")), path
        assert min(available, held, sold, written_off) >= 0, path
        assert received == available + held + sold + written_off, path
        assert len(state.rows) == len(model.holds), path
        assert state.refusals.count == len(model.refusals), path


def sequences(letters, units, limit, length):
    tree = Tree(letters, units, limit)
    tree.walk(tree.state, tree.model, length)
    return tree


@pytest.mark.parametrize(
    ("letters", "units", "limit"), [(LAST_UNIT, 1, 1), (TWO_UNITS, 2, 2)], ids=["last unit", "two units"]
)
def test_short_sequences(letters, units, limit):
    assert sequences(letters, units, limit, 3).nodes == 10 + 100 + 1_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_sequences_for_the_last_unit():
    tree = sequences(LAST_UNIT, 1, 1, 6)
    assert tree.nodes >= 1_000_000
    assert tree.answers == {
        "granted", "granted!", "limit-reached", "limit-reached!", "all-held", "all-held!", "sold-out", "sold-out!",
        "too-late", "committed", "released", "returned", "gone",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_sequences_of_two_units():
    tree = sequences(TWO_UNITS, 2, 2, 5)
    assert tree.nodes >= 100_000
    assert {"insufficient", "shortfall", "adjusted", "extended", "expired"} <= tree.answers
