"""Who asks: verified once, until it expires."""

import time

import pytest

from domain.ids import customer_hash
from gateway import auth as module
from gateway.auth import Authenticator
from gateway.problems import Problem, ProblemError
from streams.keys import Keys
from streams.tokens import mint

KEYS = Keys(b"t" * 32, b"c" * 32)


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_a_token_says_who_and_what_may_be_done():
    auth = Authenticator(KEYS)
    identity = auth.identify(f"Bearer {mint(KEYS.token, 'c1', ('read', 'ops'))}")
    assert (identity.name, identity.customer, identity.is_ops) == ("c1", customer_hash(KEYS.customer, "c1"), True)
    assert not auth.identify(f"bearer {mint(KEYS.token, 'c1')}").is_ops


def test_a_token_is_verified_once(monkeypatch):
    calls = []
    check = module.check
    monkeypatch.setattr(module, "check", lambda key, token: calls.append(token) or check(key, token))
    auth = Authenticator(KEYS)
    header = f"Bearer {mint(KEYS.token, 'c1')}"
    assert auth.identify(header) is auth.identify(header)
    assert len(calls) == 1


def test_a_remembered_token_expires_all_the_same():
    clock = Clock()
    auth = Authenticator(KEYS, clock)
    header = f"Bearer {mint(KEYS.token, 'c1', lifetime_s=60)}"
    auth.identify(header)
    clock.now += 61
    with pytest.raises(ProblemError, match="expired") as caught:
        auth.identify(header)
    assert caught.value.problem is Problem.UNAUTHORIZED


def test_what_does_not_verify_is_not_remembered():
    auth = Authenticator(KEYS)
    for _ in range(2):
        with pytest.raises(ProblemError, match="does not verify"):
            auth.identify(f"Bearer {mint(b'x' * 32, 'c1')}")
    assert len(auth._verified) == 0


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "VERIFIED_HALF_MAX", 3)
    auth = Authenticator(KEYS)
    for number in range(20):
        auth.identify(f"Bearer {mint(KEYS.token, f'c{number}')}")
    assert len(auth._verified) <= 6


def test_scope_ops_is_asked_for():
    auth = Authenticator(KEYS)
    assert auth.identify_ops(f"Bearer {mint(KEYS.token, 'o', ('ops',))}").name == "o"
    with pytest.raises(ProblemError, match="scope ops") as caught:
        auth.identify_ops(f"Bearer {mint(KEYS.token, 'c1', ('opsy',))}")
    assert caught.value.problem is Problem.NO_SCOPE
