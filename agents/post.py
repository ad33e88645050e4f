"""Sends the mails that are due, beside the chunks: slowly or not at all, orders and their rows do not wait for it."""

import asyncio
from collections.abc import Callable

from adapters.mail.letters import Letters, NoAddressError
from adapters.mail.mailer import DeferredError, Mailer, RefusedError
from adapters.sealing import Sealer, UnreadableError
from adapters.sql.database import Database, SqlAwayError
from adapters.sql.mails import Delivery, Mail, MailQueue, State
from agents.times import wall_ms
from domain.ids import order_bytes
from streams.actions import Action
from streams.logs import Log
from streams.metrics import ConfirmationMetrics

TAKEN_MAX = 20
"""Marked at a time: as many are lost, at most, when this process is killed."""
LOOK_S = 5.0
FIRST_DEFER_MS = 30_000
DEFER_MS_MAX = 3_600_000
ATTEMPTS_MAX = 30
"""A day of trying."""


class Post:
    """One a process; any number of processes share the queue."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        mailer: Mailer,
        log: Log,
        metrics: ConfirmationMetrics,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._queue = MailQueue(database)
        self._sealer = sealer
        self._mailer = mailer
        self._letters = Letters(mailer.sender)
        self._log = log
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._settled: list[tuple[Mail, Delivery]] = []
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """There is something to send."""
        self._poked.set()

    async def run(self) -> None:
        """Send what is due, until cancelled. While SQL is away nothing is: whoever writes rows says so."""
        try:
            while True:
                self._poked.clear()
                try:
                    sent = await asyncio.to_thread(self.send_due)
                except SqlAwayError:
                    sent = 0
                if not sent:
                    await self._rest()
        finally:
            self._mailer.close()

    def send_due(self) -> int:
        """Take what is due and send it; how many were taken. Blocking. SqlAwayError: the next call goes on with it."""
        self._settle()
        taken = self._queue.take(self._clock_ms(), TAKEN_MAX)
        for mail in taken:
            delivery = self._deliver(mail)
            self._settled.append((mail, delivery))
            self._tell(mail, delivery)
        self._settle()
        return len(taken)

    def _settle(self) -> None:
        if self._settled:
            self._queue.settle(self._settled)
            self._settled.clear()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._poked.wait()
        except TimeoutError:
            return

    def _deliver(self, mail: Mail) -> Delivery:
        try:
            address = self._sealer.open(bytes.fromhex(mail.customer), order_bytes(mail.order), mail.sealed)
            self._mailer.send(self._letters.write(mail, address))
        except (UnreadableError, NoAddressError, RefusedError) as error:
            return Delivery(State.FAILED, str(error))
        except SqlAwayError as error:
            return Delivery(State.DUE, str(error), self._clock_ms())
        except DeferredError as error:
            if mail.attempts >= ATTEMPTS_MAX:
                return Delivery(State.FAILED, f"after {mail.attempts} attempts: {error}")
            wait_ms = min(DEFER_MS_MAX, FIRST_DEFER_MS << mail.attempts - 1)
            return Delivery(State.DUE, str(error), self._clock_ms() + wait_ms)
        return Delivery(State.SENT)

    def _tell(self, mail: Mail, delivery: Delivery) -> None:
        reason = delivery.message
        if delivery.state is State.SENT:
            self._metrics.mailed("sent")
        elif delivery.state is State.DUE:
            self._metrics.mailed("deferred")
            self._log(Action.MAIL_DEFERRED, template=mail.template, order=mail.order, reason=reason)
        else:
            self._metrics.mailed("failed")
            self._log(Action.MAIL_FAILED, template=mail.template, order=mail.order, reason=reason)
