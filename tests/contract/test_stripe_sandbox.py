"""Stripe's sandbox keeps the contract too, so the stand-in is measured by what it stands for.

Opt-in (conftest.py): needs the network and the user's own test key in TURNSTILE_STRIPE_TEST_KEY.
"""

import pytest
import stripe

from tests.contract.payments_suite import PaymentsContract


@pytest.mark.stripe_sandbox
class TestStripeSandbox(PaymentsContract):
    @pytest.fixture
    async def provider(self, stripe_test_key):
        assert stripe_test_key.startswith("sk_test_"), "only a test key: these tests charge cards"
        client = stripe.AIOHTTPClient()
        yield stripe.StripeClient(stripe_test_key, http_client=client)
        await client.close_async()
