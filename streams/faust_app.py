"""Faust, as the roles use it: it joins the consumer group, runs services and timers, and stops them on a signal.

The owner roles read their partitions themselves (docs/architecture.md): Faust's stream costs 140-240 us a record, and
its group only plans. So their app subscribes to the empty plan topic, whose partitions stand for those of the ledger.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
from mode import ServiceT

LOGGER = "mode"
"""Where services say that they start and stop: quiet, unless debugging. By default each is a logger of its own."""

STOP_S = 10.0
"""Faust can wait for ever for an unacked message, or a broker that is away. A supervisor kills after 20 s."""

Stopping = Callable[[], Awaitable[None]]


class QuietApp(faust.App):
    """A Faust app that keeps nothing on disk."""

    logger = logging.getLogger(LOGGER)

    def _create_directories(self) -> None:
        """No table, no web server, no leader: nothing to put into the data folder that Faust makes by default."""


def common_settings(servers: str, client_id: str) -> dict[str, Any]:
    """What every app of ours is set to. `servers` is host:port,host:port; DescribeGroups shows `client_id`."""
    return {
        "broker": [f"kafka://{server}" for server in servers.split(",")],
        "broker_client_id": client_id,
        # The group learns of a death after the session; owners do not wait for it (W9).
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 2.0,
        "broker_request_timeout": 40.0,
        "store": "memory://",
        "datadir": Path(os.devnull).parent,
        "web_enabled": False,  # on by default, at 0.0.0.0, without authentication
        "topic_allow_declare": False,  # `turnstile topics apply` makes topics
        "topic_disable_leader": True,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "stream_wait_empty": False,
        "stream_buffer_maxsize": 16_384,
        "worker_redirect_stdouts": False,
    }


def plan_app(servers: str, group: str, client_id: str, topic: str) -> QuietApp:
    """An app in the consumer group `group` on the plan topic. `client_id` names this process in DescribeGroups.

    `servers` is host:port,host:port.
    """
    app = QuietApp(
        group,
        broker_commit_interval=0.5,
        consumer_auto_offset_reset="latest",
        **common_settings(servers, client_id),
    )

    async def ignore(stream: faust.StreamT[bytes]) -> None:
        """Nothing is ever written to the plan topic; having an agent on it is what joins the group."""
        async for _ in stream:
            pass

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes), name="plan")(ignore)
    return app


class RoleWorker(faust.Worker):
    """Runs an app and services; on TERM or INT it first awaits `stopping`, then lets Faust stop.

    Faust's own handler stops services at once. A second signal does not wait. `stopping` keeps its own deadline;
    `hung` is called, from another thread, when Faust takes too long to stop.
    """

    def __init__(
        self,
        app: faust.App,
        *services: ServiceT,
        stopping: Stopping,
        hung: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(app, *services, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        self.spinner = None  # it would move the terminal's cursor
        self._stopping = stopping
        self._patience = threading.Timer(STOP_S, hung, [f"Faust did not stop in {STOP_S:.0f} s"])
        self._patience.daemon = True
        self._farewell: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Stop the services and the app, also after a crash."""
        if not self._patience.is_alive():
            self._patience.start()
        await super().stop()

    def _on_sigterm(self) -> None:
        self._say_farewell(super()._on_sigterm)

    def _on_sigint(self) -> None:
        self._say_farewell(super()._on_sigint)

    def _say_farewell(self, stop: Callable[[], None]) -> None:
        if self._farewell is not None:
            stop()
            return

        async def farewell() -> None:
            try:
                await self._stopping()
            finally:
                stop()

        self._farewell = asyncio.ensure_future(farewell(), loop=self.loop)
