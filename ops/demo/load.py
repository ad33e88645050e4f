"""The shoppers: open-loop arrivals over HTTP. Runs in a process of its own (`python -m ops.demo JOB`).

Who waits for an answer holds nobody up: each request is sent at its planned moment, and its latency counts from then.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from domain.orders import SETTLED
from ops.demo.answers import Answer, Ending, Progress, Told, percentile, save
from ops.demo.door import WAIT_S, Door, Heard
from ops.demo.plan import CARD, HOLD_S, Options, Shopper, shoppers, sku_names
from streams.keys import Keys
from streams.tokens import SCOPE_OPS, mint

PROGRESS_S = 0.25
DRAIN_S = HOLD_S + 60.0
"""Until every hold has ended: the last may be granted as the sale ends; 60 s for a slow machine and provider."""
FOLLOW_S = 60.0
"""How long a holder looks at the order: a payment may wait for a provider that hardly answers."""
LOOK_S = (0.5, 2.0)
"""Between two looks, growing."""
CARDS_MAX = 3
"""As many attempts as an order has."""
ENCORES_MAX = 3
CREATED = 201
OK = 200


class Job(msgspec.Struct, frozen=True):
    """What the load needs to know: gateways' addresses, the folder of the keys, the plan, where answers go."""

    urls: list[str]
    data_dir: str
    options: Options
    answers: str


class Load:
    """One sale."""

    def __init__(self, options: Options, door: Door, keys: Keys) -> None:
        self._options = options
        self._door = door
        self._keys = keys
        self._ops = mint(keys.token, "demo", (SCOPE_OPS,))
        self._answers: list[Answer] = []
        self._endings: list[Ending] = []
        self._group = asyncio.TaskGroup()  # a bug in one shopper ends the load
        self._tasks: set[asyncio.Task[None]] = set()
        self._reported = 0
        self._sent = 0
        self._granted = 0
        self._phase = "sale"
        self._started = time.perf_counter()

    async def run(self) -> Told:
        """The sale, then wait until every hold has ended, then sell what came back to shoppers who try again."""
        async with self._group:
            progress = self._group.create_task(self._progress())
            people = shoppers(self._options)
            sale_s = await self._sale(people)
            await self._settle("last answers")
            self._phase = "holds end"
            for number in range(1, ENCORES_MAX + 1):
                left = await self._drain()
                if not any(left.values()):
                    break
                self._encore(people, left, number)
                await self._settle("encore")
            progress.cancel()
        self._report()
        return Told(self._answers, self._endings, sale_s)

    async def _sale(self, people: list[Shopper]) -> float:
        """Send all requests and repeats on time; how long that took."""
        moments = [(person.at, person, False) for person in people]
        moments += [(p.at + p.repeat_after, p, True) for p in people if p.repeat_after is not None]
        moments.sort(key=lambda moment: moment[0])
        self._started = time.perf_counter()
        for at, person, repeat in moments:
            ahead = self._started + at - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._spawn(self._shop(person, at, repeat=repeat))
        return time.perf_counter() - self._started

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, phase: str) -> None:
        """Wait for all requests and all holders' endings."""
        self._phase = phase
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _shop(self, person: Shopper, at: float, *, repeat: bool) -> None:
        heard = await self._buy(person, person.key, at, repeat=repeat, pays=person.at_once)
        if heard.status != CREATED or repeat or person.leaves == "walks":
            return
        if person.at_once:
            await self._follow(person, heard, "pay", Heard(0, "", 0))
            return
        await asyncio.sleep(person.dwell)
        wish = "cancel" if person.leaves else "pay"
        await self._follow(person, heard, wish, await self._wish(person, heard, wish))

    async def _buy(self, person: Shopper, key: str, at: float, *, repeat: bool, pays: bool) -> Heard:
        headers = {
            "Authorization": f"Bearer {mint(self._keys.token, person.customer)}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Prefer": f"wait={WAIT_S}",
        }
        wanted: dict[str, Any] = {"items": [{"sku": person.sku, "quantity": 1}]}
        body = json.dumps({**wanted, "payment_method": CARD} if pays else wanted).encode()
        self._sent += 1
        heard = await self._door.ask(person.number + repeat, "POST", "/v1/orders", headers, body)
        latency_ms = (time.perf_counter() - self._started - at) * 1000
        self._answers.append(
            Answer(person.customer, key, person.sku, repeat, heard.status, heard.body, latency_ms, heard.tries)
        )
        self._granted += heard.status == CREATED and not repeat
        return heard

    async def _wish(self, person: Shopper, grant: Heard, wish: str) -> Heard:
        """Pay with the card, or cancel."""
        path = "payment" if wish == "pay" else "cancel"
        body = json.dumps({"payment_method": CARD}).encode() if wish == "pay" else None
        return await self._ask(person, "POST", f"/v1/orders/{_order(grant)}/{path}", body)

    async def _follow(self, person: Shopper, grant: Heard, wish: str, heard: Heard) -> None:
        """Look at the order until it ends; with another card when one was declined."""
        order, cards, tries = _order(grant), 1, heard.tries
        wait_s, end = LOOK_S[0], time.monotonic() + FOLLOW_S
        while True:
            looked = await self._ask(person, "GET", f"/v1/orders/{order}", None)
            told = json.loads(looked.body) if looked.status == OK else {}
            seen = str(told.get("status", ""))
            if seen in SETTLED or time.monotonic() > end:
                break
            payment = told.get("payment", {})
            declined = seen == "PAYMENT_PENDING" and payment.get("state") == "none" and payment.get("attempt") == cards
            if wish == "pay" and declined and cards < CARDS_MAX:
                cards += 1
                heard = await self._wish(person, grant, "pay")
                tries += heard.tries
            await asyncio.sleep(wait_s)
            wait_s = min(LOOK_S[1], wait_s * 1.5)
        self._endings.append(Ending(person.customer, order, wish, heard.status, heard.body, seen, tries))

    async def _ask(self, person: Shopper, method: str, path: str, body: bytes | None) -> Heard:
        headers = {"Authorization": f"Bearer {mint(self._keys.token, person.customer)}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._door.ask(person.number, method, path, headers, body)

    async def _drain(self) -> dict[str, int]:
        """Wait until no SKU has a hold; how many units of each came back and lie there."""
        end = time.monotonic() + DRAIN_S
        left: dict[str, int] = {}
        headers = {"Authorization": f"Bearer {self._ops}"}
        for sku in sku_names(self._options):
            while True:
                heard = await self._door.ask(0, "GET", f"/v1/skus/{sku}", headers, None)
                counters = json.loads(heard.body) if heard.status == OK else {}
                if counters.get("held") == 0:
                    left[sku] = counters["available"]
                    break
                if time.monotonic() > end:
                    sys.exit(f"{sku} still has holds {DRAIN_S:.0f} s after the sale: {heard.status} {heard.body}")
                await asyncio.sleep(0.1)
        return left

    def _encore(self, people: list[Shopper], left: dict[str, int], number: int) -> None:
        """Shoppers who were refused as all-held come back with a new key for what was let go, and buy it."""
        refused = {
            answer.customer
            for answer in self._answers
            if answer.status == 409 and '"all-held"' in answer.body  # noqa: PLR2004
        } - {answer.customer for answer in self._answers if answer.status == CREATED}
        for sku, units in left.items():
            again = [person for person in people if person.sku == sku and person.customer in refused][:units]
            for person in again:
                self._spawn(self._return(person, f"again-{number}-{person.number}"))

    async def _return(self, person: Shopper, key: str) -> None:
        at = time.perf_counter() - self._started
        heard = await self._buy(person, key, at, repeat=False, pays=True)
        if heard.status == CREATED:
            await self._follow(person, heard, "pay", Heard(0, "", 0))

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            self._report()

    def _report(self) -> None:
        """One line on stdout, of what happened since the line before."""
        fresh = [answer.latency_ms for answer in self._answers[self._reported :]]
        self._reported = len(self._answers)
        progress = Progress(
            self._phase,
            self._sent,
            len(self._answers),
            self._granted,
            self._door.retries,
            round(percentile(fresh, 0.5), 1),
            round(percentile(fresh, 0.99), 1),
        )
        sys.stdout.write(msgspec.json.encode(progress).decode() + "\n")
        sys.stdout.flush()


def _order(grant: Heard) -> str:
    return str(json.loads(grant.body)["order_id"])


async def run(job: Job, keys: Keys) -> None:
    """Do the job: answers into its file, progress on stdout."""
    door = Door(job.urls, random.Random(job.options.seed))
    try:
        told = await Load(job.options, door, keys).run()
    finally:
        await door.close()
    await asyncio.to_thread(save, Path(job.answers), told)
