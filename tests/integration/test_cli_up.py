"""`turnstile up` and the commands around it, as a person at a terminal has them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import gateways_file
from ops.roster import AGENTS
from settings import environment_with
from streams import runfile
from tests.integration.harness import ROOT, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
UP_S = 120.0
RUNNING = 8 + len(AGENTS)
"""The broker, two owners each of stock and of orders, the agents, the stand-in, two gateways."""


class System:
    """One `turnstile up` in a data folder of its own."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.data_dir = data_dir
        self._settings = settings
        self.out = data_dir.parent / "up.out"
        self.port = two_free_ports()
        argv = ("up", "--port", str(self.port), "--partitions", "4")
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                self._argv(argv), cwd=ROOT, env=self._environment(), stdout=out, stderr=out, start_new_session=True
            )

    async def until_up(self) -> None:
        def is_up() -> bool:
            assert self.process.poll() is None, self.out.read_text()
            return "turnstile is up" in self.out.read_text()

        await eventually(is_up, within_s=UP_S, what="turnstile is up")

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """A command beside it: exit code, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            *self._argv(arguments),
            cwd=ROOT,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()

    async def json(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        code, out, err = await self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    def children(self) -> dict[int, str]:
        """Process ids and command lines of its children."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and parent(int(folder.name)) == self.process.pid:
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def whole_without(self, pid: int) -> bool:
        """All run, and that one is none of them."""
        children = self.children()
        return len(children) == RUNNING and pid not in children

    def _environment(self) -> dict[str, str]:
        return environment_with({"data_dir": self.data_dir, **self._settings})

    @staticmethod
    def _argv(arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-m", "ops", *arguments)


def parent(pid: int) -> int:
    """Of a process that is no zombie; 0 if there is none."""
    try:
        state, ppid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state == "Z" else int(ppid)


def two_free_ports() -> int:
    """The first of two adjacent ports that nobody uses."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture
def system(tmp_path) -> Iterator[System]:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    system = System(data_dir)
    yield system
    if system.process.poll() is None:
        system.process.send_signal(signal.SIGINT)
        try:
            system.process.wait(40)
        except subprocess.TimeoutExpired:
            system.process.kill()
            system.process.wait()


async def test_a_person_brings_it_up_sells_looks_moves_checks_and_stops_it(system):
    await system.until_up()
    assert len(system.children()) == RUNNING, system.children()
    assert gateways_file.first(system.data_dir) == f"http://127.0.0.1:{system.port}"

    code, _, err = await system.run("up")
    assert (code, "running already" in err) == (1, True), err

    first = await system.json("seed")
    assert len(first) == 10
    assert await system.json("seed") == [
        {**one, "as_of": again["as_of"]} for one, again in zip(first, await system.json("seed"), strict=True)
    ]

    bought = await system.json("buy", "poster-a2", "--customer", "ann", "--key", "k1")
    assert (bought["http_status"], bought["replayed"], bought["body"]["status"]) == (201, False, "RESERVED")
    again = await system.json("buy", "poster-a2", "--customer", "ann", "--key", "k1")
    assert (again["replayed"], again["body"]) == (True, bought["body"])
    code, out, err = await system.run("buy", "none")
    assert (code, out) == (1, "")
    assert "404" in err

    shown = await system.json("sku", "show", "poster-a2")
    assert (shown["received"], shown["available"], shown["held"]) == (1_000, 999, 1)
    await system.json("sku", "adjust", "poster-a2", "5", "--reference", "d1")
    await system.json("sku", "adjust", "poster-a2", "5", "--reference", "d1")
    assert (await system.json("sku", "close", "poster-a2"))["available"] == 1_004
    code, _, err = await system.run("buy", "poster-a2", "--customer", "bob")
    assert (code, "closed" in err) == (1, True), err
    assert (await system.json("sku", "open", "poster-a2"))["status"] == "open"

    await journeys(system)
    await moves(system)
    await audits(system)

    system.process.send_signal(signal.SIGINT)
    pids = system.children()
    assert system.process.wait(40) == 0
    assert [pid for pid in pids if parent(pid)] == []
    with pytest.raises(runfile.NoBrokerError):
        runfile.read(system.data_dir)
    assert not (system.data_dir / gateways_file.NAME).exists()


async def journeys(system) -> None:
    """Two orders through all roles and the stand-in: one delivered and partly taken back, one cancelled."""
    card = ("--payment-method", "pm_card_visa", "--wait")
    several = await system.json("buy", "--lines", "poster-a2:1,hoodie-black:2", "--customer", "eve", *card)
    single = await system.json("buy", "poster-a2", "--customer", "eve", *card)
    assert (several["status"], single["status"]) == ("CONFIRMED", "CONFIRMED")
    listed = (await system.json("order", "list", "--customer", "eve"))["orders"]
    orders = [bought["body"]["order_id"] for bought in (single, several)]
    assert [one["order_id"] for one in listed] == orders
    assert (await system.json("order", "ship", orders[1]))["status"] == "SHIPPED"
    assert (await system.json("order", "deliver", orders[1]))["status"] == "DELIVERED"
    await system.json("order", "return", orders[1], "--line", "1", "--quantity", "1", "--restock")
    await system.json("order", "cancel", orders[0])
    declined = ("--payment-method", "pm_card_visa_chargeDeclined", "--wait")
    code, _, err = await system.run("buy", "sticker-pack", "--customer", "mallory", *declined)
    assert (code, "the payment failed: generic_decline" in err, "order pay" in err) == (1, True, True), err
    code, _, err = await system.run("order", "cancel", orders[1])
    assert (code, "409" in err) == (1, True), err

    async def is_over():
        back, gone = [await system.json("order", "show", order) for order in reversed(orders)]
        return (back, gone) if (back["status"], gone["status"]) == ("DELIVERED", "REFUNDED") else None

    back, gone = await eventually(is_over, within_s=30, every_s=0.5)
    assert (back["payment"]["captured"], back["payment"]["refunded"]) == (16_300, 6_900)
    assert (gone["payment"]["captured"], gone["payment"]["refunded"]) == (2_500, 2_500)


async def moves(system: System) -> None:
    """There and back, by name; then nobody's wish any more."""
    listed = {(row["ledger"], row["partition"]): row["owner"] for row in await system.json("owners")}
    assert set(listed) == {(ledger, number) for ledger in ("stock", "order") for number in range(4)}
    owners = {number: owner for (ledger, number), owner in listed.items() if ledger == "stock"}
    assert set(owners.values()) <= {"worker-1", "worker-2"}
    other = {"order-1": "order-2", "order-2": "order-1"}[listed["order", 3]]
    moved = await system.json("move", "3", other)
    assert (moved["ledger"], moved["owner"]) == ("order", other)
    assert (await system.json("move", "3", "auto", "--ledger", "order"))["ledger"] == "order"
    other = {"worker-1": "worker-2", "worker-2": "worker-1"}[owners[2]]
    assert (await system.json("move", "2", other))["owner"] == other
    rows = await system.json("owners")
    assert (rows[2]["owner"], rows[2]["standby"], rows[2]["alive"]) == (other, [owners[2]], True)
    assert (await system.json("move", "2", owners[2]))["owner"] == owners[2]
    await system.json("move", "2", "auto")
    code, _, err = await system.run("move", "2", "nobody")
    assert (code, "there are: order-1, order-2, worker-1, worker-2" in err) == (1, True), err
    code, _, err = await system.run("move", "9", "worker-1")
    assert (code, "they are 0 to 3" in err) == (1, True), err


async def audits(system: System) -> None:
    """The ledger can be shown, copied and checked, alive and as a file."""
    code, out, _ = await system.run("ledger", "show", "0", "--from", "0", "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, [record["kind"] for record in records[:2]]) == (0, ["genesis", "claim"])
    copy = system.data_dir / "copy"
    await system.run("ledger", "export", str(copy))
    for report in (await system.json("verify"), await system.json("verify", str(copy), "--replay")):
        assert report["ok"], report["violations"]
        poster = next(pool for pool in report["pools"] if pool["sku"] == "poster-a2")
        assert (poster["received"], poster["held"]) == (1_005, 1)
    damaged = bytearray(copy.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    copy.write_bytes(damaged)
    code, _, err = await system.run("verify", str(copy))
    assert (code, "Traceback" in err) == (1, False), err
    code, out, _ = await system.run("doctor")
    assert code == 0, out


async def test_kill_9_of_up_leaves_no_orphan_and_the_next_up_goes_on_and_restarts_what_dies(system):
    await system.until_up()
    await system.json("sku", "add", "shoe", "--price", "100", "--units", "3")
    pids = system.children()
    assert len(pids) == RUNNING
    os.kill(system.process.pid, signal.SIGKILL)
    system.process.wait()
    await eventually(lambda: not any(alive(pid) for pid in pids), what="all children are gone")

    again = System(system.data_dir)
    try:
        await again.until_up()
        assert (await again.json("sku", "show", "shoe"))["available"] == 3
        for program in ("agents inventory", "agents order", "adapters.stand_in", "gateway", "kafka.Kafka"):
            victim = next(pid for pid, line in again.children().items() if program in line)
            os.kill(victim, signal.SIGKILL)
            await eventually(lambda gone=victim: again.whole_without(gone), within_s=30, what=f"another {program}")
        await eventually(lambda: "the broker is back" in again.out.read_text(), within_s=30)

        async def decides() -> bool:
            _, out, _ = await again.run("buy", "shoe", "--json")
            return "not-open" in out

        await eventually(decides, within_s=30, every_s=0.5, what="a decision after all that")
    finally:
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(40) == 0


def alive(pid: int) -> bool:
    return parent(pid) != 0


def test_without_its_stand_in_it_does_not_say_that_it_is_up(tmp_path):
    (tmp_path / "data").mkdir()
    system = System(tmp_path / "data", stand_in_behaviour="decline=1")
    assert system.process.wait(UP_S) == 1
    said = system.out.read_text()
    assert "turnstile is up" not in said
    assert "stand-in has ended 3 times" in said
    assert "TURNSTILE_STAND_IN_BEHAVIOUR" in said
