"""Looks at an intent that somebody hinted at, and orphans: money that no living order knows."""

from tests.domain.payment_scenario import play


def test_a_look_tells_what_the_order_waits_for_and_nothing_else():
    for waits, status, end in (
        ("authorise", "requires_capture", "done authorised pi 500"),
        ("authorise", "requires_payment_method", "done declined pi no-money"),
        ("authorise", "canceled", "done cancelled pi"),
        ("authorise", "processing", "done nothing pi processing"),
        ("capture", "requires_capture", "done nothing pi requires_capture"),
        ("capture", "succeeded:400", "done captured pi 400"),
        ("capture", "canceled", "done failed pi canceled"),
        ("void", "requires_capture", "done nothing pi requires_capture"),
        ("void", "canceled", "done voided pi 500"),
        ("void", "succeeded", "done captured pi 500"),
    ):
        play(f"look intent=pi waits={waits}\nretrieve pi -> {status}\n{end}")
    play("look intent=pi\ndone nothing nothing is waited for")
    play("look intent=pi waits=refund\ndone nothing nothing is waited for")
    play("look waits=authorise\ndone nothing nothing is waited for")
    play("look intent=pi_other waits=authorise\nretrieve pi_other -> other\ndone nothing pi_other not this order's")
    play("look intent=pi waits=authorise\nretrieve pi -> refused resource_missing\ndone nothing pi not this order's")


def test_a_look_at_a_provider_that_is_away_ends():
    play("""
        look intent=pi waits=authorise
        retrieve pi -> unknown
        wait 2000
        retrieve pi -> unknown
        wait 4000
        retrieve pi -> unknown
        wait 8000
        retrieve pi -> unknown
        done nothing pi not this order's
    """)


def test_money_without_a_living_order_is_voided_or_refunded_by_keys_of_its_own():
    for status in ("requires_capture", "requires_action", "requires_payment_method", "requires_confirmation"):
        amount = " 500" if status == "requires_capture" else ""
        play(f"""
            orphan intent=pi
            retrieve pi -> {status}
            cancel void:orphan:pi -> canceled
            retrieve pi -> canceled
            done voided pi{amount}
        """)
    play("""
        orphan intent=pi
        retrieve pi -> succeeded:500:200
        refund 300 refund:orphan:pi -> refund succeeded
        retrieve pi -> succeeded:500:500
        done refunded pi 300
    """)
    play("""
        orphan intent=pi
        retrieve pi -> requires_capture
        cancel void:orphan:pi -> refused late
        retrieve pi -> succeeded
        wait 2000
        refund 500 refund:orphan:pi -> unknown
        retrieve pi -> succeeded:500:500
        done refunded pi 500
    """)


def test_what_is_no_orphan_is_left_alone():
    play("orphan intent=pi\nretrieve pi -> canceled\ndone nothing pi nothing is alive")
    play("orphan intent=pi\nretrieve pi -> succeeded:500:500\ndone nothing pi nothing is alive")
    play("orphan intent=pi\nretrieve pi -> refused resource_missing\ndone nothing pi not this order's")
    play("orphan intent=pi_other\nretrieve pi_other -> other\ndone nothing pi_other not this order's")
