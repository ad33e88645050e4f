"""HMAC-SHA256 under keys that are used again and again."""

import hmac
from functools import lru_cache

KEYS = 8
"""Kept keyed: those of ids and of tokens, each with its successor during a rotation."""


def mac(key: bytes, message: bytes) -> bytes:
    """32 bytes. To copy what is keyed costs half of keying anew."""
    keyed = _keyed(key).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(KEYS)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
