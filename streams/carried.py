"""What a Reserve carries for the order that may be born of its grant: opaque to stock, at most 1 KiB.

Also the shape in which `shipping` travels in a Place. Nothing here is in clear: `shipping` is sealed.
"""

from typing import NamedTuple

import msgspec

from streams.records import UndecodableError


class Carried(NamedTuple):
    """`method` = payment method id at the provider ("" = none yet), `shipping` = sealed address (b"" = none)."""

    method: str = ""
    shipping: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Carried).decode


def encode_carried(carried: Carried) -> bytes:
    """For Reserve.carried; empty where there is nothing to carry."""
    return _encode(carried) if carried.method or carried.shipping else b""


def decode_carried(value: bytes) -> Carried:
    """UndecodableError if it is none."""
    if not value:
        return Carried()
    try:
        return _decode(value)
    except ValueError as error:  # msgspec.MsgspecError is one
        raise UndecodableError(str(error)) from error
