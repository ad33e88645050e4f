"""What every payment provider behind the port does. Subclasses bring the fixture `provider` (adapters.payments)."""

import time
import uuid

import pytest

from domain.provider import (
    Cancel,
    Capture,
    Create,
    Find,
    FindRefunds,
    IntentSeen,
    Page,
    Refund,
    RefundSeen,
    Refused,
    Retrieve,
    Status,
    Tags,
)

VISA = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"


def tags() -> Tags:
    """An attempt that nobody had before: the sandbox remembers."""
    return Tags("contract", uuid.uuid4().hex, 1)


def create(mine: Tags, method: str = VISA, amount: int = 1_000) -> Create:
    return Create(f"{mine.order}:1:authorise", mine, amount, "EUR", method)


class ProviderContract:
    @pytest.fixture
    def mine(self):
        return tags()

    @pytest.fixture
    async def authorised(self, provider, mine):
        return await provider.perform(create(mine))

    async def test_an_authorisation_is_seen_with_its_tags(self, mine, authorised):
        assert (authorised.status, authorised.amount, authorised.capturable, authorised.tags, authorised.replayed) == (
            Status.REQUIRES_CAPTURE, 1_000, 1_000, mine, False,
        )  # fmt: skip

    async def test_a_repeat_with_its_key_is_the_same_intent_and_says_so(self, provider, mine, authorised):
        again = await provider.perform(create(mine))
        assert again == authorised._replace(replayed=True)
        assert await provider.perform(Retrieve(authorised.id)) == authorised

    async def test_a_declined_card_is_an_intent_without_money(self, provider, mine):
        seen = await provider.perform(create(mine, DECLINED))
        assert (seen.status, seen.decline, seen.capturable) == (
            Status.REQUIRES_PAYMENT_METHOD, "insufficient_funds", 0,
        )  # fmt: skip

    async def test_a_part_is_captured_once_and_then_no_more(self, provider, mine, authorised):
        seen = await provider.perform(Capture(f"{mine.order}:1:capture", authorised.id, 700))
        assert (seen.status, seen.captured) == (Status.SUCCEEDED, 700)
        more = await provider.perform(Capture(f"{mine.order}:1:capture#2", authorised.id, 100))
        assert isinstance(more, Refused)

    async def test_a_cancelled_intent_stays_cancelled(self, provider, mine, authorised):
        seen = await provider.perform(Cancel(f"{mine.order}:1:void", authorised.id))
        assert (seen.status, seen.capturable) == (Status.CANCELED, 0)
        late = await provider.perform(Capture(f"{mine.order}:1:capture", authorised.id, 1_000))
        assert isinstance(late, Refused)

    async def test_refunds_are_bounded_and_can_be_told_apart(self, provider, mine, authorised):
        await provider.perform(Capture(f"{mine.order}:1:capture", authorised.id, 700))
        first, second = mine._replace(refund="one"), mine._replace(refund="two")
        refund = await provider.perform(Refund(f"{mine.order}:1:refund:one", first, authorised.id, 300))
        assert (type(refund), refund.status, refund.amount, refund.tags) == (RefundSeen, "succeeded", 300, first)
        more = await provider.perform(Refund(f"{mine.order}:1:refund:two", second, authorised.id, 401))
        assert isinstance(more, Refused)
        listed = await provider.perform(FindRefunds(authorised.id))
        assert [one.tags for one in listed.refunds] == [first]
        assert (await provider.perform(Retrieve(authorised.id))).refunded == 300

    async def test_an_intent_is_found_by_when_it_was_made(self, provider, mine, authorised):
        now_ms = time.time_ns() // 1_000_000
        call = Find(now_ms - 60_000, now_ms + 60_000)
        found: list[IntentSeen] = []
        page = await provider.perform(call)
        while isinstance(page, Page):
            found += [one for one in page.intents if one.tags == mine]
            if not page.more:
                break
            page = await provider.perform(call._replace(after=page.intents[-1].id))
        assert [one.id for one in found] == [authorised.id]
        assert (await provider.perform(Find(now_ms - 900_000, now_ms - 600_000))).intents == ()

    async def test_what_does_not_exist_is_refused(self, provider):
        assert await provider.perform(Retrieve("pi_nothing")) == Refused("resource_missing")
        assert isinstance(await provider.perform(create(tags(), "pm_nothing")), Refused)
