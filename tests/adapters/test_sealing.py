"""Sealed addresses: readable with the customer's key for that order alone, and never again after erasure."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.sealing import SEALED_BYTES_MORE, Sealer, UnreadableError
from adapters.sql.customer_keys import CustomerKeys
from adapters.sql.database import Database, SqlAwayError

MASTER = b"m" * 32
CUSTOMER, OTHER = b"customer", b"stranger"
ORDER = b"o" * 16
ADDRESS = b'{"name":"Ada","email":"ada@example.org"}'


@pytest.fixture
def sealer(database) -> Sealer:
    return Sealer(database, MASTER)


def test_an_address_opens_in_another_program_with_the_same_keys(sealer, url):
    sealed = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    assert len(sealed) == len(ADDRESS) + SEALED_BYTES_MORE
    other = Database(url)
    assert Sealer(other, MASTER).open(CUSTOMER, ORDER, sealed) == ADDRESS
    other.close()


def test_the_same_address_is_sealed_differently_each_time_and_shows_nothing(sealer):
    sealed = {sealer.seal(CUSTOMER, ORDER, ADDRESS) for _ in range(20)}
    assert len(sealed) == 20
    assert not any(b"ada" in one for one in sealed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sealer, sealed: sealer.open(CUSTOMER, b"p" * 16, sealed),
        lambda sealer, sealed: (sealer.seal(OTHER, ORDER, b""), sealer.open(OTHER, ORDER, sealed)),
        lambda sealer, sealed: sealer.open(OTHER, ORDER, sealed),
        lambda sealer, sealed: sealer.open(CUSTOMER, ORDER, sealed[:-1] + bytes((sealed[-1] ^ 1,))),
        lambda sealer, sealed: sealer.open(CUSTOMER, ORDER, sealed[:20]),
        lambda sealer, sealed: sealer.open(CUSTOMER, ORDER, b"\x02" + sealed[1:]),
        lambda sealer, sealed: sealer.open(CUSTOMER, ORDER, b""),
    ],
)
def test_what_was_sealed_for_something_else_or_changed_does_not_open(sealer, spoil):
    sealed = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    with pytest.raises(UnreadableError):
        spoil(sealer, sealed)


def test_an_erased_customer_is_unreadable_for_good(sealer, database):
    sealed = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    assert sealer.erase(CUSTOMER)
    assert not sealer.erase(CUSTOMER)
    assert CustomerKeys(database).find(CUSTOMER.hex()) is None
    with pytest.raises(UnreadableError):
        sealer.open(CUSTOMER, ORDER, sealed)
    again = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    assert sealer.open(CUSTOMER, ORDER, again) == ADDRESS
    with pytest.raises(UnreadableError):
        sealer.open(CUSTOMER, ORDER, sealed)


def test_gateways_that_meet_a_customer_at_once_agree_on_one_key(database):
    sealers = [Sealer(database, MASTER) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda sealer: sealer.seal(CUSTOMER, ORDER, ADDRESS), sealers))
    assert {Sealer(database, MASTER).open(CUSTOMER, ORDER, one) for one in sealed} == {ADDRESS}


def test_the_database_alone_opens_nothing(sealer, database):
    sealed = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    with pytest.raises(UnreadableError):
        Sealer(database, b"n" * 32).open(CUSTOMER, ORDER, sealed)


def test_a_known_customer_is_sealed_for_while_sql_is_away(tmp_path):
    folder = tmp_path / "sql"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'turnstile.db'}")
    sealer = Sealer(database, MASTER)
    sealed = sealer.seal(CUSTOMER, ORDER, ADDRESS)
    database.close()
    folder.rename(tmp_path / "away")
    assert sealer.open(CUSTOMER, ORDER, sealer.seal(CUSTOMER, ORDER, ADDRESS)) == ADDRESS
    with pytest.raises(SqlAwayError):
        sealer.seal(OTHER, ORDER, ADDRESS)
    assert sealed
