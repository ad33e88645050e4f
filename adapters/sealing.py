"""Addresses on their way through the log: sealed with a data key of the customer, which stands in SQL alone.

    sealed = version (1 byte), nonce (12), AES-256-GCM(data key, address; associated data: order id), tag (16)
    wrapped = version (1 byte), nonce (12), AES-256-GCM(master key, data key; associated data: customer), tag (16)

The master key is a file of the installation (streams/keys.py); whoever has the topics, or the database, but not that
file reads no address. A sealed address is of no use for another order, nor a wrapped key for another customer.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.sql.customer_keys import CustomerKeys
from adapters.sql.database import Database

KEY_BYTES = 32
SEALED_BYTES_MORE = 29
"""A sealed address is so much longer than the address."""
CACHED_MAX = 10_000
CACHED_S = 300.0
"""How long a gateway may go on sealing with a key that was erased meanwhile: what it seals then, nobody can read."""
_VERSION = b"\x01"
_NONCE_BYTES = 12


class UnreadableError(Exception):
    """The address cannot be opened: the customer was erased, or it was sealed for another order, or by other keys."""


class Sealer:
    """Seals and opens addresses. Synchronous and safe in threads; SQL is asked once a customer and CACHED_S."""

    def __init__(
        self, database: Database, master_key: bytes, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._keys = CustomerKeys(database)
        self._master = AESGCM(master_key)
        self._clock_ms = clock_ms
        self._cached: OrderedDict[bytes, tuple[float, AESGCM]] = OrderedDict()
        self._lock = threading.Lock()

    def seal(self, customer: bytes, order: bytes, address: bytes) -> bytes:
        """Seal for one order (16 bytes) of a customer (hash, 8 bytes), whose first one makes the key. SqlAwayError."""
        return _seal(self._key(customer, make=True), order, address)

    def open(self, customer: bytes, order: bytes, sealed: bytes) -> bytes:
        """What was sealed. UnreadableError, SqlAwayError."""
        return _open(self._key(customer, make=False), order, sealed)

    def erase(self, customer: bytes) -> bool:
        """Make every address of the customer unreadable; whether there was a key. Elsewhere within CACHED_S."""
        with self._lock:
            self._cached.pop(customer, None)
        return self._keys.erase(customer.hex())

    def _key(self, customer: bytes, *, make: bool) -> AESGCM:
        now_s = time.monotonic()
        with self._lock:
            until_s, key = self._cached.get(customer, (0.0, None))
            if key and now_s < until_s:
                return key
        wrapped = self._keys.find(customer.hex())
        if wrapped is None and not make:
            message = "there is no key of that customer"
            raise UnreadableError(message)
        if wrapped is None:
            fresh = _seal(self._master, customer, secrets.token_bytes(KEY_BYTES))
            wrapped = self._keys.settle(customer.hex(), fresh, self._clock_ms())
        key = AESGCM(_open(self._master, customer, wrapped))
        with self._lock:
            self._cached[customer] = (now_s + CACHED_S, key)
            self._cached.move_to_end(customer)
            while len(self._cached) > CACHED_MAX:
                self._cached.popitem(last=False)
        return key


def _seal(key: AESGCM, about: bytes, plain: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + key.encrypt(nonce, plain, about)


def _open(key: AESGCM, about: bytes, sealed: bytes) -> bytes:
    nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _VERSION or len(sealed) < SEALED_BYTES_MORE:
        message = "not sealed in a way that this code knows"
        raise UnreadableError(message)
    try:
        return key.decrypt(nonce, body, about)
    except InvalidTag as error:
        message = "sealed for something else, or by another key"
        raise UnreadableError(message) from error
