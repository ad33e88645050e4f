"""From the confirmed order to the parcel, and back: shipping, delivering, units that return, money that returns."""

from domain.order_rules import OrderRules
from tests.domain.order_scenario import play, step

CONFIRMED = """
        after  command                   answer  row              asks
        0      place o1 ann a:2@0,b:1@0  placed  CREATED N aa     reserve@0
        0      granted o1@0 1:100,2:300  noted   PENDING A1 hh    authorise1
        0      authorised o1#1 500       noted   PENDING H1 cc    commit/1 commit/2
        0      committed o1/1            noted   PENDING H1 sc    -
        0      committed o1/2            noted   PENDING C1 ss    capture1=500
        0      captured o1#1 500         noted   PAID K1 ss       confirm1=500
        0      booked o1                 noted   CONFIRMED K1 ss  -
"""
SHIPPED = CONFIRMED + "    0  ship o1  accepted  SHIPPED K1 ss  -\n"
DELIVERED = SHIPPED + "    0  deliver o1  accepted  DELIVERED K1 ss  -\n"


def test_an_order_is_shipped_and_delivered_unit_by_unit():
    play(
        CONFIRMED
        + """
        0  deliver o1      refused    CONFIRMED K1 ss  -  -
        0  ship o1 1 3     refused    CONFIRMED K1 ss  -  -
        0  ship o1 7 1     refused    CONFIRMED K1 ss  -  -
        0  ship o1 1 1     accepted   CONFIRMED K1 ss  -  -
        0  cancel o1 ann   refused    CONFIRMED K1 ss  -  -
        0  ship o1 1 1     accepted   CONFIRMED K1 ss  -  -
        0  ship o1 2 1     accepted   SHIPPED K1 ss    -  SHIPPED
        0  ship o1         accepted   SHIPPED K1 ss    -  -
        0  ship o1 2 1     refused    SHIPPED K1 ss    -  -
        0  deliver o1 1 2  accepted   SHIPPED K1 ss    -  -
        0  deliver o1 1 1  refused    SHIPPED K1 ss    -  -
        0  deliver o1      accepted   DELIVERED K1 ss  -  DELIVERED
        0  deliver o1      accepted   DELIVERED K1 ss  -  -
        0  cancel o1 ann   refused    DELIVERED K1 ss  -  -
        0  cancel o1 eve   not-yours  DELIVERED K1 ss  -  -
    """
    )


def test_a_parcel_may_arrive_before_the_next_one_leaves():
    play(
        CONFIRMED
        + """
        0  deliver o1      refused   CONFIRMED K1 ss
        0  ship o1 1 1     accepted  CONFIRMED K1 ss
        0  deliver o1 1 2  refused   CONFIRMED K1 ss
        0  deliver o1      accepted  CONFIRMED K1 ss
        0  deliver o1      refused   CONFIRMED K1 ss
        0  ship o1         accepted  SHIPPED K1 ss
        0  deliver o1 1 1  accepted  SHIPPED K1 ss
        0  deliver o1 1 1  refused   SHIPPED K1 ss
        0  deliver o1      accepted  DELIVERED K1 ss
    """
    )


def test_a_confirmed_order_that_is_cancelled_comes_back_whole():
    play(
        CONFIRMED
        + """
        0  cancel o1 ann  accepted  UNDO(CANCELLED) R1 rr  release/1 release/2 refund1=500
        0  refunded o1#1  noted     UNDO(CANCELLED) F1 rr  -                                -
        0  released o1/2  noted     UNDO(CANCELLED) F1 rx  -                                -
        0  released o1/1  noted     REFUNDED               -                                REFUNDED
    """
    )


def test_everything_is_sent_back_and_everything_is_refunded():
    play(
        DELIVERED
        + """
        0  return o1 k1 all 0 restock  accepted    RETURNING(REFUNDED) R1 tt  return/1*2 return/2*1 refund1=500
        0  cancel o1 ann               refused     RETURNING(REFUNDED) R1 tt  -                                  -
        0  return o1 k1 all 0 restock  accepted!   RETURNING(REFUNDED) R1 tt  -                                  -
        0  return o1 k1 all 0 scrap    key-reused  RETURNING(REFUNDED) R1 tt  key-reused                         -
        0  return o1 k2 1 1 restock    refused     RETURNING(REFUNDED) R1 tt  -                                  -
        0  returned o1/1 k1            noted       RETURNING(REFUNDED) R1 ut  -                                  -
        0  refunded o1#1               unchanged   RETURNING(REFUNDED) R1 ut  -                                  -
        0  refunded o1#1 k1            noted       RETURNING(REFUNDED) F1 ut  -                                  -
        0  returned o1/2 k1            noted       REFUNDED                   -
        0  return o1 k1 all 0 restock  accepted!   REFUNDED                   -                                  -
        0  return o1 k2 all 0 restock  refused     REFUNDED                   -                                  -
        0  refund o1 k1 5              key-reused  REFUNDED                   key-reused                         -
        0  cancel o1 ann               refused     REFUNDED                   -                                  -
    """
    )


def test_some_units_come_back_and_the_order_goes_on():
    partition = play(
        SHIPPED
        + """
        0  return o1 k1 1 3 restock  refused    SHIPPED K1 ss               -                       -
        0  return o1 k1 1 1 scrap    accepted   RETURNING(SHIPPED) R1 ts    return/1*1 refund1=100  REFUND_PENDING
        0  deliver o1                refused    RETURNING(SHIPPED) R1 ts    -                       -
        0  refunded o1#1 k1          noted      RETURNING(SHIPPED) K1 ts    -                       -
        0  returned o1/1 k1          noted      SHIPPED K1 ss               -                       SHIPPED
        0  return o1 k1 1 1 scrap    accepted!  SHIPPED K1 ss               -                       -
        0  deliver o1                accepted   DELIVERED K1 ss             -                       DELIVERED
        0  return o1 k2 1 1 restock  accepted   RETURNING(DELIVERED) R1 ts  return/1*1 refund1=100  REFUND_PENDING
        0  returned o1/1 k1          unchanged  RETURNING(DELIVERED) R1 ts  -                       -
        0  returned o1/1 k2          noted      RETURNING(DELIVERED) R1 us  -                       -
        0  refunded o1#1 k2          noted      DELIVERED K1 us             -                       DELIVERED
        0  return o1 k3 1 1 restock  refused    DELIVERED K1 us             -                       -
        0  return o1 k4 2 1 restock  accepted   RETURNING(REFUNDED) R1 ut   return/2*1 refund1=300  REFUND_PENDING
        0  refunded o1#1 k4          noted      RETURNING(REFUNDED) F1 ut   -                       -
        0  returned o1/2 k4          noted      REFUNDED                    -                       REFUNDED
    """
    )
    assert partition.events()[-1].refunded == 500


def test_money_goes_back_without_goods():
    play(
        DELIVERED
        + """
        0  refund o1 k1 501  refused     DELIVERED K1 ss             -            -
        0  refund o1 k1 200  accepted    RETURNING(DELIVERED) R1 ss  refund1=200  REFUND_PENDING
        0  refunded o1#1 k1  noted       DELIVERED K1 ss             -            DELIVERED
        0  refund o1 k1 200  accepted!   DELIVERED K1 ss             -            -
        0  refund o1 k1 201  key-reused  DELIVERED K1 ss             key-reused   -
        0  refund o1 k2 301  refused     DELIVERED K1 ss             -            -
        0  refund o1 k2 300  accepted    RETURNING(REFUNDED) R1 ss   refund1=300  REFUND_PENDING
        0  refunded o1#1 k2  noted       REFUNDED                    -            REFUNDED
        0  refund o1 k2 300  accepted!   REFUNDED                    -            -
    """
    )


def test_why_money_goes_back_is_told_until_goods_move():
    partition = play(SHIPPED)
    step(partition, 0, "refund o1 k1 100 damaged")
    assert [event.reason for event in partition.events()] == ["damaged"]
    step(partition, 0, "refunded o1#1 k1")
    assert [(event.to, event.reason) for event in partition.events()] == [("SHIPPED", "damaged")]
    step(partition, 0, "deliver o1")
    assert [(event.to, event.reason) for event in partition.events()] == [("DELIVERED", "")]


def test_what_was_refunded_before_is_not_refunded_again_when_the_goods_come_back():
    play(
        DELIVERED
        + """
        0  refund o1 k1 350            accepted   RETURNING(DELIVERED) R1 ss    refund1=350
        0  refunded o1#1 k1            noted      DELIVERED K1 ss               -
        0  return o1 k2 1 1 restock    accepted   RETURNING(DELIVERED) R1 ts    return/1*1 refund1=100
        0  refunded o1#1 k2            noted      RETURNING(DELIVERED) K1 ts    -
        0  returned o1/1 k2            noted      DELIVERED K1 ss               -
        0  return o1 k3 1 1 restock    accepted   RETURNING(REFUNDED) R1 ts     return/1*1 refund1=50
    """
    )


def test_an_order_whose_money_is_all_back_is_refunded_though_goods_are_out():
    play(
        DELIVERED
        + """
        0  refund o1 k1 300          accepted  RETURNING(DELIVERED) R1 ss  refund1=300
        0  refunded o1#1 k1          noted     DELIVERED K1 ss             -
        0  return o1 k2 2 1 restock  accepted  RETURNING(REFUNDED) R1 st   return/2*1 refund1=200
        0  returned o1/2 k2          noted     RETURNING(REFUNDED) R1 su   -
        0  refunded o1#1 k2          noted     REFUNDED                    -
    """
    )


def test_an_order_has_a_bounded_number_of_returns_and_refunds():
    play(
        DELIVERED
        + """
        0  refund o1 k1 1    accepted   RETURNING(DELIVERED) R1 ss  refund1=1
        0  refunded o1#1 k1  noted      DELIVERED K1 ss             -
        0  refund o1 k2 1    refused    DELIVERED K1 ss             -
        0  refund o1 k1 1    accepted!  DELIVERED K1 ss             -
        """,
        OrderRules(movements_max=1),
    )


def test_an_operator_settles_a_refund_that_nobody_answers():
    play(
        SHIPPED
        + """
        0      return o1 k1 1 1 restock  accepted  RETURNING(SHIPPED) R1 ts  return/1*1 refund1=100
        30000  tick                      -         RETURNING(SHIPPED) R1 ts  return/1*1+ refund1=100+
        0      settle o1 refunded        accepted  RETURNING(SHIPPED) K1 ts  -
        0      returned o1/1 k1          noted     SHIPPED K1 ss             -
        0      settle o1 refunded        refused   SHIPPED K1 ss             -
    """
    )


def test_the_method_leaves_the_row_when_the_order_is_confirmed():
    row = play(CONFIRMED).get(b"o1".ljust(16, b"."))
    assert (row.method, row.next_method, row.action, row.intent) == ("", "", "", "pi_1")
