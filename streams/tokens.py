"""Tokens (JWT, RFC 7519): made for the command line, demo and tests; checked by the gateways."""

import time
from typing import NamedTuple

import jwt
from jwt.types import Options

AUDIENCE = "turnstile"
SCOPE_OPS = "ops"
CUSTOMER_CHARS_MAX = 128
_ALGORITHM = "HS256"
_OPTIONS: Options = {"require": ["exp", "aud", "sub"]}


class TokenError(Exception):
    """Not a token of ours that counts now; the message is fit for the caller to see."""


class Claims(NamedTuple):
    """What a token says: who (`sub`), until when (seconds since 1970), and what else they may do."""

    customer: str
    expires_s: int
    scopes: frozenset[str]


def mint(key: bytes, customer: str, scopes: tuple[str, ...] = (), lifetime_s: int = 3600) -> str:
    """A signed token for a customer; ValueError if the name is not 1 to 128 printable characters."""
    if not _is_name(customer):
        message = f"a customer has 1 to {CUSTOMER_CHARS_MAX} printable characters"
        raise ValueError(message)
    claims: dict[str, str | int] = {"sub": customer, "aud": AUDIENCE, "exp": int(time.time()) + lifetime_s}
    if scopes:
        claims["scope"] = " ".join(scopes)
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def check(key: bytes, token: str) -> Claims:
    """Verify signature, audience and expiry, and take the claims; TokenError otherwise."""
    try:
        claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, options=_OPTIONS)
    except jwt.ExpiredSignatureError as error:
        message = "the token has expired"
        raise TokenError(message) from error
    except jwt.PyJWTError as error:
        message = f"the token does not verify: {error}"
        raise TokenError(message) from error
    customer, scope = claims["sub"], claims.get("scope", "")
    if not isinstance(customer, str) or not _is_name(customer) or not isinstance(scope, str):
        message = f"the token's sub has 1 to {CUSTOMER_CHARS_MAX} printable characters and its scope is text"
        raise TokenError(message)
    return Claims(customer, int(claims["exp"]), frozenset(scope.split()))


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= CUSTOMER_CHARS_MAX and text.isprintable()
