"""The quick way to check a token says nothing that the library does not say."""

import base64
import hmac
import json
import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams import tokens
from streams.tokens import Claims, TokenError, check, mint

KEY = b"k" * 32
HEADER = b'{"alg":"HS256","typ":"JWT"}'
NOW = int(time.time())
LONG_S = 1_000_000
"""More than any run of the tests takes."""
CLAIMS = {"sub": "c1", "aud": "turnstile", "exp": NOW + LONG_S}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(payload: object, header: bytes = HEADER, key: bytes = KEY) -> str:
    """A token; a `payload` of text stands in it as it is."""
    text = payload if isinstance(payload, str) else b64(json.dumps(payload).encode())
    content = f"{b64(header)}.{text}"
    return f"{content}.{b64(hmac.digest(key, content.encode(), 'sha256'))}"


def claims(**changes: object) -> str:
    return signed({name: value for name, value in {**CLAIMS, **changes}.items() if value is not None})


def raw(payload: bytes) -> str:
    return signed(b64(payload))


def said(token: str, by=check) -> Claims | str:
    """What comes of it: the claims, or the message."""
    try:
        return by(KEY, token)
    except TokenError as error:
        return str(error)


def numbered(_: str) -> str:
    """The time stands in a token: each process of a test run would name its cases otherwise."""
    return "token"


def agree(token: str) -> Claims | str:
    result = said(token, tokens._check_any)
    assert said(token) == result
    plain = tokens._check_plain(KEY, token)
    assert plain is None or plain == result
    return result


PLAIN = [
    mint(KEY, "c1"),
    mint(KEY, "ä customer", ("ops", "read")),
    claims(iat=NOW - 5, nbf=NOW - 5, jti="j", iss="https://issuer.example"),
    claims(scope=" a  b "),
    signed(CLAIMS, b'{"typ":"JWT","alg":"HS256"}'),
    signed(CLAIMS, b'{"alg":"HS256"}'),
]


@pytest.mark.parametrize("token", PLAIN, ids=numbered)
def test_what_issuers_make_is_checked_the_quick_way(token):
    assert isinstance(agree(token), Claims)
    assert tokens._check_plain(KEY, token) is not None


UNUSUAL = [
    signed(CLAIMS, b'{"alg": "HS256", "typ": "JWT"}'),
    signed(CLAIMS, b'{"alg":"HS256","kid":"1"}'),
    claims(aud=["other", "turnstile"]),
    claims(exp=NOW + 3600.5),
    claims(exp=str(NOW + 3600)),
    claims(name="Ann"),
    claims(iss=7),
    raw(b'{"sub":"c0","sub":"c1","aud":"turnstile","exp":%d}' % (NOW + 3600)),
]


@pytest.mark.parametrize("token", UNUSUAL, ids=numbered)
def test_what_is_unusual_and_good_is_good(token):
    assert isinstance(agree(token), Claims)


HEAD, PAYLOAD, SIGNATURE = mint(KEY, "c1").split(".")
BAD = [
    "",
    ".",
    "..",
    "ä",
    f"{HEAD}.{PAYLOAD}",
    f"{HEAD}.{PAYLOAD}.",
    f"{HEAD}.{PAYLOAD}.{SIGNATURE}.",
    f"{HEAD}.{PAYLOAD}.{SIGNATURE}!",
    f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-2]}{chr(ord(SIGNATURE[-2]) ^ 1)}{SIGNATURE[-1]}",
    f"{HEAD}.{PAYLOAD}A.{SIGNATURE}",
    f".{PAYLOAD}.{SIGNATURE}",
    signed(CLAIMS, key=b"x" * 32),
    signed(CLAIMS, key=b""),
    signed(CLAIMS, b'{"alg":"none"}'),
    f"e30.{PAYLOAD}.",
    signed(CLAIMS, b'{"alg":"HS512","typ":"JWT"}'),
    signed(CLAIMS, b'{"alg":"HS256","b64":false,"crit":["b64"]}'),
    signed(b64(json.dumps(CLAIMS).encode()) + "!"),
    signed("!"),
    signed(""),
    signed("a.b"),
    claims(exp=NOW - 1),
    claims(exp=NOW),
    claims(exp=None),
    claims(exp=True),
    claims(exp="soon"),
    claims(exp=-(10**30)),
    claims(aud=None),
    claims(aud="other"),
    claims(aud=7),
    claims(sub=None),
    claims(sub=""),
    claims(sub=7),
    claims(sub="x" * 129),
    claims(sub="a\nb"),
    claims(sub="\ud800"),
    claims(scope=7),
    claims(scope=["ops"]),
    claims(iat=NOW + LONG_S),
    claims(nbf=NOW + LONG_S),
    claims(iat="then"),
    claims(jti=7),
    raw(b""),
    raw(b"null"),
    raw(b"[]"),
    raw(b"\xff"),
    raw(b'{"sub":"c1","aud":"turnstile","exp":NaN}'),
    raw(b"[" * 3000),
    raw(b'{"sub":"c1","aud":"turnstile","exp":%d,"name":"\xff"}' % (NOW + 3600)),
]


@pytest.mark.parametrize("token", BAD, ids=numbered)
def test_what_is_bad_is_bad_with_the_library_s_reason(token):
    assert isinstance(agree(token), str)
    assert tokens._check_plain(KEY, token) is None


TEXT = st.text(max_size=140)
MOMENT = st.one_of(st.integers(0, 10**6), st.integers(2**33, 2**34))
"""Long ago, or far ahead, whenever this runs."""
CLAIM = st.one_of(TEXT, MOMENT, st.booleans(), st.none(), st.lists(TEXT, max_size=2))
ANY = st.dictionaries(st.sampled_from(["sub", "aud", "exp", "scope", "iat", "nbf", "jti", "iss", "name"]), CLAIM)


@given(changes=ANY)
def test_whatever_is_claimed_both_say_the_same(changes):
    agree(signed({**CLAIMS, **changes}))


@given(at=st.integers(0, 200), to=st.sampled_from(string.ascii_letters + string.digits + "-_.=! "))
@example(at=len(PLAIN[0]) - 1, to="=")
def test_whatever_is_changed_in_a_token_both_say_the_same(at, to):
    token = PLAIN[0]
    agree(f"{token[:at]}{to}{token[at + 1 :]}")
