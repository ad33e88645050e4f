"""The databases of the tests: each that takes `database` runs on SQLite and, outside of `make check`, on PostgreSQL."""

import uuid
from collections.abc import Iterator

import pytest

from adapters.sql.database import Database
from tests.adapters.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request, tmp_path) -> str:
    """An empty database of its own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'turnstile.db'}"
    return request.getfixturevalue("postgres").database(f"t{uuid.uuid4().hex}")


@pytest.fixture
def database(url) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()
