"""When which event is delivered to the webhook endpoint: doubled, shuffled, late, lost, and again after a failure.

Decides times only; postman.py sends. What was not delivered when the process ended is lost: a webhook is a hint.
"""

import heapq
from collections import deque
from random import Random

import msgspec

from adapters.stand_in.behaviour import Behaviour

ATTEMPTS_MAX = 6
RETRY_MS = 1_000
"""The first repeat after a failure; each further one after twice the time: 1 + 2 + 4 + 8 + 16 = 31 s in all."""
LOG_MAX = 1_000


class Letter(msgspec.Struct, frozen=True, order=True):
    due_ms: int
    number: int
    event: str
    attempt: int = 1


class Delivery(msgspec.Struct, frozen=True):
    """One attempt and what came of it. `status`: of HTTP, 0 = no answer."""

    number: int
    at_ms: int
    event: str
    type: str
    intent: str
    attempt: int
    status: int


class Mail:
    """`open_`: whether there is an endpoint; without one nothing is planned."""

    def __init__(self, seed: int, *, open_: bool) -> None:
        self._chance = Random(f"mail:{seed}")
        self._open = open_
        self._waiting: list[Letter] = []
        self._planned = 0
        self._delivered = 0
        self.log: deque[Delivery] = deque(maxlen=LOG_MAX)

    def post(self, event: str, now_ms: int, behaviour: Behaviour) -> None:
        """Plan the deliveries of an event."""
        if not self._open:
            return
        lost = self._chance.random() < behaviour.webhook_lost
        copies = 0 if lost else 1 + (self._chance.random() < behaviour.webhook_doubled)
        for _ in range(copies):
            late = self._chance.random() < behaviour.webhook_late
            due_ms = now_ms + self._chance.randint(0, behaviour.webhook_shuffle_ms)
            self._planned += 1
            heapq.heappush(self._waiting, Letter(due_ms + late * behaviour.webhook_late_ms, self._planned, event))

    def due(self, now_ms: int) -> list[Letter]:
        """Take what is to be delivered now; each needs `answered` afterwards."""
        found = []
        while self._waiting and self._waiting[0].due_ms <= now_ms:
            found.append(heapq.heappop(self._waiting))
        return found

    def next_ms(self) -> int | None:
        return self._waiting[0].due_ms if self._waiting else None

    def answered(self, letter: Letter, delivery: Delivery) -> None:
        """What came of it; anything but 2xx is tried again, ATTEMPTS_MAX times in all."""
        self._delivered += 1
        self.log.append(msgspec.structs.replace(delivery, number=self._delivered))
        if delivery.status // 100 != 2 and letter.attempt < ATTEMPTS_MAX:  # noqa: PLR2004 - 2xx
            wait_ms = RETRY_MS * 2 ** (letter.attempt - 1)
            again = Letter(delivery.at_ms + wait_ms, letter.number, letter.event, letter.attempt + 1)
            heapq.heappush(self._waiting, again)
