"""The stand-in, in process and as a process of its own, keeps the provider's contract."""

import pytest
import stripe

from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book
from adapters.stand_in.client import InProcessClient
from tests.adapters.stand_in.process import running
from tests.contract.payments_suite import PaymentsContract, keyed, wish

API_KEY = "sk_test_contract"


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running(tmp_path_factory.mktemp("stand-in")) as process:
        yield process


class TestStandInInProcess(PaymentsContract):
    @pytest.fixture
    def provider(self):
        book = Book(Behaviour(reads_per_s=0, writes_per_s=0))
        return stripe.StripeClient(API_KEY, http_client=InProcessClient(book))


class TestStandInOverHttp(PaymentsContract):
    @pytest.fixture
    async def provider(self, process):
        client = stripe.AIOHTTPClient(timeout=30)
        yield stripe.StripeClient(API_KEY, http_client=client, base_addresses={"api": process.address})
        await client.close_async()

    async def test_a_challenge_is_passed_or_failed_from_outside(self, process, intents):
        passed = await intents.create_async(wish(payment_method="pm_card_threeDSecure2Required"), options=keyed())
        process.ask("POST", "/_stand_in/triggers", {"action": "complete", "intent": passed.id})
        assert (await intents.retrieve_async(passed.id)).status == "requires_capture"
        process.ask("POST", "/_stand_in/triggers", {"action": "expire", "intent": passed.id})
        assert (await intents.retrieve_async(passed.id)).cancellation_reason == "automatic"

    async def test_only_a_test_key_is_let_in(self, process):
        client = stripe.AIOHTTPClient()
        other = stripe.StripeClient("pk_test_x", http_client=client, base_addresses={"api": process.address})
        with pytest.raises(stripe.AuthenticationError):
            await other.v1.payment_intents.list_async()
        await client.close_async()
