"""Each rule is taken out by a patch, and something goes wrong that does not go wrong with it."""

import pytest

from domain import evolve, inventory, reserving, settling
from domain.outcomes import InvariantViolatedError, Outcome
from domain.reservation import RowState
from domain.roles import Role
from domain.rules import Rules
from domain.stock import Commit, Release, Released, Reserve, Sold
from domain.verdict import Verdict
from tests.properties.commands import customer, hold, reserve, sale
from tests.properties.partition import Partition

HOLD_MS = 1_000
H1, H2 = hold("h1"), hold("h2")


class Shop:
    """A pool of one SKU and what its customers were told."""

    def __init__(self, units=1, limit=1, rules=None):
        self.partition = Partition(rules)
        self.partition.record(*sale("a", units, limit=limit, hold_ms=HOLD_MS))

    def ask(self, name, who="ann", after_ms=1, until_ms=60_000):
        until = self.partition.clk + after_ms + until_ms
        return self.send(reserve(name, who, "a", until=until), after_ms)

    def send(self, command, after_ms=1):
        (answer,) = self.partition.record(command, role=Role.ORDER, after_ms=after_ms)
        return answer

    def wait(self, ms):
        self.partition.record(after_ms=ms)

    @property
    def pool(self):
        return self.partition.owner.pools["a"]


# --- what must not happen: each is False with all rules in force -------------------------------------------------


def a_unit_is_sold_twice():
    shop = Shop()
    shop.ask("h1", "ann")
    shop.wait(HOLD_MS)
    shop.ask("h2", "bob")
    return [shop.send(Commit(H1)), shop.send(Commit(H2))] == ["committed", "committed"]


def a_customer_has_more_than_the_limit():
    shop = Shop(units=2)
    shop.ask("h1", "ann")
    shop.wait(HOLD_MS)
    shop.ask("h2", "ann")
    shop.send(Commit(H1))
    return shop.partition.owner.counts.get(customer("ann"), shop.pool.key) > 1


def a_release_that_is_repeated_makes_units():
    shop = Shop()
    shop.ask("h1")
    for _ in range(2):
        shop.send(Release(H1))
    return shop.pool.available != 1


def a_refused_key_is_granted_within_two_minutes(rules):
    shop = Shop(rules=rules)
    shop.ask("h1", "ann")
    shop.ask("h2", "bob")
    shop.send(Release(H1))
    return shop.ask("h2", "bob", after_ms=100_000) == "granted"


def a_reserve_is_granted_after_its_release():
    shop = Shop()
    shop.send(Release(H1))
    return shop.ask("h1") == "granted"


def what_was_released_is_sold():
    shop = Shop()
    shop.ask("h1")
    shop.wait(HOLD_MS)
    return shop.send(Release(H1)) == "released" and shop.send(Commit(H1)) == "committed"


def a_ghost_is_granted_after_its_time():
    return Shop().ask("h1", after_ms=10_000, until_ms=-1) == "granted"


def a_key_is_granted_twice():
    shop = Shop(units=2, limit=2)
    shop.ask("h1")
    shop.ask("h1")
    return shop.pool.held == 2


def a_key_of_other_content_gets_the_grant():
    shop = Shop(units=2, limit=2)
    shop.ask("h1")
    return shop.send(reserve("h1", "ann", "a", 2, until=shop.partition.clk, content="g")) == "granted!"


def a_buyer_is_refused_while_units_lie_in_due_holds():
    shop = Shop(units=300, limit=300)
    for number in range(300):
        shop.ask(f"n{number}", f"c{number}", after_ms=0)
    (answer,) = shop.partition.record(
        reserve("h1", "ann", "a", 300, until=shop.partition.clk + HOLD_MS), role=Role.ORDER, after_ms=HOLD_MS
    )
    return answer == "all-held"


def a_stranger_cancels_my_hold():
    shop = Shop()
    shop.ask("h1", "ann")
    shop.send(Release(H1, customer("bob")))
    return shop.pool.held == 0


def the_limit_is_passed_by_a_second_key():
    shop = Shop(units=2)
    return [shop.ask("h1"), shop.ask("h2")] == ["granted", "granted"]


# --- the rules, and what is left of the product without them -----------------------------------------------------


def sell_again_unchecked(state, row, index):
    return Verdict(Outcome.COMMITTED, (Sold(index, row.hold),))


def sell_again_without_limit(state, row, index):
    pool = state.terms[row.terms - 1].pool
    if row.quantity <= pool.available:
        return sell_again_unchecked(state, row, index)
    return Verdict(Outcome.GONE)


def release_whatever_it_is(state, command, index):
    row = state.rows.get(command.hold)
    return Verdict(Outcome.RELEASED, (Released(index, command.hold, row.customer),))


def any_state(state, hold, *states):
    row = state.rows.get(hold)
    return row if row.state != RowState.RELEASED else row._replace(state=RowState.SOLD)


def release_without_tombstone(state, command, index):
    if state.rows.get(command.hold) is None:
        return Verdict(Outcome.RELEASED)
    return settling.release(state, command, index)


def release_that_ignores_expired(state, command, index):
    if state.rows.get(command.hold).state == RowState.EXPIRED:
        return Verdict(Outcome.RELEASED)
    return settling.release(state, command, index)


def reserve_without_time(state, command, index):
    return reserving.reserve(state, command._replace(not_after_ms=state.clk), index)


def reserve_without_memory(state, command, index):
    return reserving.reserve(
        state, command._replace(hold=command.hold[:8] + bytes([index, state.src]) + bytes(7)), index
    )


def again_without_fingerprint(state, index, sku, fingerprint, row, refusal):
    return AGAIN(state, index, sku, row.fingerprint if row else fingerprint, row, refusal)


AGAIN = reserving.again


def judge_without_limit(state, pool, who, quantity, max_price):
    return Outcome.GRANTED if quantity <= pool.available else Outcome.SOLD_OUT


def in_place_of(kind, decider):
    return lambda patch: patch.setitem(inventory._DECIDE, kind, decider)


def instead(module, name, function):
    return lambda patch: patch.setattr(module, name, function)


def both(*removals):
    return lambda patch: [removal(patch) for removal in removals]


TAKEN_OUT = {
    "availability when an expired hold is committed": (
        a_unit_is_sold_twice,
        instead(settling, "_sell_again", sell_again_unchecked),
    ),
    "limit when an expired hold is committed": (
        a_customer_has_more_than_the_limit,
        instead(settling, "_sell_again", sell_again_without_limit),
    ),
    "state when a hold is released, in decide and in evolve": (
        a_release_that_is_repeated_makes_units,
        both(in_place_of(Release, release_whatever_it_is), instead(evolve, "_row", any_state)),
    ),
    "tombstone of a release": (
        a_reserve_is_granted_after_its_release,
        in_place_of(Release, release_without_tombstone),
    ),
    "release of an expired hold": (what_was_released_is_sold, in_place_of(Release, release_that_ignores_expired)),
    "not_after": (a_ghost_is_granted_after_its_time, in_place_of(Reserve, reserve_without_time)),
    "first answer": (a_key_is_granted_twice, in_place_of(Reserve, reserve_without_memory)),
    "fingerprint": (
        a_key_of_other_content_gets_the_grant,
        instead(reserving, "again", again_without_fingerprint),
    ),
    "sweep of the pool before refusing": (
        a_buyer_is_refused_while_units_lie_in_due_holds,
        instead(reserving, "due_now", lambda pool, clk: False),
    ),
    "customer of a release": (a_stranger_cancels_my_hold, instead(settling, "_not_yours", lambda row, who: False)),
    "limit": (the_limit_is_passed_by_a_second_key, instead(reserving, "judge", judge_without_limit)),
}


def goes_wrong(wrong) -> bool:
    try:
        return wrong()
    except InvariantViolatedError:
        return True  # the books do not balance: the partition stops


@pytest.mark.parametrize(("wrong", "take_out"), TAKEN_OUT.values(), ids=TAKEN_OUT)
def test_without_the_rule_something_goes_wrong(monkeypatch, wrong, take_out):
    assert not wrong()
    take_out(monkeypatch)
    assert goes_wrong(wrong)


@pytest.mark.parametrize(
    ("rules", "granted"),
    [(None, False), (Rules(refusal_generation_ms=75, refusal_generations=5), True)],
    ids=["two minutes", "300 ms"],
)
def test_a_refusal_that_is_remembered_too_shortly_becomes_a_grant(rules, granted):
    assert a_refused_key_is_granted_within_two_minutes(rules) is granted


def test_without_the_state_check_in_decide_alone_the_partition_stops(monkeypatch):
    monkeypatch.setitem(inventory._DECIDE, Release, release_whatever_it_is)
    with pytest.raises(InvariantViolatedError):
        a_release_that_is_repeated_makes_units()
