"""From money asked for to money taken, and every way in which it is not."""

from domain.order_rules import OrderRules
from tests.domain.order_scenario import play


def test_money_is_captured_only_after_every_line_is_committed():
    play("""
        after  command                   answer     row              asks               shown
        0      place o1 ann a:1@0,b:1@1  placed     CREATED N aw     reserve@0          CREATED
        0      granted o1@0 1:100        noted      CREATED N ha     reserve@1          -
        0      granted o1@1 2:300        noted      PENDING A1 hh    authorise1         RESERVED PAYMENT_PENDING
        0      authorised o1#1 400       noted      PENDING H1 cc    commit/1 commit/2  -
        0      committed o1/2            noted      PENDING H1 cs    -                  -
        0      committed o1/2            unchanged  PENDING H1 cs    -                  -
        0      captured o1#1 400         unchanged  PENDING H1 cs    -                  -
        0      committed o1/1            noted      PENDING C1 ss    capture1=400       -
        0      captured o1#1 400         noted      PAID K1 ss       confirm1=400       PAID
        0      booked o1                 noted      CONFIRMED K1 ss  -                  CONFIRMED
    """)


def test_no_deadline_applies_once_the_money_is_there():
    play("""
        after   command            answer  row           asks
        0       born o1 ann tee 1  born    PENDING A1 h  authorise1
        29999   tick               -       -             -
        270000  authorised o1#1    noted   PENDING H1 c  authorise1+ commit/0
        900000  tick               -       PENDING H1 c  commit/0+
        0       committed o1/0     noted   PENDING C1 s  capture1=500
        900000  tick               -       PENDING C1 s  capture1=500+
    """)


def test_a_declined_card_is_voided_and_another_method_is_waited_for_with_the_same_deadline():
    partition = play("""
        after  command                 answer     row                   asks             shown
        0      born o1 ann tee 1       born       PENDING A1 h          authorise1
        0      declined o1#1 why=no    noted      PENDING W1 h          void1            -
        0      voided o1#1             noted      PENDING N1 h          -                -
        0      authorised o1#1         unchanged  PENDING N1 h          -                -
        1000   method o1 bob pm_2      not-yours  PENDING N1 h          -                -
        0      method o1 ann pm_2      accepted   PENDING A2 h          authorise2       -
        0      authorised o1#1         unchanged  PENDING A2 h          -                -
        0      cancelled o1#2          noted      PENDING W2 h          void2            -
        0      method o1 ann pm_3      accepted   PENDING W2 h          -                -
        0      voided o1#2             noted      PENDING A3 h          authorise3       -
        0      declined o1#3 why=poor  noted      UNDO(CANCELLED) V3 r  release/0 void3  -
        0      voided o1#3             noted      UNDO(CANCELLED) X3 r  -                -
        0      released o1/0           noted      CANCELLED             -                CANCELLED
    """)
    assert partition.events()[-1].reason == "poor"


def test_an_order_that_waits_for_a_method_expires_at_its_first_deadline():
    play("""
        after   command             answer   row                 asks        shown
        0       born o1 ann tee 1   born     PENDING A1 h        authorise1
        0       declined o1#1       noted    PENDING W1 h        void1
        0       voided o1#1         noted    PENDING N1 h        -
        299999  tick                -        -                   -
        1       tick                -        UNDO(EXPIRED) X1 r  release/0   -
        0       method o1 ann pm_2  refused  UNDO(EXPIRED) X1 r  -           -
        0       released o1/0       noted    EXPIRED             -           EXPIRED
    """)


def test_a_method_that_comes_while_an_attempt_runs_is_kept_for_the_next():
    play("""
        after  command             answer    row           asks
        0      born o1 ann tee 1   born      PENDING A1 h  authorise1
        0      method o1 ann pm_1  accepted  PENDING A1 h  -
        0      method o1 ann pm_2  accepted  PENDING A1 h  -
        0      method o1 ops pm_3  accepted  PENDING A1 h  -
        0      declined o1#1       noted     PENDING W1 h  void1
        0      voided o1#1         noted     PENDING A2 h  authorise2
    """)


def test_the_same_method_again_is_no_other_one():
    play("""
        after  command             answer    row             asks
        0      born o1 ann tee 1   born      PENDING A1 h    authorise1
        0      declined o1#1       noted     PENDING W1 h    void1
        0      method o1 ann pm_1  accepted  PENDING W1 h    -
        0      voided o1#1         noted     PENDING N1 h    -
        0      method o1 ann pm_1  accepted  PENDING A2 h    authorise2
    """)


def test_the_customer_acts_and_the_attempt_goes_on():
    partition = play("""
        after  command               answer     row           asks         shown
        0      born o1 ann tee 1     born       PENDING A1 h  authorise1
        0      action o1#1 go=there  noted      PENDING A1 h  -            -
        0      action o1#1 go=there  unchanged  PENDING A1 h  -            -
        0      hint o1#1             noted      PENDING A1 h  look1        -
        30000  tick                  -          PENDING A1 h  authorise1+  -
        0      authorised o1#1       noted      PENDING H1 c  commit/0     -
    """)
    assert [event.action for event in partition.events()] == [""]


def test_a_queued_payment_keeps_its_holds_for_fourteen_minutes_at_most():
    partition = play("""
        after   command             answer     row                 asks
        0       born o1 ann tee 1   born       PENDING A1 h        authorise1
        0       queued o1#1 300000  unchanged  PENDING A1 h        -
        0       queued o1#1 400000  noted      PENDING A1 h        extend/0
        0       extended o1/0       unchanged  PENDING A1 h        -
        0       queued o1#2 500000  unchanged  PENDING A1 h        -
        400000  queued o1#1 900000  unchanged  UNDO(EXPIRED) V1 r  release/0 void1
    """)
    partition = play("""
        after  command             answer  row           asks
        0      born o1 ann tee 1   born    PENDING A1 h  authorise1
        0      queued o1#1 900000  noted   PENDING A1 h  extend/0
    """)
    (event,) = partition.events()
    assert event.deadline_ms == partition.clk + 14 * 60_000
    assert event.asks[0].until_ms == partition.clk + 15 * 60_000


def test_a_hold_that_is_gone_undoes_the_order():
    play("""
        after  command                   answer     row                  asks                       shown
        0      place o1 ann a:1@0,b:1@0  placed     CREATED N aa         reserve@0
        0      granted o1@0 1:100,2:300  noted      PENDING A1 hh        authorise1
        0      authorised o1#1           noted      PENDING H1 cc        commit/1 commit/2
        0      busy-commit o1/1          unchanged  PENDING H1 cc        -
        0      committed o1/1            noted      PENDING H1 sc        -
        0      gone o1/2                 noted      UNDO(EXPIRED) V1 rr  release/1 release/2 void1  -
        0      released o1/1             noted      UNDO(EXPIRED) V1 xr  -                          -
        0      voided o1#1               noted      UNDO(EXPIRED) X1 xr  -                          -
        0      released o1/2             noted      EXPIRED              -                          EXPIRED
    """)


def test_a_partial_order_goes_on_without_a_line_that_is_gone():
    partition = play("""
        after  command                                 answer  row             asks
        0      place o1 ann a:1@0,b:1@0,c:1@0 partial  placed  CREATED N aaa   reserve@0
        0      granted o1@0 1:100,2:300,3:50           noted   PENDING A1 hhh  authorise1
        0      authorised o1#1 450                     noted   PENDING H1 ccc  commit/1 commit/2 commit/3
        0      committed o1/1                          noted   PENDING H1 scc  -
        0      gone o1/2                               noted   PENDING H1 sxc  -
        0      committed o1/3                          noted   PENDING C1 sxs  capture1=150
    """)
    (ask,) = partition.events()[-1].asks
    assert (ask.authorised, ask.amount) == (450, 150)
    play("""
        after  command                           answer  row                  asks
        0      place o1 ann a:1@0,b:1@0 partial  placed  CREATED N aa         reserve@0
        0      granted o1@0 1:100,2:300          noted   PENDING A1 hh        authorise1
        0      authorised o1#1 400               noted   PENDING H1 cc        commit/1 commit/2
        0      gone o1/1                         noted   PENDING H1 xc        -
        0      gone o1/2                         noted   UNDO(EXPIRED) V1 xr  release/2 void1
    """)


def test_a_capture_that_failed_undoes_the_order_and_one_that_was_late_is_refunded():
    play("""
        after  command            answer    row                   asks             shown
        0      born o1 ann tee 1  born      PENDING A1 h          authorise1
        0      authorised o1#1    noted     PENDING H1 c          commit/0
        0      committed o1/0     noted     PENDING C1 s          capture1=500
        0      failed o1#1        noted     UNDO(CANCELLED) V1 r  release/0 void1  -
        0      captured o1#1 500  noted     UNDO(CANCELLED) R1 r  refund1=500      REFUND_PENDING
        0      refunded o1#1      noted     UNDO(CANCELLED) F1 r  -                -
        0      released o1/0      noted     REFUNDED              -                REFUNDED
        0      cancel o1 ann      accepted  REFUNDED              -                -
    """)


def test_a_void_that_comes_too_late_becomes_a_refund():
    play("""
        after  command                 answer     row                   asks             shown
        0      born o1 ann tee 1       born       PENDING A1 h          authorise1
        0      cancel o1 ann           accepted   UNDO(CANCELLED) V1 r  release/0 void1  -
        0      authorised o1#1         unchanged  UNDO(CANCELLED) V1 r  -                -
        0      void-captured o1#1 500  noted      UNDO(CANCELLED) R1 r  refund1=500      REFUND_PENDING
        0      released o1/0           noted      UNDO(CANCELLED) R1 x  -                -
        0      refunded o1#1           noted      REFUNDED              -                REFUNDED
    """)


def test_a_failed_attempt_that_has_money_against_all_rules_gives_it_back():
    play("""
        after  command                 answer  row                   asks                   shown
        0      born o1 ann tee 1       born    PENDING A1 h          authorise1
        0      declined o1#1           noted   PENDING W1 h          void1
        0      void-captured o1#1 500  noted   UNDO(CANCELLED) R1 r  release/0 refund1=500  REFUND_PENDING
    """)


def test_a_cancel_while_a_failed_attempt_is_voided_does_not_ask_for_the_void_again():
    play("""
        after  command            answer    row                   asks        shown
        0      born o1 ann tee 1  born      PENDING A1 h          authorise1
        0      declined o1#1      noted     PENDING W1 h          void1
        0      cancel o1 ann      accepted  UNDO(CANCELLED) V1 r  release/0   -
    """)


def test_a_paid_order_that_is_cancelled_is_refunded_in_full():
    play("""
        after  command             answer     row                   asks                    shown
        0      born o1 ann tee 2   born       PENDING A1 h          authorise1
        0      authorised o1#1     noted      PENDING H1 c          commit/0
        0      committed o1/0      noted      PENDING C1 s          capture1=1000
        0      captured o1#1 1000  noted      PAID K1 s             confirm1=1000           PAID
        0      cancel o1 bob       not-yours  PAID K1 s             -                       -
        0      cancel o1 ann       accepted   UNDO(CANCELLED) R1 r  release/0 refund1=1000  REFUND_PENDING
        0      booked o1           unchanged  UNDO(CANCELLED) R1 r  -                       -
        0      released o1/0       noted      UNDO(CANCELLED) R1 x  -                       -
        0      refunded o1#1       noted      REFUNDED              -                       REFUNDED
    """)


def test_an_operator_settles_what_an_agent_could_not_find_out():
    to_capture = """
        after  command             answer   row           asks
        0      born o1 ann tee 1   born     PENDING A1 h  authorise1
        0      settle o1 captured  refused  PENDING A1 h  -
        0      authorised o1#1     noted    PENDING H1 c  commit/0
        0      settle o1 captured  refused  PENDING H1 c  -
        0      committed o1/0      noted    PENDING C1 s  capture1=500
    """
    play(to_capture + "    0  settle o1 captured  accepted  PAID K1 s  confirm1=500")
    play(to_capture + "    0  settle o1 voided    accepted  UNDO(CANCELLED) X1 r  release/0")
    play(to_capture + "    0  settle o1 refunded  accepted  UNDO(CANCELLED) F1 r  release/0")
    to_void = to_capture + "    0  cancel o1 ann  accepted  UNDO(CANCELLED) V1 r  release/0 void1\n"
    play(to_void + "    0  settle o1 voided    accepted  UNDO(CANCELLED) X1 r  -")
    play(to_void + "    0  settle o1 refunded  accepted  UNDO(CANCELLED) F1 r  -")
    to_refund = to_void + "    0  settle o1 captured  accepted  UNDO(CANCELLED) R1 r  refund1=500\n"
    play(to_refund + "    0  settle o1 voided    refused   UNDO(CANCELLED) R1 r  -")
    play(to_refund + "    0  settle o1 refunded  accepted  UNDO(CANCELLED) F1 r  -")


def test_a_capture_of_an_intent_that_nobody_knows_is_not_settled_and_who_settles_is_told():
    partition = play("""
        after  command              answer    row                      asks
        0      born o1 ann tee 1    born      PENDING A1 h             authorise1
        0      cancel o1 ann        accepted  UNDO(CANCELLED) V1 r     release/0 void1
        0      settle o1 captured   refused   UNDO(CANCELLED) V1 r     -
        0      settle o1 refunded   accepted  UNDO(CANCELLED) F1 r     -
    """)
    assert [event.reason for event in partition.events()] == ["settled by olga: case 1"]


def test_what_is_not_answered_is_asked_again_after_thirty_seconds_then_a_minute_up_to_ten_minutes():
    partition = play("""
        after  command            answer    row                   asks
        0      born o1 ann tee 1  born      PENDING A1 h          authorise1
        29999  tick               -         -                     -
        1      tick               -         PENDING A1 h          authorise1+
        59999  tick               -         -                     -
        1      cancel o1 ann      accepted  UNDO(CANCELLED) V1 r  authorise1+ release/0 void1
        15000  released o1/0      noted     UNDO(CANCELLED) V1 x  -
        14999  tick               -         -                     -
        1      tick               -         UNDO(CANCELLED) V1 x  void1+
    """)
    waits = []
    for _ in range(7):
        due = partition.fold.due_at_ms(partition.owner)
        waits.append(due - partition.clk)
        partition.record(after_ms=due - partition.clk)
    assert waits == [60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]
    (ask,) = partition.events()[-1].asks
    assert ask.asked_ms == 1_090_000  # the first asking of the void, however often it was repeated


def test_deadlines_are_swept_before_commands_and_both_sweeps_are_bounded():
    rules = OrderRules(sweep_max=2, resume_max=1)
    partition = play(
        """
        after   command            answer     row                 asks
        0       born o3 ann tee 1  born       PENDING A1 h        authorise1
        0       born o2 ann tee 1  born       PENDING A1 h        authorise1
        0       born o1 ann tee 1  born       PENDING A1 h        authorise1
        300000  authorised o1#1    unchanged  UNDO(EXPIRED) V1 r  release/0 void1 release/0 void1 authorise1+
        0       tick               -          UNDO(EXPIRED) V1 r  release/0 void1
        """,
        rules,
    )
    assert partition.fold.due_at_ms(partition.owner) == partition.clk + 30_000


def test_a_hint_is_looked_up_or_is_an_orphan():
    play("""
        after  command            answer     row                   asks
        0      hint o1#1          noted      -                     orphan1
        0      cancel o2 ann      accepted   EARLY
        0      hint o2#1          noted      EARLY                 orphan1
        0      born o1 ann tee 1  born       PENDING A1 h          authorise1
        0      hint o1#1          noted      PENDING A1 h          look1
        0      hint o1#2          noted      PENDING A1 h          orphan2
        0      authorised o1#1    noted      PENDING H1 c          commit/0
        0      hint o1#1          unchanged  PENDING H1 c          -
        0      hint o1#1 pi_9     noted      PENDING H1 c          orphan1
        0      committed o1/0     noted      PENDING C1 s          capture1=500
        0      hint o1#1          noted      PENDING C1 s          look1
        0      captured o1#1      noted      PAID K1 s             confirm1=500
        0      hint o1#1          unchanged  PAID K1 s             -
        0      cancel o1 ann      accepted   UNDO(CANCELLED) R1 r  release/0 refund1=500
        0      hint o1#1          noted      UNDO(CANCELLED) R1 r  look1
        0      refunded o1#1      noted      UNDO(CANCELLED) F1 r  -
        0      hint o1#1          unchanged  UNDO(CANCELLED) F1 r  -
        0      released o1/0      noted      REFUNDED              -
        0      hint o1#1          noted      REFUNDED              orphan1
        0      orphan o1#1        noted      REFUNDED              orphan-closed
    """)


def test_answers_and_wishes_for_orders_that_nobody_knows_change_nothing():
    play("""
        after  command                  answer         row  asks  shown
        0      authorised o1#1          unchanged      -    -     -
        0      committed o1/0           unchanged      -    -     -
        0      granted o1@0 1:100       unchanged      -    -     -
        0      booked o1                unchanged      -    -     -
        0      queued o1#1 9            unchanged      -    -     -
        0      method o1 ann pm_1       unknown-order  -    -     -
        0      ship o1                  unknown-order  -    -     -
        0      deliver o1               unknown-order  -    -     -
        0      return o1 k all 0 scrap  unknown-order  -    -     -
        0      refund o1 k 5            unknown-order  -    -     -
        0      settle o1 voided         unknown-order  -    -     -
    """)
