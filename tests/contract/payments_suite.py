"""What the payment provider does, as far as we build on it, asked through its own SDK.

Subclasses bring the fixture `provider`, a stripe.StripeClient: of the stand-in in process, of the stand-in over HTTP,
of Stripe's sandbox. What only time or a customer can bring about is tested at the stand-in alone.
"""

import asyncio
import time
import uuid

import pytest
import stripe

VISA = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"
NO_MONEY = "pm_card_visa_chargeDeclinedInsufficientFunds"
CHALLENGE = "pm_card_threeDSecure2Required"
UNEXPECTED = "payment_intent_unexpected_state"


def fresh() -> str:
    """A key, or an order id, that nobody had before: the sandbox remembers."""
    return f"contract-{uuid.uuid4().hex}"


def keyed(key: str = "") -> dict[str, str]:
    return {"idempotency_key": key or fresh()}


def wish(**changes):
    """Parameters of an authorisation as we send it."""
    return {
        "amount": 1_000,
        "currency": "eur",
        "confirm": True,
        "capture_method": "manual",
        "payment_method": VISA,
        "payment_method_types": ["card"],
        "metadata": {"environment": "contract", "order": fresh(), "attempt": "1"},
        **changes,
    }


def replayed(answer) -> bool:
    return answer.last_response.headers.get("Idempotent-Replayed") == "true"


class PaymentsContract:
    @pytest.fixture
    def intents(self, provider):
        return provider.v1.payment_intents

    @pytest.fixture
    async def authorised(self, intents):
        return await intents.create_async(wish(), options=keyed())

    async def test_an_authorisation_waits_for_its_capture(self, intents, authorised):
        assert (authorised.status, authorised.amount_capturable, authorised.amount_received) == (
            "requires_capture", 1_000, 0,
        )  # fmt: skip
        found = await intents.retrieve_async(authorised.id, {"expand": ["latest_charge"]})
        assert (found.status, found.metadata["environment"], found.livemode) == ("requires_capture", "contract", False)
        assert (found.latest_charge.captured, found.latest_charge.paid) == (False, True)

    async def test_the_same_key_gets_the_same_answer(self, intents):
        key, asked = fresh(), wish()
        first = await intents.create_async(asked, options=keyed(key))
        again = await intents.create_async(asked, options=keyed(key))
        assert (again.id, again.status) == (first.id, first.status)
        assert (replayed(first), replayed(again)) == (False, True)

    async def test_a_replayed_answer_is_the_first_one_and_only_a_retrieve_tells_the_state(self, intents):
        key, asked = fresh(), wish()
        first = await intents.create_async(asked, options=keyed(key))
        await intents.cancel_async(first.id, options=keyed())
        assert (await intents.create_async(asked, options=keyed(key))).status == "requires_capture"
        assert (await intents.retrieve_async(first.id)).status == "canceled"

    async def test_the_same_key_with_other_parameters_is_an_error(self, intents):
        key, asked = fresh(), wish()
        await intents.create_async(asked, options=keyed(key))
        with pytest.raises(stripe.IdempotencyError) as caught:
            await intents.create_async({**asked, "amount": 2_000}, options=keyed(key))
        assert caught.value.http_status == 400

    async def test_calls_at_once_with_one_key_make_one_intent(self, intents):
        key, asked = fresh(), wish()
        calls = [intents.create_async(asked, options=keyed(key)) for _ in range(5)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        made = {one.id for one in told if not isinstance(one, Exception)}
        assert len(made) == 1
        for one in told:
            if isinstance(one, Exception):
                assert isinstance(one, stripe.APIError)
                assert (one.http_status, one.error.code) == (409, "idempotency_key_in_use")

    @pytest.mark.parametrize(("card", "why"), [(DECLINED, "generic_decline"), (NO_MONEY, "insufficient_funds")])
    async def test_a_declined_card_is_an_error_that_names_the_intent(self, intents, card, why):
        with pytest.raises(stripe.CardError) as caught:
            await intents.create_async(wish(payment_method=card), options=keyed())
        error = caught.value
        assert (error.http_status, error.code, error.error.decline_code) == (402, "card_declined", why)
        found = await intents.retrieve_async(error.error.payment_intent.id)
        assert (found.status, found.last_payment_error.decline_code) == ("requires_payment_method", why)

    async def test_a_decline_is_the_kept_answer_of_its_key(self, intents):
        key, asked, seen = fresh(), wish(payment_method=DECLINED), set()
        for _ in range(2):
            with pytest.raises(stripe.CardError) as caught:
                await intents.create_async(asked, options=keyed(key))
            seen.add((caught.value.error.payment_intent.id, caught.value.error.charge))
        assert len(seen) == 1
        assert caught.value.headers.get("Idempotent-Replayed") == "true"

    async def test_another_card_pays_a_declined_intent(self, intents):
        with pytest.raises(stripe.CardError) as caught:
            await intents.create_async(wish(payment_method=DECLINED), options=keyed())
        intent = caught.value.error.payment_intent.id
        paid = await intents.confirm_async(intent, {"payment_method": VISA}, options=keyed())
        assert (paid.status, paid.last_payment_error) == ("requires_capture", None)

    async def test_a_card_with_3d_secure_asks_the_customer_to_act(self, intents):
        asked = await intents.create_async(wish(payment_method=CHALLENGE), options=keyed())
        assert (asked.status, asked.next_action is not None) == ("requires_action", True)
        ended = await intents.cancel_async(asked.id, options=keyed())
        assert ended.status == "canceled"

    async def test_a_capture_takes_the_money_once(self, intents, authorised):
        taken = await intents.capture_async(authorised.id, options=keyed())
        assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1_000, 0)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await intents.capture_async(authorised.id, options=keyed())
        assert (caught.value.http_status, caught.value.code) == (400, UNEXPECTED)
        assert caught.value.error.payment_intent.status == "succeeded"

    async def test_a_partial_capture_releases_the_rest(self, intents, authorised):
        taken = await intents.capture_async(authorised.id, {"amount_to_capture": 300}, options=keyed())
        assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 300, 0)

    async def test_no_more_is_captured_than_was_authorised(self, intents, authorised):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await intents.capture_async(authorised.id, {"amount_to_capture": 1_001}, options=keyed())
        assert caught.value.http_status == 400
        assert (await intents.retrieve_async(authorised.id)).status == "requires_capture"

    async def test_a_cancelled_intent_cannot_be_captured_or_cancelled_again(self, intents, authorised):
        ended = await intents.cancel_async(authorised.id, {"cancellation_reason": "abandoned"}, options=keyed())
        assert (ended.status, ended.cancellation_reason, ended.amount_capturable) == ("canceled", "abandoned", 0)
        for call in (intents.capture_async, intents.cancel_async):
            with pytest.raises(stripe.InvalidRequestError) as caught:
                await call(authorised.id, options=keyed())
            assert caught.value.code == UNEXPECTED

    async def test_a_captured_intent_cannot_be_cancelled(self, intents, authorised):
        await intents.capture_async(authorised.id, options=keyed())
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await intents.cancel_async(authorised.id, options=keyed())
        assert caught.value.code == UNEXPECTED
        assert caught.value.error.payment_intent.status == "succeeded"

    async def test_refunds_go_no_further_than_what_was_captured(self, provider, intents, authorised):
        await intents.capture_async(authorised.id, {"amount_to_capture": 900}, options=keyed())
        part = {"payment_intent": authorised.id, "amount": 400}
        key = fresh()
        first = await provider.v1.refunds.create_async(part, options=keyed(key))
        again = await provider.v1.refunds.create_async(part, options=keyed(key))
        assert (first.status, first.amount, again.id, replayed(again)) == ("succeeded", 400, first.id, True)
        with pytest.raises(stripe.InvalidRequestError):
            await provider.v1.refunds.create_async({**part, "amount": 501}, options=keyed())
        rest = await provider.v1.refunds.create_async({"payment_intent": authorised.id}, options=keyed())
        assert rest.amount == 500
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await provider.v1.refunds.create_async({"payment_intent": authorised.id}, options=keyed())
        assert caught.value.code == "charge_already_refunded"
        listed = await provider.v1.refunds.list_async({"payment_intent": authorised.id})
        assert [one.id for one in listed.data] == [rest.id, first.id]
        found = await intents.retrieve_async(authorised.id, {"expand": ["latest_charge"]})
        assert (found.status, found.latest_charge.amount_refunded >= 900) == ("succeeded", True)

    async def test_an_intent_without_a_charge_cannot_be_refunded(self, provider, intents):
        made = await intents.create_async(
            {"amount": 1_000, "currency": "eur", "payment_method_types": ["card"]}, options=keyed()
        )
        assert made.status == "requires_payment_method"
        with pytest.raises(stripe.InvalidRequestError):
            await provider.v1.refunds.create_async({"payment_intent": made.id}, options=keyed())

    async def test_an_unknown_intent_is_not_found(self, intents):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await intents.retrieve_async("pi_doesnotexist")
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")

    async def test_malformed_parameters_are_not_kept_as_the_answer_of_their_key(self, intents):
        key = fresh()
        for changes in ({"amount": 1}, {"amount": "many"}, {"no_such_parameter": 1}, {"payment_method": "pm_none"}):
            with pytest.raises(stripe.InvalidRequestError) as caught:
                await intents.create_async(wish(**changes), options=keyed(key))
            assert caught.value.http_status == 400
        assert (await intents.create_async(wish(), options=keyed(key))).status == "requires_capture"

    async def test_a_confirmation_that_might_redirect_needs_somewhere_to_return_to(self, intents):
        asked = wish()
        del asked["payment_method_types"]
        with pytest.raises(stripe.InvalidRequestError):
            await intents.create_async(asked, options=keyed())

    async def test_a_lost_intent_is_found_by_its_time_and_its_metadata(self, intents):
        since = int(time.time()) - 60
        order, made = fresh(), []
        for attempt in ("1", "2", "3"):
            metadata = {"environment": "contract", "order": order, "attempt": attempt}
            made.append((await intents.create_async(wish(metadata=metadata), options=keyed())).id)
        page = await intents.list_async({"created": {"gte": since}, "limit": 2})
        assert (len(page.data), page.has_more) == (2, True)
        found = [one.id async for one in page.auto_paging_iter() if one.metadata.to_dict().get("order") == order]
        assert found == made[::-1]
        ahead = await intents.list_async({"created": {"gte": int(time.time()) + 3_600}})
        assert ahead.data == []

    async def test_what_happened_is_an_event(self, provider, intents, authorised):
        await intents.capture_async(authorised.id, options=keyed())
        async with asyncio.timeout(30):
            while True:
                listed = await provider.v1.events.list_async({"type": "payment_intent.succeeded", "limit": 20})
                found = [event for event in listed.data if event.data.object["id"] == authorised.id]
                if found:
                    break
                await asyncio.sleep(0.2)
        assert found[0].data.object["amount_received"] == 1_000
        assert (await provider.v1.events.retrieve_async(found[0].id)).type == "payment_intent.succeeded"
