"""Idempotency keys as API v1 has them: the first executed answer of a key is its answer for 24 hours.

Kept: what came after the endpoint had begun, declines (402), refused changes (400) and errors of the server (500)
among it. Not kept: malformed parameters, ids that name nothing, 401, 409, 429, 503. After 24 h a key is new.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from adapters.stand_in.refusal import KEY_IN_USE, Refusal, other_endpoint, other_parameters

KEY_CHARS_MAX = 255


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`fingerprint`: of the parameters. `request`: the id of the call that was executed."""

    key: str
    path: str
    fingerprint: str
    at_ms: int
    status: int
    request: str
    body: msgspec.Raw


class Running(msgspec.Struct, frozen=True):
    """Of a call that is not answered yet. `until_ms`: then it will be."""

    path: str
    fingerprint: str
    until_ms: int


class Keys:
    """Bounded by what comes in within `kept_ms` (24 hours)."""

    def __init__(self, kept_ms: int) -> None:
        self._kept_ms = kept_ms
        self._kept: dict[str, Kept] = {}
        self._running: dict[str, Running] = {}

    def look(self, key: str, path: str, fingerprint: str, now_ms: int) -> Kept | Refusal | None:
        """The answer to give again, why there is none, or None for a key that is new."""
        self._prune(now_ms)
        running = self._running.get(key)
        first = running or self._kept.get(key)
        if first is None:
            return None
        if first.path != path:
            return other_endpoint(key, first.path)
        if first.fingerprint != fingerprint:
            return other_parameters(key)
        return KEY_IN_USE if running else self._kept[key]

    def begin(self, key: str, running: Running) -> None:
        """A call with this key is under way."""
        self._running[key] = running

    def keep(self, kept: Kept) -> None:
        """In the order of time."""
        self._kept[kept.key] = kept

    def _prune(self, now_ms: int) -> None:
        while self._kept and next(iter(self._kept.values())).at_ms + self._kept_ms <= now_ms:
            del self._kept[next(iter(self._kept))]
        for key in [key for key, running in self._running.items() if running.until_ms <= now_ms]:
            del self._running[key]


def fingerprint_of(form: Mapping[str, str]) -> str:
    return hashlib.blake2b(repr(sorted(form.items())).encode(), digest_size=16).hexdigest()
