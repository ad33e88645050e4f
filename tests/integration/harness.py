"""What tests on the real broker share: a log of their own, the programs as processes, waiting with a deadline."""

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from ops.lifeline import die_with_parent
from ops.topics_apply import apply
from settings import environment_with
from streams import keys, topics
from streams.keys import Keys
from streams.topics import Topics

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
POLL_S = 0.02
T = TypeVar("T")


class Stage(NamedTuple):
    """A log of its own on the session's broker: new topics, new keys, its own data folder."""

    servers: str
    namespace: str
    topics: Topics
    partitions: int
    log_id: bytes
    data_dir: Path
    keys: Keys

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of a program on this stage; `settings` are further TURNSTILE_* by their field names."""
        mine: dict[str, object] = {
            "broker": f"kafka://{self.servers}",
            "namespace": self.namespace,
            "partitions": self.partitions,
            "data_dir": self.data_dir,
            "log_format": "json",
        }
        return environment_with({**mine, **settings})

    def program(self, name: str, *argv: str, **settings: object) -> "Program":
        """`python -m argv` on this stage, its output in the data folder. Start it with `with` or `start()`."""
        return Program(name, argv, self.environment(**settings), self.data_dir / f"{name}.log")

    def worker(self, name: str, **settings: object) -> "Program":
        """An inventory worker of that name."""
        return self.program(name, "agents", "inventory", worker=name, **settings)

    def gateway(self, name: str, **settings: object) -> "Program":
        """A gateway of that name on a free port; its address is in the log line `gateway.ready`."""
        return self.program(name, "gateway", gateway=name, **{"port": 0, **settings})


async def new_stage(servers: str, data_dir: Path) -> Stage:
    """New topics with GENESIS, P = 4, and keys in `data_dir`, which exists."""
    namespace = f"t{uuid.uuid4().hex[:12]}"
    catalogue = topics.named(namespace)
    applied = await apply(servers, catalogue, PARTITIONS)
    return Stage(servers, namespace, catalogue, PARTITIONS, applied.log_id, data_dir, keys.ensure(data_dir))


class Program:
    """A program of ours as a process. It cannot outlive the tests; leaving the `with` stops it (TERM, then KILL)."""

    def __init__(self, name: str, argv: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; -9 after kill -9."""
        return self.process.poll()

    def start(self) -> None:
        """Start it, or start it again; it appends to its log."""
        assert self._process is None or self._process.poll() is not None, f"{self.name} is running"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (sys.executable, "-u", "-m", *self._argv),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - a system call or two
            )

    def send(self, what: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGTERM, SIGKILL to this very process."""
        os.kill(self.pid, what)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = 20.0) -> int:
        """TERM, KILL when it takes too long; its exit code. Nothing if it has ended."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def lines(self) -> Iterator[dict[str, Any]]:
        """The JSON lines that it has logged so far; what is no JSON comes as {"message": line}."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = line
            yield entry if isinstance(entry, dict) else {"message": line}

    def logged(self, action: str, **fields: object) -> list[dict[str, Any]]:
        """Its log lines of one action (streams/actions.py) whose fields have these values."""
        found = [line for line in self.lines() if line.get("action") == action]
        return [line for line in found if all(line.get(key) == value for key, value in fields.items())]

    async def until_logged(
        self, action: str, *, within_s: float = 30.0, count: int = 1, **fields: object
    ) -> dict[str, Any]:
        """Wait for the `count`th such line and return it; fail at once when the program ends before."""

        def seen() -> dict[str, Any] | None:
            ended = self.returncode
            lines = self.logged(action, **fields)
            if len(lines) >= count:
                return lines[count - 1]
            assert ended is None, f"{self.name} ended with {ended} before {action} {fields}:\n{self.tail()}"
            return None

        try:
            return await eventually(seen, within_s=within_s, what=f"{action} {fields} of {self.name}")
        except AssertionError as error:
            error.add_note(self.tail())
            raise

    def tail(self, lines: int = 30) -> str:
        """The end of its log, for messages."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


async def eventually(
    check: Callable[[], T | Awaitable[T]], *, within_s: float = 10.0, every_s: float = POLL_S, what: str = ""
) -> T:
    """Call `check` (plain or async) until it is true, and return that; AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        outcome = check()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or check} (last: {value!r})"
        await asyncio.sleep(every_s)
