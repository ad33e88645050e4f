"""The broker, the logs and the shop of tests/integration."""

from tests.integration.conftest import broker, log, session_broker, shop, stage  # noqa: F401 - fixtures
