"""The broker and the logs of tests/integration, and a shop in each log."""

import pytest

from tests.integration.conftest import broker, log, session_broker, stage  # noqa: F401 - fixtures
from tests.integration.shop import Shop


@pytest.fixture
def shop(stage, log):  # noqa: F811
    return Shop(stage, log)
