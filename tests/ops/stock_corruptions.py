"""Corruptions of what was decided about stock, with a chain that recomputes."""

from domain.ids import hold_id
from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from domain.stock import Adjust, Answered, Expired, Granted, Refused, Repeat, Sold, Totals
from ops.audit.violations import Kind
from streams.records import decode_decided, decode_ledger
from tests.ops.corruption import (
    EXPIRED,
    FIRST,
    SECOND,
    SETTLED,
    THIRD,
    answer,
    clk_of,
    corruption,
    edit,
    grant,
    move,
    one_batch,
    place,
)
from tests.ops.honest_log import PRINT, ask, customer, find, order, with_decided, with_details


@corruption(Kind.OVERSELL, FIRST)
def a_grant_is_forged_with_consistent_totals(log):
    def change(_, changes, totals):
        changes[place(changes, Refused, 3)] = grant(3, 4, 4, clk=clk_of(log, FIRST))
        move(totals, received=1, held=1)

    return edit(log, FIRST, change, outcomes=answer(log, FIRST, 3, Outcome.GRANTED))


@corruption(Kind.CONSERVATION, FIRST)
def a_grant_is_forged_and_the_totals_go_below_zero(log):
    def change(_, changes, totals):
        changes[place(changes, Refused, 3)] = grant(3, 4, 4, clk=clk_of(log, FIRST))
        move(totals, available=-1, held=1)

    return edit(log, FIRST, change, outcomes=answer(log, FIRST, 3, Outcome.GRANTED))


@corruption(Kind.DOUBLE_GRANT, FIRST)
def one_id_is_granted_twice(log):
    def change(repeats, changes, _):
        repeats.clear()
        changes.append(grant(4, 1, 1, clk=clk_of(log, FIRST)))

    return edit(log, FIRST, change, outcomes=answer(log, FIRST, 4, Outcome.GRANTED))


@corruption(Kind.UNDERSELL, THIRD)
def a_unit_is_there_and_refused(log):
    def change(_, changes, totals):
        changes[place(changes, Granted, 1)] = Refused(1, hold_id(order(8)), Outcome.ALL_HELD, PRINT)
        totals.clear()

    return edit(log, THIRD, change, outcomes=answer(log, THIRD, 1, Outcome.ALL_HELD))


@corruption(Kind.OUTCOME, FIRST)
def sold_out_is_told_while_all_are_held(log):
    def change(_, changes, __):
        at = place(changes, Refused, 3)
        changes[at] = changes[at]._replace(outcome=Outcome.SOLD_OUT)

    return edit(log, FIRST, change, outcomes=answer(log, FIRST, 3, Outcome.SOLD_OUT))


@corruption(Kind.LIMIT, THIRD)
def a_customer_gets_more_than_the_limit(log):
    def change(_, changes, totals):
        changes[place(changes, Refused, 0)] = grant(0, 7, 1, quantity=2, clk=clk_of(log, THIRD))
        changes[place(changes, Granted, 1)] = Refused(1, hold_id(order(8)), Outcome.ALL_HELD, PRINT)
        move(totals, available=-1, held=1)

    outcomes = bytes((Outcome.GRANTED, Outcome.ALL_HELD, Outcome.NOT_YOURS))
    return edit(log, THIRD, change, outcomes=outcomes)


@corruption(Kind.LIMIT, FIRST)
def a_customer_is_refused_below_the_limit(log):
    def change(_, changes, totals):
        changes[place(changes, Granted, 0)] = Refused(0, hold_id(order(1)), Outcome.LIMIT_REACHED, PRINT)
        move(totals, available=1, held=-1)

    return edit(log, FIRST, change, outcomes=answer(log, FIRST, 0, Outcome.LIMIT_REACHED))


@corruption(Kind.PRICE, FIRST)
def a_price_is_changed(log):
    def change(_, changes, __):
        changes[0] = changes[0]._replace(unit_price=100)

    return edit(log, FIRST, change)


@corruption(Kind.PRICE, FIRST)
def a_currency_is_changed(log):
    def change(_, changes, __):
        changes[0] = changes[0]._replace(currency="JPY")

    return edit(log, FIRST, change)


@corruption(Kind.DEADLINE, FIRST)
def a_hold_is_too_long(log):
    def change(_, changes, __):
        changes[0] = changes[0]._replace(deadline_ms=changes[0].deadline_ms + 1)

    return edit(log, FIRST, change)


@corruption(Kind.CHANGE, FIRST)
def a_grant_is_for_another_customer(log):
    def change(_, changes, __):
        changes[0] = changes[0]._replace(customer=customer(77))

    return edit(log, FIRST, change)


@corruption(Kind.CHANGE, SETTLED)
def a_change_that_no_command_asked_for(log):
    def change(_, changes, totals):
        changes.append(Sold(7, hold_id(order(3))))
        move(totals, held=-1, sold=1)

    return edit(log, SETTLED, change)


@corruption(Kind.REPEAT, FIRST)
def a_repeat_gets_another_answer(log):
    def change(repeats, _, __):
        repeats[0] = repeats[0]._replace(unit_price=1)

    return edit(log, FIRST, change)


@corruption(Kind.REPEAT, SECOND)
def a_repeat_gets_another_outcome(log):
    return edit(log, SECOND, lambda *_: None, outcomes=answer(log, SECOND, 0, Outcome.SOLD_OUT | REPEATED))


@corruption(Kind.REPEAT, SECOND)
def a_repeat_gets_another_receipt(log):
    def change(repeats, _, __):
        repeats[0] = repeats[0]._replace(position=0)

    return edit(log, SECOND, change)


@corruption(Kind.REPEAT, SECOND)
def a_new_question_is_told_as_a_repeat(log):
    def change(repeats, changes, _):
        del changes[place(changes, Refused, 2)]
        repeats.append(Repeat(2, hold_id(order(6)), SETTLED, 0))

    return edit(log, SECOND, change, outcomes=answer(log, SECOND, 2, Outcome.ALL_HELD | REPEATED))


@corruption(Kind.FORGOTTEN, SECOND)
def a_refusal_is_forgotten_at_once(log):
    def change(repeats, changes, _):
        repeats.clear()
        changes.insert(0, grant(0, 4, 4, clk=clk_of(log, SECOND)))
        at = place(changes, Granted, 1)
        changes[at] = Refused(1, hold_id(order(5)), Outcome.ALL_HELD, PRINT)

    outcomes = bytes((Outcome.GRANTED, Outcome.ALL_HELD, Outcome.ALL_HELD))
    return edit(log, SECOND, change, outcomes=outcomes)


@corruption(Kind.EARLY_EXPIRY, THIRD)
def a_hold_expires_before_its_time(log):
    def change(_, changes, totals):
        changes.insert(0, Expired(hold_id(order(3))))
        move(totals, available=1, held=-1)

    return edit(log, THIRD, change)


@corruption(Kind.EARLY_EXPIRY, EXPIRED)
def an_extended_hold_expires_at_its_first_deadline(log):
    def change(_, changes, totals):
        changes.append(Expired(hold_id(order(3))))
        move(totals, available=1, held=-1)

    return edit(log, EXPIRED, change)


@corruption(Kind.LATE_EXPIRY, EXPIRED)
def a_due_hold_is_not_expired(log):
    def change(_, changes, totals):
        assert {type(change) for change in changes} == {Expired}
        del changes[-1]
        move(totals, available=-1, held=1)

    return edit(log, EXPIRED, change)


@corruption(Kind.TOTALS, FIRST)
def totals_are_wrong_but_conserve(log):
    return edit(log, FIRST, lambda _, __, totals: move(totals, available=1, held=-1))


@corruption(Kind.CONSERVATION, FIRST)
def totals_do_not_conserve(log):
    return edit(log, FIRST, lambda _, __, totals: move(totals, available=1))


@corruption(Kind.SEQUENCE, SETTLED)
def a_sequence_number_is_skipped(log):
    return edit(log, SETTLED, lambda _, __, totals: move(totals, sequence=1))


@corruption(Kind.TOTALS, FIRST)
def a_pool_that_changed_has_no_totals(log):
    return edit(log, FIRST, lambda _, __, totals: totals.clear())


@corruption(Kind.TOTALS, SETTLED)
def totals_of_a_pool_that_does_not_exist(log):
    return edit(log, SETTLED, lambda _, __, totals: totals.append(Totals("ghost", 5, 5, 0, 0, 0, 1)))


@corruption(Kind.NOT_YOURS, THIRD)
def somebody_elses_hold_is_sold(log):
    def change(_, changes, totals):
        changes[place(changes, Answered, 2)] = Sold(2, hold_id(order(3)))
        move(totals, held=-1, sold=1)

    return edit(log, THIRD, change, outcomes=answer(log, THIRD, 2, Outcome.COMMITTED))


@corruption(Kind.CHANGE, THIRD)
def who_asked_is_not_told(log):
    def change(_, changes, __):
        del changes[place(changes, Answered, 2)]

    return edit(log, THIRD, change)


@corruption(Kind.CHANGE, THIRD)
def who_asked_is_told_of_another_hold(log):
    def change(_, changes, __):
        at = place(changes, Answered, 2)
        changes[at] = changes[at]._replace(hold=hold_id(order(8)))

    return edit(log, THIRD, change)


@corruption(Kind.CHANGE, SETTLED)
def an_answer_is_told_where_something_changed(log):
    def change(_, changes, __):
        changes.append(Answered(1, hold_id(order(2)), 4))

    return edit(log, SETTLED, change)


@corruption(Kind.OUTCOME, SETTLED)
def a_release_is_told_and_not_done(log):
    def change(_, changes, totals):
        changes[1:] = [Sold(1, hold_id(order(2)))]
        move(totals, available=-1, sold=1)

    return edit(log, SETTLED, change, outcomes=bytes((Outcome.COMMITTED, Outcome.COMMITTED)))


@corruption(Kind.FORBIDDEN, 2)
def a_gateway_restocks(_):
    own = one_batch(Role.GATEWAY, Adjust("shoe", 2, "mine", ""))
    honest = one_batch(Role.OPS, Adjust("shoe", 2, "mine", ""))
    body = decode_decided(decode_ledger(honest.ledger[find(honest, 2)].value).body)
    forged = with_decided(own.ledger, find(own, 2), outcomes=body.outcomes, details=body.details)
    return forged, own.commands


@corruption(Kind.MALFORMED, 2)
def nothing_is_granted(_):
    own = one_batch(Role.GATEWAY, ask(1, quantity=0))

    def change(_, changes, __):
        changes.append(grant(0, 1, 1, quantity=0, clk=clk_of(own, 2)))

    return with_details(own.ledger, find(own, 2), change, outcomes=bytes((Outcome.GRANTED,))), own.commands


@corruption(Kind.MALFORMED, 2)
def a_good_request_is_called_malformed(_):
    own = one_batch(Role.GATEWAY, ask(1))
    forged = with_details(
        own.ledger,
        find(own, 2),
        lambda _, changes, totals: (changes.clear(), totals.clear()),
        outcomes=bytes((Outcome.MALFORMED,)),
    )
    return forged, own.commands
