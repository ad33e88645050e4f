"""Who gets the units: reservations, their limits, their first answers."""

import pytest

from domain.roles import Role
from domain.rules import Rules
from domain.stock import Expired, Granted, Refused
from tests.domain.scenario import parse, play

SALE = """
 after  role     command                                answer          counters
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     0  ops      open tee 1                             opened          tee: 3 0 0 0
"""


def sale(rows: str, rules: Rules | None = None):
    return play(SALE + rows.lstrip("\n"), rules)


def test_first_come_first_served_until_nothing_is_left():
    sale("""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h2 bob tee 2                   granted         tee: 0 3 0 0
     1  gateway  reserve h3 cy tee 1                    all-held        tee: 0 3 0 0
     1  order    commit h1 ann                          committed       tee: 0 2 1 0
     1  gateway  reserve h4 cy tee 1                    all-held        tee: 0 2 1 0
     1  order    commit h2 bob                          committed       tee: 0 0 3 0
     1  gateway  reserve h5 cy tee 1                    sold-out        tee: 0 0 3 0
    """)


def test_a_quantity_that_can_never_come_is_insufficient_and_one_that_may_is_all_held():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  order    commit h1 ann                          committed       tee: 1 0 2 0
     1  gateway  reserve h2 bob tee 2                   insufficient    tee: 1 0 2 0
     1  gateway  reserve h3 cy tee 1                    granted         tee: 0 1 2 0
     1  gateway  reserve h4 bob tee 2                   insufficient    tee: 0 1 2 0
     1  gateway  reserve h5 bob tee 1                   all-held        tee: 0 1 2 0
    """)


def test_the_limit_counts_holds_and_sales_and_forgets_what_came_back():
    sale("""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     1  order    commit h1 ann                          committed       tee: 2 0 1 0
     1  gateway  reserve h2 ann tee 1                   granted         tee: 1 1 1 0
     1  gateway  reserve h3 ann tee 1                   limit-reached   tee: 1 1 1 0
     1  order    return h1 1 1 restock                  returned        tee: 2 1 0 0
     1  gateway  reserve h4 ann tee 1                   granted         tee: 1 2 0 0
     1  order    release h2 ann                         released        tee: 2 1 0 0
     1  gateway  reserve h5 ann tee 2                   limit-reached   tee: 2 1 0 0
     1  gateway  reserve h6 ann tee 1                   granted         tee: 1 2 0 0
    """)


def test_a_key_gets_its_first_answer_again_whatever_happened_since():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  gateway  reserve h2 bob tee 2                   all-held        tee: 1 2 0 0
     1  gateway  reserve h1 ann tee 2                   granted!        tee: 1 2 0 0
     1  order    release h1 ann                         released        tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 2                   granted!        tee: 3 0 0 0
     1  gateway  reserve h2 bob tee 2                   all-held!       tee: 3 0 0 0
     1  ops      close tee 2                            shut            tee: 3 0 0 0
     1  gateway  reserve h2 bob tee 2                   all-held!       tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 2 until=-1          granted!        tee: 3 0 0 0
    """)


def test_a_repeated_grant_says_what_the_first_one_said_not_what_the_policy_or_an_extension_became():
    partition = sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  order    extend h1 20000                        extended        tee: 1 2 0 0
     1  ops      policy tee 2 900 1 5000                policy-set      tee: 1 2 0 0
     1  order    commit h1 ann                          committed       tee: 1 0 2 0
     1  gateway  reserve h1 ann tee 2                   granted!        tee: 1 0 2 0
    """)
    (repeat,) = partition.details.repeats
    assert (repeat.offset, repeat.position) == (4, 0)
    assert (repeat.sku, repeat.quantity, repeat.unit_price, repeat.currency) == ("tee", 2, 500, "EUR")
    assert repeat.deadline_ms == 1_000_001 + 10_000


def test_the_same_key_with_other_content_is_another_question_and_changes_nothing():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  gateway  reserve h1 ann tee 2 content=g         key-reused      tee: 1 2 0 0
     1  gateway  reserve h2 bob tee 2                   all-held        tee: 1 2 0 0
     1  gateway  reserve h2 bob tee 2 content=g         key-reused      tee: 1 2 0 0
     1  gateway  reserve h2 bob tee 2                   all-held!       tee: 1 2 0 0
     1  gateway  reserve h1 ann mug 2                   key-reused      tee: 1 2 0 0
    """)


def test_too_late_and_unknown_sku_are_never_remembered():
    sale("""
     1  gateway  reserve h1 ann tee 1 until=-1          too-late        tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 1 until=0           granted         tee: 2 1 0 0
     1  gateway  reserve h2 bob mug 1                   unknown-sku     tee: 2 1 0 0
     1  ops      policy mug 0 100 1 10000               policy-set      mug: 0 0 0 0
     1  gateway  reserve h2 bob mug 1                   not-open        mug: 0 0 0 0
     1  ops      open mug 1                             opened          mug: 0 0 0 0
     1  gateway  reserve h2 bob mug 1                   not-open!       mug: 0 0 0 0
     1  gateway  reserve h3 bob mug 1                   sold-out        mug: 0 0 0 0
    """)


def test_checks_come_in_declared_precedence():
    sale("""
     1  gateway  reserve h9 ann tee 2 max=499           price-changed   tee: 3 0 0 0
     1  gateway  reserve h8 ann tee 3 max=500           limit-reached   tee: 3 0 0 0
     1  gateway  reserve h7 ann tee 2 max=500           granted         tee: 1 2 0 0
     1  gateway  reserve h6 ann tee 9                   limit-reached   tee: 1 2 0 0
     1  ops      close tee 2                            shut            tee: 1 2 0 0
     1  gateway  reserve h5 ann tee 9 max=1             closed          tee: 1 2 0 0
     1  gateway  reserve h4 ann tee 9 max=1 until=-1    too-late        tee: 1 2 0 0
     1  gateway  reserve h4 ann tee 9 max=1 until=900001  malformed     tee: 1 2 0 0
     1  gateway  reserve h9 ann tee 2 max=499 until=-1  price-changed!  tee: 1 2 0 0
     1  worker   reserve h3 ann tee 1                   forbidden       tee: 1 2 0 0
     1  worker   reserve h3 ann tee 0                   malformed       tee: 1 2 0 0
    """)


def test_a_refusal_is_remembered_for_two_minutes_at_least_and_two_and_a_half_at_most():
    # The sale starts at 1,000,000 ms, 10 s into generation 33; the refusal is of generation 34 (from 1,020,000).
    sale("""
 19999  gateway  reserve h1 ann tee 3                   limit-reached   tee: 3 0 0 0
     1  gateway  reserve h2 ann tee 3                   limit-reached   tee: 3 0 0 0
119999  gateway  reserve h1 ann tee 3                   limit-reached!  tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 3                   limit-reached   tee: 3 0 0 0
 29999  gateway  reserve h2 ann tee 3                   limit-reached!  tee: 3 0 0 0
     1  gateway  reserve h2 ann tee 3                   limit-reached   tee: 3 0 0 0
    """)


def test_when_the_memory_of_refusals_is_full_new_ones_are_busy_and_grants_go_on():
    sale(
        """
     1  gateway  reserve h1 ann tee 3                   limit-reached   tee: 3 0 0 0
     1  gateway  reserve h2 ann tee 3                   limit-reached   tee: 3 0 0 0
     1  gateway  reserve h3 ann tee 3                   busy            tee: 3 0 0 0
     1  gateway  reserve h4 ann tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h1 ann tee 3                   limit-reached!  tee: 2 1 0 0
150000  gateway  reserve h3 ann tee 3                   limit-reached   tee: 3 0 0 0
    """,
        Rules(refusals_max=2),
    )


def test_a_bundle_is_granted_whole_or_not_at_all():
    partition = sale("""
     1  ops      policy mug 0 100 1 10000               policy-set      mug: 0 0 0 0
     1  ops      open mug 1                             opened          mug: 0 0 0 0
     1  ops      adjust mug 1 initial                   adjusted        mug: 1 0 0 0
     1  order    bundle b1 ann tee:2,mug:1              granted         tee: 1 2 0 0  mug: 0 1 0 0
     1  order    bundle b2 bob tee:1,mug:1              all-held        tee: 1 2 0 0  mug: 0 1 0 0
     1  order    bundle b1 ann tee:2,mug:1              granted!        tee: 1 2 0 0  mug: 0 1 0 0
     1  order    bundle b1 ann tee:2,mug:1 content=g    key-reused      tee: 1 2 0 0  mug: 0 1 0 0
     1  order    release b1/0                           released        tee: 3 0 0 0  mug: 0 1 0 0
     1  order    bundle b1 ann tee:2,mug:1              granted!        tee: 3 0 0 0  mug: 0 1 0 0
     1  order    bundle b3 bob tee:1,cap:1              unknown-sku     tee: 3 0 0 0  mug: 0 1 0 0
     1  order    bundle b3 bob tee:1,cap:1              unknown-sku     tee: 3 0 0 0  mug: 0 1 0 0
     1  order    bundle b2 bob tee:1,mug:1              all-held!       tee: 3 0 0 0  mug: 0 1 0 0
    """)
    assert [repeat.hold[-1] for repeat in partition.details.repeats] == [0, 1]


def test_a_bundle_that_is_refused_says_of_each_line_why():
    partition = sale("""
     1  order    bundle b1 ann tee:2,mug:1              unknown-sku     tee: 3 0 0 0
     1  ops      policy mug 0 100 1 10000               policy-set      mug: 0 0 0 0
     1  ops      open mug 1                             opened          mug: 0 0 0 0
     1  order    bundle b1 ann tee:2,mug:1              sold-out        tee: 3 0 0 0  mug: 0 0 0 0
    """)
    assert [(change.hold[-1], change.outcome) for change in partition.changes()] == [(0, 15), (1, 13)]
    assert {type(change) for change in partition.changes()} == {Refused}


def test_a_partial_bundle_keeps_what_it_can_get_and_repeats_both_halves():
    partition = sale("""
     1  ops      policy mug 0 100 1 10000               policy-set      mug: 0 0 0 0
     1  ops      open mug 1                             opened          mug: 0 0 0 0
     1  order    bundle b1 ann tee:2,mug:1,cap:1 partial  granted       tee: 1 2 0 0  mug: 0 0 0 0
    """)
    assert [(type(change), change.hold[-1]) for change in partition.changes()] == [(Granted, 0), (Refused, 1)]


def test_only_the_first_grant_of_a_bundle_carries_the_requests_blob():
    partition = sale("""
     1  ops      policy mug 0 100 1 10000               policy-set      mug: 0 0 0 0
     1  ops      open mug 1                             opened          mug: 0 0 0 0
     1  ops      adjust mug 1 initial                   adjusted        mug: 1 0 0 0
    """)
    bundle = parse("bundle b1 ann tee:1,mug:1", partition.clk)._replace(carried=b"sealed")
    assert partition.record(bundle, role=Role.ORDER) == ["granted"]
    assert [change.carried for change in partition.changes()] == [b"sealed", b""]


def test_due_holds_are_swept_first_in_every_record_in_the_order_of_deadline_and_id():
    partition = sale(
        """
     1  gateway  reserve h2 ann tee 1                   granted         tee: 2 1 0 0
     0  gateway  reserve h1 bob tee 1                   granted         tee: 1 2 0 0
     1  gateway  reserve h0 cy tee 1                    granted         tee: 0 3 0 0
  9998  worker   tick                                   -               tee: 0 3 0 0
     1  worker   tick                                   -               tee: 1 2 0 0
     0  worker   tick                                   -               tee: 2 1 0 0
     0  worker   tick                                   -               tee: 2 1 0 0
     1  worker   tick                                   -               tee: 3 0 0 0
    """,
        Rules(sweep_max=1),
    )
    assert [type(change) for change in partition.changes()] == [Expired]


@pytest.mark.parametrize(("sweeps", "answer"), [(3, "granted"), (2, "granted"), (1, "busy")])
def test_before_refusing_the_pools_own_due_holds_are_swept_until_it_suffices(sweeps, answer):
    partition = sale(
        f"""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h2 ann tee 1                   granted         tee: 1 2 0 0
     1  gateway  reserve h3 bob tee 1                   granted         tee: 0 3 0 0
 10000  gateway  reserve h4 cy tee 2                    {answer}
    """,
        Rules(sweep_max=0, pool_sweep_max=sweeps),
    )
    swept = [change for change in partition.changes() if type(change) is Expired]
    assert len(swept) == min(sweeps, 2)


def test_a_customer_at_the_limit_is_helped_by_the_sweep_of_the_pool_too():
    sale(
        """
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
  9999  gateway  reserve h2 ann tee 1                   limit-reached   tee: 1 2 0 0
     1  gateway  reserve h3 ann tee 1                   granted         tee: 2 1 0 0
    """,
        Rules(sweep_max=0),
    )
