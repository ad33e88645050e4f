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

from ops.demo.answers import Answer, Ending, Progress, Told, percentile, save
from ops.demo.door import WAIT_S, Door, Heard
from ops.demo.plan import HOLD_S, Options, Shopper, shoppers, sku_names
from streams.keys import Keys
from streams.tokens import SCOPE_OPS, mint

PROGRESS_S = 0.25
DRAIN_S = HOLD_S + 30.0
"""Until every hold has ended: the last may be granted as the sale ends; 30 s for a slow machine."""
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
            self._encore(people, await self._drain())
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
        heard = await self._buy(person, person.key, at, repeat=repeat)
        if heard.status == CREATED and not repeat and person.leaves != "walks":
            await asyncio.sleep(person.dwell)
            await self._end(person, heard, commit=not person.leaves)

    async def _buy(self, person: Shopper, key: str, at: float, *, repeat: bool) -> Heard:
        headers = {
            "Authorization": f"Bearer {mint(self._keys.token, person.customer)}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Prefer": f"wait={WAIT_S}",
        }
        body = json.dumps({"items": [{"sku": person.sku, "quantity": 1}]}).encode()
        self._sent += 1
        heard = await self._door.ask(person.number + repeat, "POST", "/v1/orders", headers, body)
        latency_ms = (time.perf_counter() - self._started - at) * 1000
        self._answers.append(
            Answer(person.customer, key, person.sku, repeat, heard.status, heard.body, latency_ms, heard.tries)
        )
        self._granted += heard.status == CREATED and not repeat
        return heard

    async def _end(self, person: Shopper, grant: Heard, *, commit: bool) -> None:
        """Commit the hold as operations would after a payment, or cancel it as the customer."""
        order = str(json.loads(grant.body)["order_id"])
        token = self._ops if commit else mint(self._keys.token, person.customer)
        headers = {"Authorization": f"Bearer {token}", "Prefer": f"wait={WAIT_S}"}
        path = f"/v1/orders/{order}/{'commit' if commit else 'cancel'}"
        heard = await self._door.ask(person.number, "POST", path, headers, None)
        self._endings.append(Ending(person.customer, order, commit, heard.status, heard.body, heard.tries))

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

    def _encore(self, people: list[Shopper], left: dict[str, int]) -> None:
        """Shoppers who were refused as all-held come back with a new key for what was let go, and buy it."""
        refused = {
            answer.customer
            for answer in self._answers
            if answer.status == 409 and '"all-held"' in answer.body  # noqa: PLR2004
        }
        for sku, units in left.items():
            again = [person for person in people if person.sku == sku and person.customer in refused][:units]
            for person in again:
                self._spawn(self._return(person))

    async def _return(self, person: Shopper) -> None:
        at = time.perf_counter() - self._started
        heard = await self._buy(person, f"again-{person.number}", at, repeat=False)
        if heard.status == CREATED:
            await self._end(person, heard, commit=True)

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


async def run(job: Job, keys: Keys) -> None:
    """Do the job: answers into its file, progress on stdout."""
    door = Door(job.urls, random.Random(job.options.seed))
    try:
        told = await Load(job.options, door, keys).run()
    finally:
        await door.close()
    await asyncio.to_thread(save, Path(job.answers), told)
