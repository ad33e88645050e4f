"""What is written to a connection in one turn of the loop leaves at once: a response's head and its body."""

import asyncio
from typing import Any


class JoiningTransport:
    """Around a transport of uvloop, whose every `write` is a system call and a packet of its own, 8 us of CPU.

    As far as uvicorn's protocol uses a transport; all but writing and closing is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        """Send it at the end of this turn."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(piece)

    def close(self) -> None:
        """Send everything, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces and not self._transport.is_closing():
            self._transport.writelines(pieces)
