"""The keys of an installation, and the tokens made with them."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from streams import keys
from streams.keys import KeysError
from streams.tokens import TokenError, check, mint


def test_keys_are_made_once_for_this_user_alone(tmp_path):
    made = keys.ensure(tmp_path / "data")
    assert keys.ensure(tmp_path / "data") == made == keys.load(tmp_path / "data")
    assert made.token != made.customer
    assert {len(key) for key in made} == {32}
    files = sorted((tmp_path / "data" / "keys").iterdir())
    assert [file.name for file in files] == ["address.key", "customer.key", "token.key"]
    assert keys.load_address(tmp_path / "data") not in made
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_two_installations_have_other_keys(tmp_path):
    one, other = keys.ensure(tmp_path / "a"), keys.ensure(tmp_path / "b")
    assert set(one).isdisjoint(other)
    assert one.customer_id != other.customer_id
    assert one.customer.hex() not in one.customer_id


def test_programs_that_start_at_once_get_the_same_keys(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(keys.ensure, [tmp_path] * 32))) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 3


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda file: file.unlink(), "is missing: `turnstile up`"),
        (lambda file: file.chmod(0o640), "can be read by others"),
        (lambda file: file.write_text("no key"), "in hexadecimal"),
        (lambda file: file.write_text("00ff"), "holds 2 bytes, not 32"),
        (lambda file: file.write_bytes(b"\xff" * 64), "cannot be read"),
    ],
)
def test_keys_that_are_not_safe_to_use_are_refused(tmp_path, spoil, reason):
    keys.ensure(tmp_path)
    spoil(tmp_path / "keys" / "customer.key")
    with pytest.raises(KeysError, match=reason):
        keys.load(tmp_path)


def test_a_token_says_what_it_was_made_for():
    claims = check(b"k" * 32, mint(b"k" * 32, "c1", ("ops", "read"), 60))
    assert (claims.customer, claims.scopes) == ("c1", {"ops", "read"})
    assert check(b"k" * 32, mint(b"k" * 32, "ä customer")).scopes == frozenset()


@pytest.mark.parametrize("customer", ["", "x" * 129, "a\nb", "\ud800"])
def test_a_customer_without_a_proper_name_gets_none(customer):
    with pytest.raises(ValueError, match="printable"):
        mint(b"k" * 32, customer)


def test_another_key_does_not_verify():
    with pytest.raises(TokenError, match="does not verify"):
        check(b"k" * 32, mint(b"x" * 32, "c1"))
    with pytest.raises(TokenError, match="expired"):
        check(b"k" * 32, mint(b"k" * 32, "c1", lifetime_s=-1))
