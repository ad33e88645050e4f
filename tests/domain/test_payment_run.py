"""Every reply at every step of a payment run, as tables; see payment_scenario.py for their language."""

import pytest

from domain.orders import Ask
from domain.payment_ask import Patience, PayAsk, Wait
from domain.payment_run import Run
from domain.provider import Create, Limited, Retrieve, Tags, Unknown
from tests.domain.payment_scenario import NOW_MS, play


def test_an_intent_in_each_status_says_what_became_of_the_authorisation():
    for status, end in (
        ("requires_capture", "done authorised pi 500"),
        ("succeeded", "done authorised pi 500"),
        ("requires_action", "done action-required pi 500 https://bank"),
        ("requires_payment_method", "done declined pi no-money"),
        ("canceled", "done cancelled pi"),
    ):
        play(f"authorise\ncreate authorise -> {status}\n{end}")


def test_an_authorisation_that_is_being_processed_is_looked_at_until_it_is_over():
    play("""
        authorise
        create authorise -> processing
        wait 2000
        retrieve pi -> processing
        wait 4000
        retrieve pi -> requires_confirmation
        wait 8000
        retrieve pi -> requires_capture
        done authorised pi 500
    """)


def test_a_refusal_of_the_first_create_is_final():
    play("""
        authorise
        create authorise -> refused amount_too_small
        done declined amount_too_small
    """)


def test_what_is_unknown_is_asked_with_the_same_key_after_two_four_and_eight_seconds_and_then_for_ever():
    play("""
        authorise
        create authorise -> unknown
        wait 2000
        create authorise -> in-use
        wait 4000
        create authorise -> unknown
        wait 8000
        create authorise -> unknown
        wait 16000
        create authorise -> unknown
        wait 32000
        create authorise -> unknown
        wait 60000
        create authorise -> unknown
        wait 60000
        create authorise -> requires_capture
        retrieve pi -> requires_capture
        done authorised pi 500
    """)


def test_a_kept_answer_is_history_and_only_the_retrieved_state_counts():
    play("""
        authorise
        create authorise -> requires_capture again
        retrieve pi -> canceled
        done cancelled pi
    """)
    play("""
        authorise
        create authorise -> unknown
        wait 2000
        create authorise -> requires_payment_method
        retrieve pi -> unknown
        wait 4000
        retrieve pi -> requires_capture
        done authorised pi 500
    """)


def test_a_kept_error_of_the_server_is_looked_up_in_the_list():
    play("""
        authorise
        create authorise -> unknown
        wait 2000
        create authorise -> kept
        find -> page other,more
        find pi_other -> page requires_capture
        retrieve pi -> requires_capture
        done authorised pi 500
    """)


def test_a_kept_error_that_made_no_intent_fails_the_attempt():
    play("""
        authorise
        create authorise -> kept
        find -> unknown
        wait 2000
        find -> page other
        done declined provider-error
    """)


def test_other_parameters_under_our_key_are_looked_up_and_never_a_failure():
    play("""
        authorise
        create authorise -> mismatch
        find -> page none
        wait 2000
        create authorise -> mismatch
        find -> page requires_capture
        retrieve pi -> requires_capture
        done authorised pi 500
    """)


def test_a_refusal_after_an_unknown_outcome_is_believed_only_if_the_list_has_nothing():
    play("""
        authorise
        create authorise -> unknown
        wait 2000
        create authorise -> refused resource_missing
        find -> page requires_capture
        retrieve pi -> requires_capture
        done authorised pi 500
    """)
    play("""
        authorise
        create authorise -> unknown
        wait 2000
        create authorise -> refused resource_missing
        find -> page none
        done declined resource_missing
    """)


def test_a_limit_is_waited_for_and_is_no_try():
    play("""
        authorise
        create authorise -> limited 3000
        wait 3000
        create authorise -> limited 1000
        wait 1000
        create authorise -> requires_capture
        done authorised pi 500
    """)


def test_an_order_that_undoes_itself_is_not_authorised_any_more():
    play("""
        authorise deadline=3s
        create authorise -> unknown
        wait 2000
        create authorise -> unknown
        wait 4000
        done nothing not sent any more
    """)
    play("authorise deadline=1s\nlater 1s\ndone nothing not sent any more")


def test_a_deadline_that_moved_counts():
    run = Run(
        PayAsk(Ask.AUTHORISE, Tags("env", "o", 1), 500, asked_ms=NOW_MS, deadline_ms=NOW_MS + 10), NOW_MS, lambda: 0.0
    )
    call = run.step(NOW_MS)
    assert isinstance(call, Create)
    assert not run.may_send(call, NOW_MS + 10)
    run.deadline_ms = NOW_MS + 20
    assert run.may_send(call, NOW_MS + 10)


def test_a_call_that_was_taken_from_the_log_an_hour_ago_is_looked_up_instead_of_sent():
    play("""
        authorise
        create authorise -> unknown
        later 1h
        wait 2000
        find -> page requires_capture
        retrieve pi -> requires_capture
        done authorised pi 500
    """)
    play("""
        authorise
        later 1h
        find -> page none
        done nothing not sent any more
    """)
    play("""
        capture intent=pi
        capture 500 capture -> unknown
        later 1h
        retrieve pi -> requires_capture
        wait 2000
        retrieve pi -> succeeded
        done captured pi 500
    """)
    play("""
        capture intent=pi
        later 1h
        retrieve pi -> requires_capture
        done nothing pi not sent any more
    """)
    play("""
        refund intent=pi
        later 1h
        find-refunds -> refunds none
        done nothing pi not sent any more
    """)
    play("""
        orphan intent=pi
        later 1h
        retrieve pi -> requires_capture
        done nothing pi not sent any more
    """)


def test_a_create_older_than_the_providers_memory_is_looked_up_and_what_is_nowhere_was_never_made():
    play("""
        authorise age=23h
        find -> page canceled
        retrieve pi -> canceled
        done cancelled pi
    """)
    play("authorise age=24h\nfind -> page none\ndone nothing not sent any more")
    play("authorise age=26h\nfind -> page none\ndone declined never-made")
    play("void age=26h\nfind -> page none\ndone voided never-made")


def test_who_carries_calls_may_find_that_one_is_not_to_be_sent():
    play("""
        authorise
        create authorise -> not-sent
        find -> page none
        done nothing not sent any more
    """)


def test_what_the_order_has_gone_on_without_sends_nothing_more():
    play("""
        authorise
        create authorise -> unknown
        drop
        wait 2000
        done nothing not sent any more
    """)
    play("""
        authorise
        create authorise -> processing
        drop
        done nothing pi not sent any more
    """)
    play("""
        capture intent=pi
        capture 500 capture -> unknown
        drop
        retrieve pi -> requires_capture
        wait 2000
        retrieve pi -> requires_capture
        done nothing pi not sent any more
    """)


def test_a_capture_is_what_the_intent_says():
    for status, end in (
        ("succeeded:400", "done captured pi 400"),
        ("canceled", "done failed pi canceled"),
        ("requires_payment_method", "done failed pi requires_payment_method"),
    ):
        play(f"capture intent=pi take=400\ncapture 400 capture -> {status}\n{end}")
        play(f"capture intent=pi take=400\ncapture 400 capture -> succeeded again\nretrieve pi -> {status}\n{end}")
        play(f"capture intent=pi take=400\ncapture 400 capture -> refused late\nretrieve pi -> {status}\n{end}")


def test_an_unknown_capture_is_looked_up_and_sent_again_with_its_key():
    play("""
        capture intent=pi
        capture 500 capture -> unknown
        retrieve pi -> requires_capture
        wait 2000
        capture 500 capture -> in-use
        retrieve pi -> processing
        wait 4000
        capture 500 capture -> succeeded
        retrieve pi -> succeeded
        done captured pi 500
    """)


def test_a_capture_that_is_refused_has_failed_only_after_its_retries():
    play("""
        capture intent=pi
        capture 500 capture -> refused amount_too_large
        retrieve pi -> requires_capture
        wait 2000
        capture 500 capture -> refused amount_too_large again
        retrieve pi -> requires_capture
        wait 4000
        capture 500 capture#2 -> refused amount_too_large
        retrieve pi -> requires_capture
        wait 8000
        capture 500 capture#2 -> refused amount_too_large
        retrieve pi -> requires_capture
        done failed pi amount_too_large
    """)


def test_a_key_that_is_spent_on_an_error_of_the_server_gets_a_successor():
    play("""
        capture intent=pi
        capture 500 capture -> kept
        retrieve pi -> requires_capture
        wait 2000
        capture 500 capture#2 -> succeeded
        done captured pi 500
    """)
    play("""
        void intent=pi
        cancel void -> kept
        retrieve pi -> requires_capture
        wait 2000
        cancel void#2 -> canceled
        done voided pi 500
    """)
    play("""
        refund intent=pi key=k
        refund 500 refund:k -> kept
        find-refunds -> refunds other
        wait 2000
        refund 500 refund:k#2 -> refund succeeded
        done refunded pi 500
    """)


def test_an_intent_whose_id_is_not_known_is_found_for_a_capture_and_a_refund():
    play("""
        capture
        find -> page other,requires_capture
        retrieve pi -> requires_capture
        capture 500 capture -> succeeded
        done captured pi 500
    """)
    play("capture\nfind -> page none\ndone nothing not sent any more")
    play("""
        refund
        find -> page succeeded
        retrieve pi -> succeeded
        refund 500 refund -> refund succeeded
        done refunded pi 500
    """)


def test_a_capture_of_nothing_gives_the_authorisation_back():
    play("capture intent=pi take=0\ncancel void -> canceled\ndone captured pi")
    play("""
        capture intent=pi take=0
        cancel void -> unknown
        retrieve pi -> requires_capture
        wait 2000
        cancel void -> refused late
        retrieve pi -> succeeded
        done captured pi 500
    """)
    play("capture intent=pi take=0\ndrop\nretrieve pi -> requires_capture\ndone nothing pi not sent any more")


def test_a_void_cancels_by_id_and_a_capture_that_was_faster_is_told():
    play("void intent=pi\ncancel void -> canceled\ndone voided pi 500")
    play("void intent=pi\ncancel void -> refused late\nretrieve pi -> succeeded:300\ndone captured pi 300")
    play("void intent=pi\ncancel void -> canceled again\nretrieve pi -> canceled\ndone voided pi 500")


def test_a_void_is_never_given_up():
    play("""
        void intent=pi
        cancel void -> unknown
        retrieve pi -> requires_capture
        wait 2000
        cancel void -> refused not-now
        retrieve pi -> processing
        wait 4000
        cancel void -> limited 700
        wait 700
        cancel void -> refused not-now
        retrieve pi -> requires_action
        wait 8000
        cancel void -> unknown
        retrieve pi -> requires_confirmation
        wait 16000
        cancel void -> refused not-now
        retrieve pi -> requires_payment_method
        wait 32000
        cancel void -> unknown
        retrieve pi -> canceled
        done voided pi 500
    """)


def test_a_void_without_an_id_repeats_the_create_so_that_its_key_leads_to_a_cancelled_intent():
    play("""
        void
        create authorise -> requires_capture
        cancel void -> canceled
        done voided pi 500
    """)
    play("""
        void
        create authorise -> requires_payment_method again
        retrieve pi -> requires_payment_method
        cancel void -> canceled
        done voided pi 500
    """)
    play("void\ncreate authorise -> requires_capture again\nretrieve pi -> canceled\ndone voided pi 500")
    play("void\ncreate authorise -> requires_capture again\nretrieve pi -> succeeded\ndone captured pi 500")


def test_a_void_of_an_intent_that_cannot_be_made_is_done_when_the_list_has_none():
    play("void\ncreate authorise -> refused bad\nfind -> page other\ndone voided bad")
    play("void\ncreate authorise -> kept\nfind -> page none\ndone voided provider-error")
    play("""
        void
        create authorise -> refused bad
        find -> page requires_capture
        retrieve pi -> requires_capture
        cancel void -> canceled
        done voided pi 500
    """)


def test_a_refund_is_what_its_own_refunds_say():
    play("refund intent=pi key=k take=200\nrefund 200 refund:k -> refund succeeded\ndone refunded pi 200")
    play("""
        refund intent=pi key=k take=200
        refund 200 refund:k -> unknown
        find-refunds -> refunds other,more
        find-refunds re_other -> refunds succeeded
        done refunded pi 200
    """)
    play("""
        refund intent=pi key=k take=200
        refund 200 refund:k -> refund succeeded again
        find-refunds -> refunds succeeded
        done refunded pi 200
    """)


def test_a_refund_under_way_is_waited_for_and_one_that_failed_is_made_again_by_another_key():
    play("""
        refund intent=pi
        refund 500 refund -> refund pending
        find-refunds -> refunds pending
        wait 2000
        find-refunds -> refunds pending
        wait 4000
        find-refunds -> refunds failed
        refund 500 refund -> refund pending again
        find-refunds -> refunds failed
        wait 8000
        refund 500 refund#2 -> refund succeeded
        done refunded pi 500
    """)


def test_a_refund_is_never_given_up_and_never_made_twice():
    play("""
        refund intent=pi key=k
        refund 500 refund:k -> unknown
        find-refunds -> unknown
        wait 2000
        find-refunds -> refunds none
        wait 4000
        refund 500 refund:k -> refused balance_insufficient
        find-refunds -> refunds other
        wait 8000
        refund 500 refund:k -> refused balance_insufficient again
        find-refunds -> refunds other
        wait 16000
        refund 500 refund:k#2 -> refund succeeded
        done refunded pi 500
    """)


def test_a_refund_of_the_whole_that_somebody_else_has_made_is_done():
    play("""
        refund intent=pi
        refund 500 refund -> refused charge_already_refunded
        find-refunds -> refunds other
        retrieve pi -> succeeded:500:500
        done refunded pi 500 charge_already_refunded
    """)
    play("""
        refund intent=pi
        refund 500 refund -> refused too-much
        find-refunds -> refunds other
        retrieve pi -> succeeded:500:100
        wait 2000
        refund 500 refund -> refund succeeded
        find-refunds -> refunds succeeded
        done refunded pi 500
    """)


def test_a_refund_older_than_the_providers_memory_is_looked_up_before_it_is_sent():
    play("refund intent=pi key=k age=23h\nfind-refunds -> refunds succeeded\ndone refunded pi 500")
    play("""
        refund intent=pi key=k age=23h
        find-refunds -> refunds other
        refund 500 refund:k -> refund succeeded
        done refunded pi 500
    """)


@pytest.mark.parametrize(
    ("kind", "end"),
    [("authorise", "authorised"), ("capture", "captured"), ("void", "voided"), ("refund", "refunded")],
)
def test_an_order_that_costs_nothing_needs_no_provider(kind, end):
    play(f"{kind} amount=0\ndone {end}")


def test_a_refund_of_nothing_needs_no_provider_either():
    """A line that cost nothing comes back, or an order of which nothing was left to capture is cancelled."""
    play("refund intent=pi key=k take=0\ndone refunded")
    play("refund intent=pi take=0\ndone refunded")


def test_waits_are_spread_by_a_quarter_at_most():
    for share in (0.0, 0.5, 0.999):
        run = Run(PayAsk(Ask.AUTHORISE, Tags("env", "o", 1), 500, asked_ms=NOW_MS), NOW_MS, lambda share=share: share)
        now, waits = NOW_MS, []
        step = run.step(now)
        while len(waits) < 3:
            step = run.step(now, Unknown("connection"))
            assert isinstance(step, Wait)
            waits.append(step.until_ms - now)
            now = step.until_ms
            step = run.step(now)
        assert waits == [int(base * (1 + 0.25 * share)) for base in (2_000, 4_000, 8_000)]


def test_a_limit_is_spread_too():
    run = Run(PayAsk(Ask.LOOK, Tags("env", "o", 1), intent="pi", waits="capture"), NOW_MS, lambda: 0.5)
    assert run.step(NOW_MS) == Retrieve("pi")
    assert run.step(NOW_MS, Limited(1_000)) == Wait(NOW_MS + 1_125)


def test_the_bounds_keep_a_key_from_being_used_after_the_provider_forgot_it():
    patience = Patience()
    day_ms = 86_400_000
    assert patience.key_ms + patience.stale_ms <= day_ms
    assert patience.lost_ms > day_ms
