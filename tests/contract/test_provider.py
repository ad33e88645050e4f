"""Stripe's adapter keeps the port's contract: on the stand-in in process and over HTTP, and in Stripe's sandbox."""

import pytest

from adapters.stripe_provider import REAL, make_provider
from tests.adapters.stand_in.process import running
from tests.contract.provider_suite import ProviderContract


class TestInProcess(ProviderContract):
    @pytest.fixture
    async def provider(self):
        provider = make_provider("stand-in://?reads_per_s=0&writes_per_s=0")
        yield provider
        await provider.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running(tmp_path_factory.mktemp("stand-in")) as process:
        yield process


class TestOverHttp(ProviderContract):
    @pytest.fixture
    async def provider(self, process):
        provider = make_provider(process.address.replace("http://", "stand-in+http://"), timeout_s=10)
        yield provider
        await provider.close()


@pytest.mark.stripe_sandbox
class TestInTheSandbox(ProviderContract):
    @pytest.fixture
    async def provider(self, stripe_test_key):
        assert stripe_test_key.startswith("sk_test_"), "only a test key: these tests charge cards"
        provider = make_provider(REAL, key=stripe_test_key)
        yield provider
        await provider.close()
