"""The stand-in in process, as the SDK meets it: answers, cut connections, timeouts, on a clock of its own."""

import pytest
import stripe
from msgspec.structs import replace

from adapters.stand_in.book import Book
from adapters.stand_in.client import InProcessClient
from adapters.stand_in.urls import http_address
from tests.adapters.stand_in.caller import QUIET, START_MS
from tests.contract.payments_suite import keyed, wish


class Clock:
    """Sleeping is its only passing of time."""

    def __init__(self):
        self.now_ms = START_MS

    def read(self):
        return self.now_ms

    async def sleep(self, seconds):
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def clock():
    return Clock()


def intents(clock, timeout_s=80.0, **rates):
    client = InProcessClient(Book(replace(QUIET, **rates)), clock.read, clock.sleep, timeout_s)
    return client.book, stripe.StripeClient("sk_test_x", http_client=client).v1.payment_intents


async def test_an_answer_takes_the_time_that_the_book_says(clock):
    _, service = intents(clock, latency_ms=100)
    await service.create_async(wish(), options=keyed())
    assert 30 < clock.now_ms - START_MS < 300


@pytest.mark.parametrize(("fault", "done"), [("answer_lost", 1), ("request_lost", 0)])
async def test_a_cut_connection_is_an_error_of_the_connection(clock, fault, done):
    book, service = intents(clock, **{fault: 1.0})
    with pytest.raises(stripe.APIConnectionError) as caught:
        await service.create_async(wish(), options=keyed())
    assert (caught.value.should_retry, len(book.charges())) == (True, done)


async def test_a_call_that_hangs_is_given_up_after_the_clients_timeout(clock):
    book, service = intents(clock, timeout_s=10, hang=1.0, hang_ms=30_000)
    with pytest.raises(stripe.APIConnectionError, match="no answer in time"):
        await service.create_async(wish(), options=keyed())
    assert (clock.now_ms - START_MS, book.charges()) == (10_000, [])
    book.advance(START_MS + 30_000)
    assert len(book.charges()) == 1


async def test_a_slow_answer_comes_too_late_for_an_impatient_client(clock):
    book, service = intents(clock, timeout_s=1, slow=1.0, slow_ms=20_000)
    with pytest.raises(stripe.APIConnectionError):
        await service.create_async(wish(), options=keyed())
    assert (clock.now_ms - START_MS, len(book.charges())) == (1_000, 1)


async def test_the_sdk_repeats_by_itself_only_when_told_to_and_with_the_same_key(clock):
    book = Book(replace(QUIET, answer_lost=1.0))
    client = InProcessClient(book, clock.read, clock.sleep)
    repeating = stripe.StripeClient("sk_test_x", http_client=client, max_network_retries=2)
    with pytest.raises(stripe.APIConnectionError):
        await repeating.v1.payment_intents.create_async(wish(), options=keyed())
    assert len(book.charges()) == 1


async def test_headers_are_found_in_any_case_as_over_http(clock):
    _, service = intents(clock)
    made = await service.create_async(wish(), options=keyed("k"))
    headers = made.last_response.headers
    assert headers["Request-Id"] == headers["request-id"] == made.last_response.request_id


def test_the_address_of_a_process_is_that_of_http():
    assert http_address("stand-in+http://127.0.0.1:12111") == "http://127.0.0.1:12111"
    with pytest.raises(ValueError, match="expected stand-in"):
        http_address("http://127.0.0.1:12111")
