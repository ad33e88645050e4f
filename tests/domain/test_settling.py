"""What becomes of a hold: commit, release, extend, return, expiry, and leaving memory."""

import pytest

from domain.rules import Rules
from tests.domain.scenario import play

SALE = """
 after  role     command                                answer          counters
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     0  ops      open tee 1                             opened          tee: 3 0 0 0
"""


def sale(rows: str, rules: Rules | None = None):
    return play(SALE + rows.lstrip("\n"), rules)


def test_an_expired_hold_sells_again_only_while_there_are_units():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
 10000  worker   tick                                   -               tee: 3 0 0 0
     1  gateway  reserve h2 bob tee 2                   granted         tee: 1 2 0 0
     1  order    commit h1                              gone            tee: 1 2 0 0
     1  order    release h2 bob                         released        tee: 3 0 0 0
     1  order    commit h1                              gone            tee: 3 0 0 0
    """)


def test_an_expired_hold_sells_again_only_within_the_limit():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
 10000  worker   tick                                   -               tee: 3 0 0 0
     1  gateway  reserve h2 ann tee 1                   granted         tee: 2 1 0 0
     1  order    commit h1                              gone            tee: 2 1 0 0
    """)


def test_an_expired_hold_sells_again_in_a_closed_pool():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  ops      close tee 2                            shut            tee: 1 2 0 0
 10000  worker   tick                                   -               tee: 3 0 0 0
     1  order    commit h1                              committed       tee: 1 0 2 0
     1  order    commit h1 ann                          committed       tee: 1 0 2 0
    """)


def test_before_an_expired_hold_is_gone_the_pools_due_holds_are_swept():
    sale(
        """
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
 10000  worker   tick                                   -               tee: 3 0 0 0
     1  gateway  reserve h2 bob tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h3 bob tee 1                   granted         tee: 1 2 0 0
  9999  gateway  reserve h4 cy tee 1                    granted         tee: 1 2 0 0
     1  order    commit h1                              committed       tee: 0 1 2 0
    """,
        Rules(sweep_max=1),
    )


def test_a_record_sweeps_moments_in_turn_up_to_the_limit_and_skips_what_is_held_no_more():
    sale(
        """
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h2 bob tee 1                   granted         tee: 1 2 0 0
     1  gateway  reserve h3 cy tee 1                    granted         tee: 0 3 0 0
     1  order    commit h2                              committed       tee: 0 2 1 0
  9998  worker   tick                                   -               tee: 1 1 1 0
     1  worker   tick                                   -               tee: 2 0 1 0
     1  gateway  reserve h4 ann tee 1                   granted         tee: 1 1 1 0
     1  gateway  reserve h5 bob tee 1                   granted         tee: 0 2 1 0
 10000  worker   tick                                   -               tee: 2 0 1 0
    """,
        Rules(sweep_max=2),
    )


def test_release_of_a_sale_brings_back_what_was_not_returned():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  order    commit h1 ann                          committed       tee: 1 0 2 0
     1  order    return h1 7 1 scrap                    returned        tee: 1 0 1 1
     1  order    release h1                             released        tee: 2 0 0 1
     1  order    release h1                             released        tee: 2 0 0 1
     1  order    return h1 7 1 scrap                    gone            tee: 2 0 0 1
    """)


def test_a_return_counts_once_by_its_reference():
    sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  order    commit h1 ann                          committed       tee: 1 0 2 0
     1  order    return h1 7 1 scrap                    returned        tee: 1 0 1 1
     1  order    return h1 7 1 scrap                    returned        tee: 1 0 1 1
     1  order    return h1 7 1 restock                  key-reused      tee: 1 0 1 1
     1  order    return h1 8 2 restock                  shortfall       tee: 1 0 1 1
     1  order    return h1 8 1 restock                  returned        tee: 2 0 0 1
     1  order    return h1 8 1 restock                  returned        tee: 2 0 0 1
     1  order    return h1 9 1 restock                  returned        tee: 2 0 0 1
     1  order    return h1 7 2 scrap                    key-reused      tee: 2 0 0 1
    """)


def test_extend_moves_the_deadline_and_never_past_fifteen_minutes_after_the_grant():
    # Granted at 1,000,001 for 10 s: the cap is 1,900,001.
    sale("""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     0  order    extend h1 5000                         extended        tee: 2 1 0 0
     0  order    extend h1 20000                        extended        tee: 2 1 0 0
 10000  worker   tick                                   -               tee: 2 1 0 0
     0  order    extend h1 9000000                      extended        tee: 2 1 0 0
889999  worker   tick                                   -               tee: 2 1 0 0
     1  worker   tick                                   -               tee: 3 0 0 0
     1  order    extend h1 1000                         expired         tee: 3 0 0 0
    """)


def test_a_release_that_comes_first_keeps_the_reserve_from_ever_being_granted():
    sale("""
     1  order    release h1 ann                         released        tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 1                   gone            tee: 3 0 0 0
899998  gateway  reserve h1 ann tee 1                   gone            tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
    """)


def test_a_refused_key_that_was_then_released_repeats_its_refusal_and_is_gone_after():
    sale("""
     1  gateway  reserve h1 ann tee 3                   limit-reached   tee: 3 0 0 0
     1  order    release h1 ann                         released        tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 3                   limit-reached!  tee: 3 0 0 0
150000  gateway  reserve h1 ann tee 3                   gone            tee: 3 0 0 0
    """)


def test_tombstones_are_bounded_per_customer_and_per_partition():
    sale(
        """
     1  order    release h1 ann                         released
     1  order    release h2 ann                         released
     1  order    release h3 ann                         busy
     1  order    release h4 bob                         released
     1  order    release h5 bob                         busy
     1  order    release h5                             busy
     1  order    release h1 ann                         released
899993  worker   tick                                   -
     0  order    release h3 ann                         busy
     1  order    release h3 ann                         released
    """,
        Rules(tombstones_max=3, tombstones_per_customer=2),
    )


def test_rows_leave_by_a_bounded_number_a_record():
    partition = sale(
        """
     1  order    release h1 ann                         released
     0  order    release h2 ann                         released
     0  order    release h3 ann                         released
900000  worker   tick                                   -
    """,
        Rules(prune_max=2),
    )
    assert len(partition.owner.rows) == 1
    partition.record()
    assert len(partition.owner.rows) == 0


@pytest.mark.parametrize(
    "end",
    [
        "1  order    release h1 ann                     released        tee: 3 0 0 0",
        "10000  worker   tick                           -               tee: 3 0 0 0",
    ],
    ids=["released", "expired"],
)
def test_an_ended_row_leaves_fifteen_minutes_after_its_end(end):
    partition = sale(f"""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
 {end}
899999  worker   tick                                   -               tee: 3 0 0 0
    """)
    assert len(partition.owner.rows) == 1
    partition.record(after_ms=1)
    assert len(partition.owner.rows) == 0
    partition.verify()


def test_a_returned_row_leaves_and_a_sold_one_never_does():
    partition = sale("""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     1  gateway  reserve h2 bob tee 1                   granted         tee: 1 2 0 0
     1  order    commit h1 ann                          committed       tee: 1 1 1 0
     1  order    commit h2 bob                          committed       tee: 1 0 2 0
     1  order    return h1 1 1 restock                  returned        tee: 2 0 1 0
900000  worker   tick                                   -               tee: 2 0 1 0
     1  order    return h1 1 1 restock                  gone            tee: 2 0 1 0
900000  gateway  reserve h2 bob tee 1                   granted!        tee: 2 0 1 0
     1  order    commit h2 bob                          committed       tee: 2 0 1 0
    """)
    assert not partition.owner.returns


def test_a_row_that_ended_twice_stays_for_fifteen_minutes_after_the_second_end():
    partition = sale("""
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
 10000  worker   tick                                   -               tee: 3 0 0 0
800000  order    release h1                             released        tee: 3 0 0 0
100001  worker   tick                                   -               tee: 3 0 0 0
    """)
    assert len(partition.owner.rows) == 1
    partition.record(after_ms=799_999)
    assert len(partition.owner.rows) == 0


def test_what_is_due_next_is_the_earliest_live_deadline():
    partition = sale("""
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     5  gateway  reserve h2 bob tee 1                   granted         tee: 1 2 0 0
    """)
    fold, state = partition.fold, partition.owner
    assert fold.due_at_ms(state) == 1_000_001 + 10_000
    again = play(
        SALE
        + """
     1  gateway  reserve h1 ann tee 1                   granted         tee: 2 1 0 0
     5  gateway  reserve h2 bob tee 1                   granted         tee: 1 2 0 0
     1  order    release h1 ann                         released        tee: 2 1 0 0
    """.lstrip("\n")
    )
    assert again.fold.due_at_ms(again.owner) == 1_000_006 + 10_000
    over = play(SALE + "     1  order    release h2 bob  released  tee: 3 0 0 0\n")
    assert over.fold.due_at_ms(over.owner) is None
