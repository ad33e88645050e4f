"""The book in a file: what was answered is there, whatever was killed."""

import asyncio
import os
import time

import msgspec
import pytest
import stripe
from msgspec.structs import replace

from adapters.stand_in.__main__ import _keeping
from adapters.stand_in.book import Book
from adapters.stand_in.journal import Journal
from streams.logs import Log
from tests.adapters.stand_in.caller import CHALLENGE, QUIET, Caller
from tests.adapters.stand_in.process import StandInProcess
from tests.contract.payments_suite import wish

DEADLINE_S = 90


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "book.jsonl"


def opened(path, behaviour=QUIET):
    """A caller of the book in this file."""
    journal = Journal(path)
    caller = Caller(behaviour, keep=journal.write)
    caller.book.restore(journal.read())
    return caller, journal


def busy(caller, settled_ms=0):
    """A bit of everything."""
    captured, cancelled = caller.create("a").id, caller.create("b").id
    caller.create("c", payment_method="pm_card_visa_chargeDeclined")
    caller.create("d", payment_method=CHALLENGE)
    caller.later(1_500)
    caller.post(f"payment_intents/{captured}/capture", "e", amount_to_capture=900)
    caller.post(f"payment_intents/{cancelled}/cancel", "f")
    caller.post("refunds", "g", payment_intent=captured, amount=400)
    caller.post("refunds", "h", payment_intent=captured, amount=600)
    for card in ("pm_card_refundFail", "pm_card_pendingRefund"):
        bought = caller.create(payment_method=card, capture_method=None).id
        caller.post("refunds", payment_intent=bought)
        caller.later(QUIET.refund_ms // 2)
    caller.later(settled_ms)
    caller.book.advance(caller.now_ms)


@pytest.mark.parametrize("settled_ms", [0, 60_000])
def test_a_book_is_the_same_after_it_was_read_again(path, settled_ms):
    caller, journal = opened(path)
    busy(caller, settled_ms)
    journal.close()
    again, _ = opened(path)
    for one in (caller, again):
        one.book.advance(caller.now_ms + 60_000)
    assert len(caller.book.shelf.refunds) == 3
    assert again.book.charges() == caller.book.charges()
    for name in ("intents", "refunds", "events"):
        assert list(getattr(again.book.shelf, name).items()) == list(getattr(caller.book.shelf, name).items())


def test_kept_answers_are_given_again_after_a_restart_byte_by_byte(path):
    caller, journal = opened(path)
    busy(caller)
    journal.close()
    again, _ = opened(path)
    again.now_ms = caller.now_ms
    for one in (caller, again):
        assert [told.status for told in _repeated(one)] == [200, 402, 400]
        assert all(told.replayed for told in _repeated(one))
    assert [told.body for told in _repeated(again)] == [told.body for told in _repeated(caller)]
    assert again.create("a", amount=5_000).error["type"] == "idempotency_error"
    assert again.book.charges() == caller.book.charges()


def _repeated(caller):
    captured = next(iter(caller.book.shelf.intents))
    return [
        caller.create("a"),
        caller.create("c", payment_method="pm_card_visa_chargeDeclined"),
        caller.post("refunds", "h", payment_intent=captured, amount=600),
    ]


def test_a_restarted_book_goes_on_with_new_ids_and_the_old_expiries(path):
    caller, journal = opened(path, replace(QUIET, authorised_ms=10_000))
    waiting = caller.create().id
    journal.close()
    again, _ = opened(path)
    assert again.create("another").id != waiting
    again.later(10_000)
    again.book.advance(again.now_ms)
    assert again.status(waiting) == "canceled"


def test_time_does_not_go_back_over_a_restart(path):
    caller, journal = opened(path)
    caller.later(60_000)
    created = caller.create().body["created"]
    journal.close()
    again, _ = opened(path)
    assert again.create().body["created"] == created


@pytest.mark.parametrize("cut", [1, 20, 700])
def test_what_a_kill_left_of_a_last_line_never_happened(path, cut):
    caller, journal = opened(path)
    caller.create("a")
    whole = path.read_bytes()
    caller.create("b")
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again, torn = opened(path)
    assert path.read_bytes() == whole
    assert [told.replayed for told in (again.create("a"), again.create("b"))] == [True, False]
    torn.close()
    assert len(opened(path)[0].book.shelf.intents) == 2


def test_two_cannot_write_one_book(path):
    _, journal = opened(path)
    with pytest.raises(BlockingIOError):
        Journal(path)
    journal.close()
    opened(path)


def test_a_file_that_is_no_journal_is_an_error(path):
    path.parent.mkdir()
    path.write_text("something else\n")
    with pytest.raises(msgspec.DecodeError):
        opened(path)


class Buyers:
    """Asks the same authorisations and captures again until each is answered, through kills of the provider."""

    def __init__(self, process, orders):
        self._process = process
        self._orders = orders
        self.answered = 0
        self.unanswered = 0
        self.captured = {}

    async def buy_all(self):
        client = stripe.AIOHTTPClient(timeout=5)
        provider = stripe.StripeClient("sk_test_x", http_client=client, base_addresses={"api": self._process.address})
        try:
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*(self._buy(provider.v1.payment_intents, one) for one in self._orders))
        finally:
            await client.close_async()

    async def _buy(self, intents, order):
        metadata = {"environment": "kill", "order": order, "attempt": "1"}
        made = await self._until_answered(intents.create_async, wish(metadata=metadata), f"{order}:1:authorise")
        taken = await self._until_answered(intents.capture_async, made.id, f"{order}:1:capture")
        self.captured[order] = (made.id, taken.amount_received)

    async def _until_answered(self, call, *arguments):
        *arguments, key = arguments
        while True:
            try:
                answer = await call(*arguments, options={"idempotency_key": key})
            except (stripe.APIConnectionError, stripe.RateLimitError):
                self.unanswered += 1
                await asyncio.sleep(0.05)
            else:
                self.answered += 1
                return answer


@pytest.fixture
def started(tmp_path):
    """Start a stand-in that behaves so; whatever happens, it does not outlive the test."""
    begun = []

    async def start(behaviour):
        begun.append(StandInProcess(tmp_path, behaviour))
        await asyncio.to_thread(begun[-1].start)
        return begun[-1]

    yield start
    for process in begun:
        process.kill()


@pytest.mark.slow
async def test_killed_again_and_again_under_load_it_charges_everybody_once(started):
    process = await started("reads_per_s=0&writes_per_s=0&latency_ms=20&answer_lost=0.05")
    buyers = Buyers(process, [f"o{number}" for number in range(200)])
    buying = asyncio.create_task(buyers.buy_all())
    enough = time.monotonic() + DEADLINE_S
    for wanted in (50, 200):
        while buyers.answered < wanted:
            assert not buying.done()
            assert time.monotonic() < enough
            await asyncio.sleep(0.005)
        process.kill()
        await asyncio.to_thread(process.start)
    await buying
    charges = process.charges()
    assert process.stop() == 0
    assert buyers.unanswered > 0
    assert {charge.order: (charge.id, charge.captured) for charge in charges} == buyers.captured
    assert len(charges) == 200  # one an order: nobody twice
    written = Book(QUIET)
    written.restore(Journal(process.book).read())
    assert written.charges() == charges


@pytest.mark.slow
async def test_one_that_is_asked_to_stop_does_so_with_a_call_that_hangs(started):
    process = await started("hang=1")
    client = stripe.AIOHTTPClient(timeout=0.2)
    provider = stripe.StripeClient("sk_test_x", http_client=client, base_addresses={"api": process.address})
    with pytest.raises(stripe.APIConnectionError):
        await provider.v1.payment_intents.create_async(wish(), options={"idempotency_key": "k"})
    await client.close_async()
    assert process.stop() == 0


def test_a_process_that_cannot_write_its_book_ends_before_it_answers(monkeypatch):
    class FullDisk:
        def write(self, change):
            raise OSError(28, "No space left on device")

    def ended(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    caller = Caller(keep=_keeping(FullDisk(), Log("stand-in")))
    with pytest.raises(SystemExit, match="70"):
        caller.create()
