"""Takes the tests that ask Stripe itself out of a run that has no test key for it."""

import os

import pytest

TEST_KEY = "TURNSTILE_STRIPE_TEST_KEY"
KEY = pytest.StashKey[str]()


def pytest_configure(config):
    config.stash[KEY] = os.environ.get(TEST_KEY, "")  # before the session's fixture takes the user's settings away


def pytest_collection_modifyitems(config, items):
    if config.stash[KEY]:
        return
    asking = [item for item in items if item.get_closest_marker("stripe_sandbox")]
    items[:] = [item for item in items if item not in asking]
    config.hook.pytest_deselected(items=asking)


@pytest.fixture
def stripe_test_key(pytestconfig):
    return pytestconfig.stash[KEY]
