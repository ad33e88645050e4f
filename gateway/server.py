"""uvicorn around the application: one process, one loop; SIGTERM finishes what was begun."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp

from gateway.protocol import Protocol

DRAIN_S = 10
"""Longer than anybody waits for an answer (5 s)."""
KEEP_ALIVE_S = 65
"""Longer than common proxies keep a connection idle (60 s), so that they close it and not we."""


class Server(uvicorn.Server):
    """Ends by return on SIGTERM or SIGINT, instead of raising the signal again."""

    def __init__(self, app: ASGIApp, host: str, port: int, on_stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host,
                port,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing here asks where a request came from
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

        self.listening = asyncio.Event()
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Accept nothing more, answer what waits, return from `serve`. `on_stop` ends what waits for ever."""
        self.should_exit = True
        self._on_stop()

    def address(self) -> str:
        """Where it listens, once started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
