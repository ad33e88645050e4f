"""Identifiers: order ids, hold ids, receipts, the customer's hash. Bytes on the wire, text at the edge."""

import hashlib
from typing import NamedTuple
from uuid import UUID

from domain.mac import mac

ORDER_ID_BYTES = 16
HOLD_ID_BYTES = 17
CUSTOMER_BYTES = 8
FINGERPRINT_BYTES = 8
_LABEL = "turnstile order id v1"


def order_id(key: bytes, customer: str, idempotency_key: str, home: int) -> bytes:
    """The 16 bytes of a version 8 UUID: 16 bits of home partition, then 106 bits of HMAC-SHA256.

    The same customer and key give the same id in every gateway, so a repeat is the same question. The bits for
    version and variant (RFC 9562) are overwritten in the digest.
    """
    if not 0 <= home < 1 << 16:
        message = f"home partition {home} does not fit in 16 bits"
        raise ValueError(message)
    text = f"{_LABEL}{len(customer)}:{customer}:{idempotency_key}".encode()
    raw = bytearray(home.to_bytes(2, "big") + mac(key, text)[: ORDER_ID_BYTES - 2])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def order_text(order: bytes) -> str:
    """The order id as clients see it: a hyphenated UUID."""
    text = order.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_order(text: str) -> bytes:
    """The bytes of an order id in its canonical hyphenated form; ValueError for anything else."""
    value = UUID(text)
    if str(value) != text or value.version != 8:  # noqa: PLR2004 - RFC 9562 version 8
        message = f"{text!r} is not an order id"
        raise ValueError(message)
    return value.bytes


def order_bytes(text: str) -> bytes:
    """The bytes of an order id that stands in a record of ours, whichever version of a UUID; ValueError if it is none.

    An id that no gateway makes is somebody's mistake, and no reason for a role to fall over it.
    """
    return UUID(text).bytes


def home_partition(order: bytes) -> int:
    """The partition that an order (or a hold of it) lives in: the id's first 16 bits."""
    return order[0] << 8 | order[1]


def hold_id(order: bytes, line: int = 0) -> bytes:
    """The key of one reservation row: the order's 16 bytes and the number of the line (0..255)."""
    return order + bytes((line,))


def customer_hash(key: bytes, customer: str) -> bytes:
    """Keyed hash of a customer: no name in any topic, equal in all gateways that share the key."""
    return hashlib.blake2b(customer.encode(), key=key, digest_size=CUSTOMER_BYTES).digest()


class Receipt(NamedTuple):
    """Where the first occurrence of a command stands: its place in the queue, first come first served."""

    partition: int
    offset: int
    index: int  # type: ignore[assignment]  # hides tuple.index

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}:{self.index}"
