"""How an order starts: born of a granted line, placed with several, or cancelled before either."""

from domain.order_rules import OrderRules
from tests.domain.order_scenario import play


def test_a_born_order_pays_at_once():
    play("""
        after  command            answer     row           asks        shown
        0      born o1 ann tee 2  born       PENDING A1 h  authorise1  CREATED RESERVED PAYMENT_PENDING
        0      born o1 ann tee 2  unchanged  PENDING A1 h  -           -
    """)


def test_an_order_born_without_a_method_waits_for_one():
    play("""
        after  command                 answer    row           asks        shown
        0      born o1 ann tee 2 pay=  born      PENDING N h   -           CREATED RESERVED
        10     method o1 ann pm_1      accepted  PENDING A1 h  authorise1  PAYMENT_PENDING
    """)


def test_an_order_for_which_no_method_comes_expires_after_five_minutes():
    play("""
        after   command                 answer  row                asks       shown
        0       born o1 ann tee 2 pay=  born    PENDING N h        -          CREATED RESERVED
        299999  tick                    -       -                  -          -
        1       tick                    -       UNDO(EXPIRED) X r  release/0  -
        0       released o1/0           noted   EXPIRED            -          EXPIRED
    """)


def test_an_order_born_five_seconds_before_its_hold_ends_is_none():
    play("""
        after  command                      answer    row                 asks             shown
        0      born o1 ann tee 1 hold=5000  too-late  -                   release/0        -
        0      born o1 ann tee 1 hold=5001  born      PENDING A1 h        authorise1
        1      tick                         -         UNDO(EXPIRED) V1 r  release/0 void1  -
    """)


def test_a_key_with_other_content_or_another_decision_releases_that_hold_and_changes_nothing():
    play("""
        after  command                             answer      row                   asks                  shown
        0      born o1 ann tee 1                   born        PENDING A1 h
        0      born o1 ann tee 1 content=g         key-reused  PENDING A1 h          release/0 key-reused  -
        0      born o1 ann tee 1 at=78             key-reused  PENDING A1 h          release/0 key-reused  -
        0      place o1 ann a:1@0,b:1@1 content=g  key-reused  PENDING A1 h          key-reused            -
        0      cancel o1 ann                       accepted    UNDO(CANCELLED) V1 r
        0      released o1/0                       noted       UNDO(CANCELLED) V1 x
        0      voided o1#1                         noted       CANCELLED             -                     CANCELLED
        0      born o1 ann tee 1                   unchanged   CANCELLED             -                     -
        0      born o1 ann tee 1 at=78             key-reused  CANCELLED             release/0 key-reused  -
    """)


def test_partitions_are_asked_in_ascending_order_each_when_the_one_before_was_granted():
    play("""
        after  command                         answer     row             asks        shown
        0      place o1 ann a:1@3,b:2@0,c:1@3  placed     CREATED N waw   reserve@0   CREATED
        0      place o1 ann a:1@3,b:2@0,c:1@3  placed!    CREATED N waw   -           -
        0      granted o1@3 1:500,3:500        unchanged  CREATED N waw   -           -
        0      granted o1@0 2:100              noted      CREATED N aha   reserve@3   -
        0      granted o1@0 2:100              unchanged  CREATED N aha   -           -
        0      granted o1@3 1:500,3:500        noted      PENDING A1 hhh  authorise1  RESERVED PAYMENT_PENDING
    """)


def test_a_refusal_releases_what_is_held_and_asks_nobody_else():
    partition = play("""
        after  command                                             answer  row                    asks       shown
        0      place o1 ann a:1@0,b:1@1,c:1@1,d:1@2                placed  CREATED N awww         reserve@0  CREATED
        0      granted o1@0 1:100                                  noted   CREATED N haaw         reserve@1
        0      refused o1@1 sold-out 2:sold-out,3:sibling-refused  noted   UNDO(REJECTED) X rxxx  release/1  -
        0      released o1/1                                       noted   REJECTED               -          REJECTED
    """)
    assert partition.events()[-1].reason == "sold-out"


def test_an_order_all_of_whose_lines_are_refused_at_once_is_rejected_at_once():
    partition = play("""
        after  command                   answer     row           asks       shown
        0      place o1 ann a:1@0,b:1@1  placed     CREATED N aw  reserve@0  CREATED
        0      refused o1@0 unknown-sku  noted      REJECTED      -          REJECTED
        0      granted o1@1 2:100        unchanged  REJECTED      -          -
    """)
    assert partition.get(b"o1".ljust(16, b".")).version == 2


def test_a_partial_order_takes_what_it_gets():
    partition = play("""
        after  command                                 answer  row             asks        shown
        0      place o1 ann a:2@0,b:1@0,c:1@1 partial  placed  CREATED N aaw   reserve@0   CREATED
        0      granted o1@0 1:500 refused=2:sold-out   noted   CREATED N hxa   reserve@1   -
        0      refused o1@1 all-held 3:all-held        noted   PENDING A1 hxx  authorise1  RESERVED PAYMENT_PENDING
    """)
    assert partition.events()[-1].amount == 1_000
    play("""
        after  command                           answer  row           asks       shown
        0      place o1 ann a:2@0,b:1@1 partial  placed  CREATED N aw  reserve@0  CREATED
        0      refused o1@0 sold-out             noted   CREATED N xa  reserve@1  -
        0      refused o1@1 closed               noted   REJECTED      -          REJECTED
    """)


def test_an_answer_of_stock_that_decided_nothing_changes_nothing():
    play("""
        after  command                   answer     row           asks        shown
        0      place o1 ann a:1@0,b:1@1  placed     CREATED N aw  reserve@0   CREATED
        0      refused o1@0 busy         unchanged  CREATED N aw  -           -
        0      refused o1@0 fault        unchanged  CREATED N aw  -           -
        30000  tick                      -          CREATED N aw  reserve@0+  -
    """)


def test_lines_of_two_currencies_are_no_order():
    partition = play("""
        after  command                           answer  row                  asks                 shown
        0      place o1 ann a:1@0,b:1@1 partial  placed  CREATED N aw         reserve@0            CREATED
        0      granted o1@0 1:100                noted   CREATED N ha         reserve@1            -
        0      granted o1@1 2:100 currency=USD   noted   UNDO(REJECTED) X rr  release/1 release/2  -
    """)
    assert partition.events()[-1].reason == "mixed-currencies"


def test_an_order_that_costs_more_than_there_is_room_for_is_rejected():
    play("""
        after  command                           answer  row                  asks
        0      place o1 ann a:65535@0,b:1@0      placed  CREATED N aa         reserve@0
        0      granted o1@0 1:1000000000000,2:1  noted   UNDO(REJECTED) X rr  release/1 release/2
    """)


def test_a_placed_order_whose_first_hold_ends_too_soon_expires():
    play("""
        after  command                       answer  row                 asks
        0      place o1 ann a:1@0,b:1@1      placed  CREATED N aw        reserve@0
        0      granted o1@0 1:100 hold=9000  noted   CREATED N ha        reserve@1
        5000   granted o1@1 2:100            noted   UNDO(EXPIRED) X rr  release/1 release/2
    """)


def test_a_created_order_expires_and_what_was_only_asked_is_released_too():
    play("""
        after   command                   answer     row                 asks       shown
        0       place o1 ann a:1@0,b:1@1  placed     CREATED N aw        reserve@0  CREATED
        300000  tick                      -          UNDO(EXPIRED) X rx  release/1  -
        0       granted o1@0 1:100        unchanged  UNDO(EXPIRED) X rx  -          -
        0       released o1/1             noted      EXPIRED             -          EXPIRED
    """)


def test_a_place_after_its_time_is_too_late_and_leaves_nothing():
    play("""
        after  command                            answer    row           asks       shown
        0      place o1 ann a:1@0,b:1@1 until=-1  too-late  -             -          -
        0      place o1 ann a:1@0,b:1@1 until=0   placed    CREATED N aw  reserve@0  CREATED
    """)


def test_a_cancel_before_birth_undoes_the_order_when_it_comes():
    play("""
        after  command                   answer     row                  asks       shown
        0      cancel o1 ann             accepted   EARLY                -          CANCELLED
        0      cancel o1 ann             accepted   EARLY                -          -
        0      cancel o1 bob             not-yours  EARLY                -          -
        0      born o1 ann tee 1         born       UNDO(CANCELLED) X r  release/0  -
        0      released o1/0             noted      CANCELLED            -          -
        0      cancel o2 ann             accepted   EARLY
        0      place o2 ann a:1@0,b:1@1  placed     CANCELLED            -          -
        0      place o2 ann a:1@0,b:1@1  placed!    CANCELLED            -          -
        0      cancel o3 ops             accepted   EARLY
        0      born o3 ann tee 1         born       UNDO(CANCELLED) X r  release/0  -
    """)


def test_a_stranger_who_cancels_an_order_before_its_birth_cancels_nothing():
    play("""
        after  command                   answer    row           asks        shown
        0      cancel o1 eve             accepted  EARLY         -           CANCELLED
        0      born o1 ann tee 1         born      PENDING A1 h  authorise1  CREATED RESERVED PAYMENT_PENDING
        0      cancel o2 eve             accepted  EARLY         -           CANCELLED
        0      place o2 ann a:1@0,b:1@1  placed    CREATED N aw  reserve@0   CREATED
    """)


def test_early_cancels_are_forgotten_after_an_hour_and_bounded():
    play(
        """
        after    command            answer    row           asks        shown
        0        cancel o1 ann      accepted  EARLY         -           CANCELLED
        0        cancel o2 ann      accepted  EARLY         -           CANCELLED
        0        cancel o3 ann      busy      -             -           -
        0        cancel o3 bob      accepted  EARLY         -           CANCELLED
        0        cancel o4 ops      busy      -             -           -
        3599999  cancel o5 ann      busy      -             -           -
        1        born o1 ann tee 1  born      PENDING A1 h  authorise1  CREATED RESERVED PAYMENT_PENDING
        0        cancel o5 ann      accepted  EARLY         -           CANCELLED
        """,
        OrderRules(early_per_customer=2, early_max=3),
    )
