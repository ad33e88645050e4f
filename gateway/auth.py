"""Who asks: the bearer token of a request, verified once and remembered until it expires."""

import time
from collections.abc import Callable
from typing import NamedTuple

from domain.ids import customer_hash
from gateway.problems import Problem, ProblemError
from gateway.recent import Recent
from streams.keys import Keys
from streams.tokens import SCOPE_OPS, TokenError, check

VERIFIED_HALF_MAX = 20_000
"""Verifying costs 6 us (an unusual token: 45), a look-up 0.2. Up to 40,000 tokens of at most 4 KiB, mostly 0.3 KiB:
15 MiB."""
TOKEN_CHARS_MAX = 4_096
_PREFIX = "bearer "


class Identity(NamedTuple):
    """A verified caller. `customer` is the keyed hash, the only form that leaves the gateway."""

    name: str
    customer: bytes
    expires_s: int
    is_ops: bool


class Authenticator:
    """Verifies tokens. Failed ones are not remembered: each costs its verification again."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        self._verified: Recent[str, Identity] = Recent(VERIFIED_HALF_MAX)

    def identify(self, authorization: str | None) -> Identity:
        """Who is behind an Authorization header; ProblemError (401) if nobody is."""
        if authorization is None:
            raise ProblemError(Problem.UNAUTHORIZED, "send a token: Authorization: Bearer ...", headers=_challenge(""))
        identity = self._verified.get(authorization)
        if identity is None:
            identity = self._verify(authorization)
            self._verified.put(authorization, identity)
        elif identity.expires_s <= self._clock():
            self._verified.drop(authorization)
            message = "the token has expired"
            raise _refused(message)
        return identity

    def identify_ops(self, authorization: str | None) -> Identity:
        """As `identify`, for callers with scope `ops`; ProblemError (403) for others."""
        identity = self.identify(authorization)
        if not identity.is_ops:
            message = f"this needs a token with scope {SCOPE_OPS}"
            challenge = f'Bearer error="insufficient_scope", scope="{SCOPE_OPS}"'
            raise ProblemError(Problem.NO_SCOPE, message, headers={"WWW-Authenticate": challenge})
        return identity

    def _verify(self, authorization: str) -> Identity:
        scheme, token = authorization[: len(_PREFIX)], authorization[len(_PREFIX) :].strip()
        if scheme.lower() != _PREFIX or not token:
            message = "the Authorization header is not: Bearer TOKEN"
            raise _refused(message)
        if len(token) > TOKEN_CHARS_MAX:
            message = f"the token is longer than {TOKEN_CHARS_MAX} characters"
            raise _refused(message)
        try:
            claims = check(self._keys.token, token)
        except TokenError as error:
            raise _refused(str(error)) from error
        customer = customer_hash(self._keys.customer, claims.customer)
        return Identity(claims.customer, customer, claims.expires_s, SCOPE_OPS in claims.scopes)


def _refused(reason: str) -> ProblemError:
    return ProblemError(Problem.UNAUTHORIZED, reason, headers=_challenge(' error="invalid_token"'))


def _challenge(error: str) -> dict[str, str]:
    """RFC 6750 section 3."""
    return {"WWW-Authenticate": f"Bearer{error}"}
