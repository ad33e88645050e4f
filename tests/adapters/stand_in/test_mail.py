"""When webhooks come: doubled, shuffled, late, lost, and again after a failure; and how they are signed."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest
import stripe
from aiohttp import web
from msgspec.structs import replace

from adapters.stand_in.book import Book
from adapters.stand_in.mail import ATTEMPTS_MAX, RETRY_MS, Delivery
from adapters.stand_in.postman import Postman
from adapters.stand_in.wire import wall_ms
from tests.adapters.stand_in.caller import QUIET, START_MS, Caller

SECRET = "whsec_test"
DEADLINE_S = 30


def posted(count=200, **rates):
    """The letters of `count` events, in the order in which they go out."""
    caller = Caller(replace(QUIET, **rates), webhooks=True)
    for _ in range(count):
        caller.create(confirm=None)
        caller.later(10)
    events = list(caller.book.shelf.events)
    return events, caller.book.mail.due(caller.now_ms + 60_000)


def delivery(letter, status, at_ms=START_MS):
    return Delivery(
        number=0, at_ms=at_ms, event=letter.event, type="", intent="", attempt=letter.attempt, status=status
    )


def test_without_a_fault_every_event_goes_out_once_and_in_order():
    events, letters = posted()
    assert [letter.event for letter in letters] == events


def test_some_events_are_never_sent():
    events, letters = posted(webhook_lost=0.25)
    assert 30 < len(events) - len(letters) < 70


def test_some_events_are_sent_twice():
    events, letters = posted(webhook_doubled=0.25)
    assert 30 < len(letters) - len(events) < 70
    assert {letter.event for letter in letters} == set(events)


def test_shuffled_events_come_in_another_order():
    events, letters = posted(webhook_shuffle_ms=1_000)
    order = [letter.event for letter in letters]
    assert order != events
    assert sorted(order) == sorted(events)


def test_some_events_are_late():
    _, letters = posted(webhook_late=0.25, webhook_late_ms=30_000)
    assert 30 < sum(letter.due_ms > START_MS + 20_000 for letter in letters) < 70


def test_the_same_seed_plans_the_same():
    rates = {"webhook_lost": 0.1, "webhook_doubled": 0.2, "webhook_shuffle_ms": 500}
    assert posted(seed=3, **rates) == posted(seed=3, **rates)
    assert posted(seed=3, **rates) != posted(seed=4, **rates)


def test_without_an_endpoint_nothing_waits():
    caller = Caller()
    caller.create()
    assert (caller.book.mail.next_ms(), caller.book.mail.due(caller.now_ms + 60_000)) == (None, [])


@pytest.mark.parametrize("status", [0, 302, 400, 503])
def test_a_delivery_that_failed_is_tried_again_a_bounded_number_of_times(status):
    caller = Caller(webhooks=True)
    caller.create(confirm=None)
    mail, waits = caller.book.mail, []
    at_ms = caller.now_ms
    while (due_ms := mail.next_ms()) is not None:
        waits.append(due_ms - at_ms)
        at_ms = due_ms
        (letter,) = mail.due(due_ms)
        mail.answered(letter, delivery(letter, status, due_ms))
    assert waits == [0, *(RETRY_MS * 2**n for n in range(ATTEMPTS_MAX - 1))]
    assert [one.attempt for one in mail.log] == list(range(1, ATTEMPTS_MAX + 1))


def test_a_delivery_that_was_taken_is_not_repeated():
    caller = Caller(webhooks=True)
    caller.create(confirm=None)
    (letter,) = caller.book.mail.due(caller.now_ms)
    caller.book.mail.answered(letter, delivery(letter, 204))
    assert caller.book.mail.next_ms() is None


class Endpoint:
    """Takes webhooks; answers with the next of `statuses`, then 200."""

    def __init__(self, statuses=()):
        self.statuses = list(statuses)
        self.taken = asyncio.Queue()

    async def take(self, request):
        await self.taken.put((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def next(self):
        return await asyncio.wait_for(self.taken.get(), DEADLINE_S)


@asynccontextmanager
async def delivering(endpoint, book, clock_ms=wall_ms, secrets=SECRET):
    """A postman that carries the book's mail to the endpoint."""
    app = web.Application()
    app.add_routes([web.post("/hook", endpoint.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    postman = Postman(book, f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secrets, clock_ms)
    running = asyncio.create_task(postman.run())
    try:
        yield postman
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await runner.cleanup()


def called(book):
    caller = Caller()
    caller.book, caller.now_ms = book, wall_ms()
    return caller


async def test_a_webhook_is_signed_so_that_the_sdk_takes_it():
    book, endpoint = Book(QUIET, webhooks=True), Endpoint()
    async with delivering(endpoint, book) as postman:
        intent = called(book).create(confirm=None).id
        postman.wake()
        body, signature = await endpoint.next()
    event = stripe.Webhook.construct_event(body, signature, SECRET)
    assert (event.type, event.data.object.id, event.livemode) == ("payment_intent.created", intent, False)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body.replace(b"1000", b"1001"), signature, SECRET)


async def test_while_one_secret_replaces_another_a_webhook_is_signed_with_both():
    book, endpoint = Book(QUIET, webhooks=True), Endpoint()
    async with delivering(endpoint, book, secrets=f"{SECRET},whsec_next") as postman:
        called(book).create(confirm=None)
        postman.wake()
        body, signature = await endpoint.next()
    for secret in (SECRET, "whsec_next"):
        assert stripe.Webhook.construct_event(body, signature, secret).type == "payment_intent.created"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")


async def test_a_webhook_is_repeated_until_it_is_taken_and_signed_anew():
    ahead_ms = 0

    def clock_ms():
        return wall_ms() + ahead_ms

    book, endpoint = Book(QUIET, webhooks=True), Endpoint([500, 503])
    async with delivering(endpoint, book, clock_ms) as postman:
        called(book).create(confirm=None)
        postman.wake()
        taken = []
        for _ in range(3):
            taken.append(await endpoint.next())
            while book.mail.next_ms() is None and len(book.mail.log) < len(taken):
                await asyncio.sleep(0.01)
            ahead_ms += 5_000
            postman.wake()
    assert {body for body, _ in taken} == {taken[0][0]}
    assert len({signature for _, signature in taken}) == 3
    assert [one.status for one in book.mail.log] == [500, 503, 200]
    assert json.loads(taken[0][0])["id"] == book.mail.log[0].event


async def test_an_endpoint_that_is_not_there_is_a_failed_delivery():
    book = Book(QUIET, webhooks=True)
    postman = Postman(book, "http://127.0.0.1:9/hook", SECRET, wall_ms)
    running = asyncio.create_task(postman.run())
    called(book).create(confirm=None)
    postman.wake()
    async with asyncio.timeout(DEADLINE_S):
        while not book.mail.log:
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert (book.mail.log[0].status, book.mail.next_ms() is not None) == (0, True)
