"""`turnstile demo`: the whole system, a sale, a kill, and the verdict."""

import asyncio
import contextlib
import secrets
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlencode

import msgspec
from rich.console import Console

from adapters.sql.database import Database
from adapters.stand_in.charges import read_lines
from ops import evidence
from ops.audit.log_source import kafka_source
from ops.audit.partition import Options as Audited
from ops.audit.source import Source
from ops.audit.verify import audit
from ops.cli.gateway_client import GatewayClient
from ops.cli.stand_in_client import StandInClient
from ops.demo.answers import Progress, load
from ops.demo.history import History, read
from ops.demo.load import Job
from ops.demo.orders import Orders
from ops.demo.plan import HOLD_S, Options, hot_partition, kill_share, sku_names
from ops.demo.verdict import Evidence, Judgement, Kill, judge
from ops.demo.view import View
from ops.demo.watch import LedgerWatch
from ops.deployment import Deployment
from ops.jars import progress_bar
from ops.lifeline import die_with_parent
from ops.roster import Shape
from ops.supervisor import Event, python_module
from ops.survey import survey
from ops.topics_admin import TopicsAdmin
from settings import Shared
from streams import keys, runfile
from streams.kafka_log import KafkaLog
from streams.tokens import SCOPE_OPS, mint
from streams.topics import Ledger, named

WORKERS = 2
GATEWAYS = 2
PRICE = 18_000
PROVIDER = {"webhook_doubled": 0.1, "webhook_lost": 0.05, "webhook_shuffle_ms": 500, "answer_lost": 0.01}
"""What a provider does on an ordinary day; limits of 100 reads and 100 writes a second are its default."""
CALLS_PER_S = 100
BROWNOUT_AT = 0.4
"""After this share of the sale's time, if a brownout is asked for."""
TICK_S = 0.02
LOOK_S = 0.5
DECIDED_S = 60.0
STALE_S = 0.2
"""The owner that is to be killed must have decided something within this time: it is surely the owner."""


class DemoError(RuntimeError):
    """The demo could not be carried through, so there is nothing to judge."""


class Demo:
    """One run in a folder of its own."""

    def __init__(self, options: Options, settings: Shared, console: Console) -> None:
        self.options = options
        self._console = console
        self._view = View(console, options.shoppers)
        self._settings = settings
        self._kill: Kill | None = None
        self._killed_pid = 0
        self._browned_out = False
        behaviour = {"declines": options.declines, "latency_ms": options.latency_ms, "seed": options.seed}
        provider = f"stand-in://?{urlencode({**behaviour, **PROVIDER})}"
        settings = settings.model_copy(update={"payments": provider})
        shape = Shape(WORKERS, (0,) * GATEWAYS, {"log_level": "info", "calls_per_s": CALLS_PER_S})
        self._bar = contextlib.ExitStack()
        report = self._bar.enter_context(progress_bar(console, "fetching Kafka"))
        self._deployment = Deployment(settings, shape, self._say, self._on_event, report)

    async def run(self) -> Judgement:
        """Start, sell, kill, stop, judge."""
        deployment = self._deployment
        try:
            with self._bar:
                await deployment.start()
            await asyncio.to_thread(self._open_sale)
            await self._sell()
            await self._until_decided()
            self._say("reading the ledger ...")
            evidence = await asyncio.to_thread(self._collect)
            return judge(evidence, keys.load(self._settings.data_dir))
        finally:
            await deployment.stop()

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)

    def _on_event(self, event: Event) -> None:
        if event.what == "exited" and event.pid == self._killed_pid and self._kill is not None:
            self._kill = self._kill._replace(exit=event.detail)
        if event.what in {"exited", "killed", "failed"}:
            self._view.happened(f"{event.name} (process {event.pid}) {event.what}: {event.detail}")
        elif event.what == "started" and self._kill is not None:
            self._view.happened(f"{event.name} is started again (process {event.pid})")

    def _open_sale(self) -> None:
        token = mint(keys.load(self._settings.data_dir).token, "demo", (SCOPE_OPS,))
        client = GatewayClient(self._deployment.urls[0], token)
        for sku in sku_names(self.options):
            body = {
                "sku": sku,
                "price": PRICE,
                "currency": "EUR",
                "units": self.options.units,
                "limit_per_customer": 1,
                "hold_seconds": HOLD_S,
            }
            client.expect("POST", "/v1/skus", body)
            client.expect("POST", f"/v1/skus/{sku}/open")

    # --- the sale -------------------------------------------------------------------------------------------------

    async def _sell(self) -> None:
        deployment, options = self._deployment, self.options
        watch = LedgerWatch(deployment.servers, deployment.topics, deployment.partitions, self._view.happened)
        watching = asyncio.create_task(watch.run())
        process = await self._start_load()
        self._say(f"{options.shoppers:,} shoppers in {options.seconds:.0f} s for {options.units} units each of "
                  f"{', '.join(sku_names(options))}; {options.hot:.0%} want the first")  # fmt: skip
        reading = asyncio.create_task(self._read_progress(process))
        started_s = time.monotonic()
        try:
            with self._view as view:
                while not reading.done():
                    if watching.done():
                        watching.result()
                    self._kill_if_due(watch)
                    await self._brown_out_if_due(time.monotonic() - started_s)
                    view.tick(watch)
                    await asyncio.sleep(TICK_S)
                reading.result()
        finally:
            watching.cancel()
            if process.returncode is None:
                process.kill()
            code = await process.wait()
        if code:
            message = f"the shoppers' process ended with {code}; see its output above"
            raise DemoError(message)

    async def _start_load(self) -> Process:
        data_dir = self._settings.data_dir
        job = Job(self._deployment.urls, str(data_dir), self.options, str(data_dir / "answers.json"))
        path = data_dir / "job.json"
        path.write_bytes(msgspec.json.encode(job))
        return await asyncio.create_subprocess_exec(
            *python_module("ops.demo", str(path)),
            stdout=PIPE,
            stderr=sys.stderr,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )

    async def _read_progress(self, process: Process) -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            self._view.progress = msgspec.json.decode(line, type=Progress)

    def _kill_if_due(self, watch: LedgerWatch) -> None:
        options = self.options
        if not options.kill or self._kill or watch.requests_decided < kill_share(options) * options.shoppers:
            return
        hot = watch.partitions[hot_partition(options, len(watch.partitions))]
        if not hot.owner or time.monotonic() - hot.decided_s > STALE_S:
            return
        at_ms = time.time_ns() // 1_000_000
        self._killed_pid = self._deployment.supervisor.kill(hot.owner)
        self._kill = Kill(hot.owner, self._killed_pid, at_ms, "")
        share = watch.requests_decided / options.shoppers
        self._view.happened(f"kill -9 of {hot.owner}, which owns the hot SKU, after {share:.0%} of the requests")

    async def _brown_out_if_due(self, since_s: float) -> None:
        """For some seconds the provider hardly answers."""
        seconds = self.options.brownout_s
        if self._browned_out or not seconds or since_s < BROWNOUT_AT * self.options.seconds:
            return
        self._browned_out = True
        await asyncio.to_thread(self._stand_in.ask, "POST", "brownout", {"ms": round(seconds * 1000)})
        self._view.happened(f"the payment provider hardly answers for {seconds:.0f} s")

    @property
    def _stand_in(self) -> StandInClient:
        return StandInClient(self._settings, self._deployment.payments)

    async def _until_decided(self) -> None:
        """Wait for the last decisions and for the orders' ends; what is still under way then, the verdict counts."""
        deployment, end = self._deployment, time.monotonic() + DECIDED_S
        async with KafkaLog(deployment.servers, "turnstile-demo") as log:
            while time.monotonic() < end:
                states = [await survey(log, deployment.topics, ledger) for ledger in Ledger]
                if not any(state.lag for state in chain(*states)) and not await asyncio.to_thread(self._under_way):
                    return
                await asyncio.sleep(LOOK_S)

    def _under_way(self) -> int:
        """Orders that are neither final nor confirmed."""
        orders = Orders()
        with self._source() as source:
            for partition in range(source.partitions):
                orders.fold(source, partition)
        return orders.under_way()

    # --- the evidence ---------------------------------------------------------------------------------------------

    def _collect(self) -> Evidence:
        """Read the whole log, twice: the auditor by its rules, the demo by the product's."""
        deployment = self._deployment
        orders = Orders()
        database = Database(self._settings.sql_url)
        with self._source() as source:
            book = evidence.book(read_lines(self._stand_in.read("GET", "book")))
            records = evidence.records(database, deployment.topics.order_events.name)
            report = audit(source, options=Audited(book=book, records=records))
            histories: list[History] = [read(source, partition) for partition in range(source.partitions)]
            for partition in range(source.partitions):
                orders.fold(source, partition)
        database.close()
        told = load(self._settings.data_dir / "answers.json")
        if self.options.kill and self._kill is None:
            message = "the owner was never killed: the sale was over too soon"
            raise DemoError(message)
        return Evidence(self.options, deployment.partitions, report, histories, told, self._kill, orders.fates, book)

    @contextlib.contextmanager
    def _source(self) -> Iterator[Source]:
        with kafka_source(self._deployment.servers, self._deployment.topics) as source:
            yield source


async def run_demo(options: Options, settings: Shared, console: Console) -> Judgement:
    """Run it in a temporary folder, which stays if it fails, as do the topics on a foreign broker, in a namespace.

    What `Deployment.start` raises, or DemoError.
    """
    folder = Path(await asyncio.to_thread(mkdtemp, prefix="turnstile-demo-"))
    values: dict[str, object] = {"data_dir": folder}
    foreign = settings.broker != runfile.EMBEDDED
    if foreign:
        values["namespace"] = f"demo-{secrets.token_hex(4)}"
    mine = settings.model_copy(update=values)
    keep = True
    try:
        judgement = await Demo(options, mine, console).run()
        keep = not judgement.passed
    except asyncio.CancelledError:  # Ctrl-C
        keep = False
        raise
    finally:
        if keep:
            console.print(f"logs, answers and data are kept in {folder}", highlight=False, soft_wrap=True)
        else:
            shutil.rmtree(folder)
    if foreign and judgement.passed:
        async with TopicsAdmin(runfile.resolve(mine)) as admin:
            await admin.delete(topic.name for topic in named(mine.namespace))
    return judgement
