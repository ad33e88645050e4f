"""What every test starts from: no settings of the machine's user, reproducible property tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Derandomized: a red run is red again. `make simulate` and --hypothesis-seed look further.
settings.register_profile("turnstile", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnstile")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who needs the session's broker is one group: one process has the broker, and waits; the other computes."""
    for item in items:
        if item.get_closest_marker("integration") or item.get_closest_marker("chaos"):
            item.add_marker(pytest.mark.xdist_group("broker"))


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take TURNSTILE_* away and put data into a temporary folder. Jars stay in the user's cache: hashes guard them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TURNSTILE_") and name != "TURNSTILE_CACHE_DIR"]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
