"""Looks, now and then, through the provider's own list for money of ours that no living order knows.

Nothing here decides that: each intent that holds money is hinted at, and its order (or the lack of one) tells whether
somebody still waits for it. An intent is looked at once, when its order must be through with its payment.
"""

import asyncio

from adapters.payments import Provider
from agents.answers import Answers
from agents.gate import Gate
from agents.times import wall_ms
from domain.ids import home_partition, parse_order
from domain.order_shapes import WELL_FORMED_ORDER
from domain.orders import Hint
from domain.payment_run import is_alive
from domain.provider import Find, IntentSeen, Page
from domain.roles import Role
from streams.actions import Action
from streams.logs import Log

SETTLED_MS = 1_200_000
"""An order that has not authorised 14 minutes after its birth is undone, and its void takes less than the rest."""
BACK_MS = 3_600_000
"""How far the first look of a process goes back, at 50 orders a second 1,800 pages. What is older was looked at by the
process before it; where there was none for longer, webhooks alone tell."""
AGAIN_S = 5.0
RANK = 9
KIND = "sweep"


class Sweep:
    """`environment`: what marks our money, of orders in `partitions` partitions; `every_s`: between two looks."""

    def __init__(
        self,
        environment: str,
        partitions: int,
        provider: Provider,
        gate: Gate,
        answers: Answers,
        log: Log,
        every_s: float,
    ) -> None:
        self._environment = environment
        self._partitions = partitions
        self._provider = provider
        self._gate = gate
        self._answers = answers
        self._log = log
        self._every_s = every_s
        self._done_ms = wall_ms() - SETTLED_MS - BACK_MS

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._look(wall_ms() - SETTLED_MS)
            await asyncio.sleep(self._every_s)

    async def _look(self, until_ms: int) -> None:
        """Everything since the last look, page by page. At 50 orders a second, 300 pages each 10 minutes."""
        call, seen, hints = Find(self._done_ms, until_ms), 0, 0
        while True:
            page = await self._page(call)
            if page is None:
                await asyncio.sleep(AGAIN_S)
                continue
            seen += len(page.intents)
            told = [hint for intent in page.intents if (hint := self._hint(intent))]
            hints += len(told)
            await asyncio.gather(*[self._answers.put(home_partition(hint.order), hint) for hint in told])
            if not page.more:
                break
            call = call._replace(after=page.intents[-1].id)
        self._done_ms = until_ms
        if seen:
            self._log(Action.SWEPT, intents=seen, hints=hints, until_ms=until_ms)

    async def _page(self, call: Find) -> Page | None:
        ticket = await self._gate.enter(write=False, rank=RANK, wanted=lambda: True)
        if ticket is None:
            return None
        reply = None
        try:
            reply = await self._provider.perform(call)
        finally:
            self._gate.leave(ticket, reply)
        return reply if isinstance(reply, Page) else None

    def _hint(self, intent: IntentSeen) -> Hint | None:
        """None: no money, or not ours. Whoever writes our environment into other metadata than ours is not us."""
        if intent.tags.environment != self._environment or not is_alive(intent):
            return None
        try:
            order = parse_order(intent.tags.order)
        except ValueError:
            return None
        hint = Hint(order, intent.tags.attempt, intent.id, intent.id, KIND)
        is_ours = home_partition(order) < self._partitions and WELL_FORMED_ORDER[Hint](hint, Role.PAYMENT, 0)
        return hint if is_ours else None
