"""Keeps the programs of one machine running: starts them, restarts what exits, stops all, leaves no orphan.

Each child is the leader of a session of its own (Ctrl-C reaches the supervisor alone) and dies with the supervisor
(ops/lifeline.py). Children write straight into their log files: a supervisor that is stopped (Ctrl-Z) or busy never
blocks a child's log line. Run it on the main thread's event loop, which is the thread that forks.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ops.lifeline import die_with_parent

BACKOFF_MIN_S = 1.0
"""Longer than a takeover (0.5 to 0.75 s of silence): a start costs 1 to 2 s of CPU, and whoever takes over needs it."""
BACKOFF_MAX_S = 10.0
HEALTHY_AFTER_S = 30.0  # A child that lived this long starts over at the shortest back-off.
GRACE_S = 20.0  # Longest wait between TERM and KILL: a worker may sit on an unacked record.
LOG_BYTES_MAX = 32 * 1024 * 1024  # Two files a child: at most 64 MiB.
LOG_CHECK_S = 5.0


class Program(NamedTuple):
    """One child to keep running, with its whole environment. Children of a lower `rank` are stopped first."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    rank: int = 0


class Event(NamedTuple):
    """What the supervisor did. `what`: started, failed (to start), exited, stopped, or killed (it ignored TERM)."""

    at_s: float
    what: str
    name: str
    pid: int
    detail: str


class UnknownChildError(LookupError):
    """No child of that name: see `Supervisor.names`."""


class _Child:
    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.process: Process | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.exits = 0
        self.stopping = asyncio.Event()


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """Command line of a module of ours, by the interpreter that runs us, unbuffered."""
    return (sys.executable, "-u", "-m", module, *arguments)


def backoff_s(exits: int) -> float:
    """Wait before the next start after so many exits in a row: 1, 2, 4, ... 10 s."""
    return min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2.0 ** min(exits - 1, 16))


def describe_exit(code: int) -> str:
    """`exit 70`, or the signal's name: `SIGKILL`."""
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


class Supervisor:
    """Owns its children. `on_event` is called on the loop, synchronously, at each start, exit and stop."""

    def __init__(self, logs: Path, on_event: Callable[[Event], None], *, grace_s: float = GRACE_S) -> None:
        self._logs = logs
        self._on_event = on_event
        self._grace_s = grace_s
        self._children: dict[str, _Child] = {}
        self._arm = die_with_parent()
        self._trimmer: asyncio.Task[None] | None = None

    @property
    def names(self) -> list[str]:
        """The children, in the order in which they were started."""
        return list(self._children)

    def pid(self, name: str) -> int | None:
        """Process id of a child, None while it is down (between exit and restart)."""
        process = self._child(name).process
        return None if process is None or process.returncode is not None else process.pid

    def exits(self, name: str) -> int:
        """Exits in a row, each less than HEALTHY_AFTER_S after its start."""
        return self._child(name).exits

    def log(self, name: str) -> Path:
        """The file with a child's output."""
        return self._child(name).log

    async def start(self, program: Program) -> None:
        """Start a child and keep it running until `stop`. ValueError: the name is taken; OSError: it cannot run."""
        if program.name in self._children:
            message = f"a child named {program.name} is already there"
            raise ValueError(message)
        self._logs.mkdir(parents=True, exist_ok=True)
        child = _Child(program, self._logs / f"{program.name}.log")
        _rotate(child.log)
        await self._spawn(child)
        self._children[program.name] = child
        child.keeper = asyncio.create_task(self._keep(child), name=f"keep {program.name}")
        if self._trimmer is None:
            self._trimmer = asyncio.create_task(self._trim_logs(), name="trim logs")

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a child and leave the rest to the keeper; its pid. ProcessLookupError while it is down."""
        pid = self.pid(name)
        if pid is None:
            message = f"{name} is not running"
            raise ProcessLookupError(message)
        os.kill(pid, sig)
        return pid

    async def stop(self, name: str) -> None:
        """TERM, wait, KILL; it is not restarted."""
        child = self._child(name)
        child.stopping.set()
        if child.keeper is not None:
            await child.keeper
        del self._children[name]

    async def stop_all(self) -> None:
        """Stop every child, rank by rank; those of one rank together."""
        for rank in sorted({child.program.rank for child in self._children.values()}):
            names = [name for name, child in self._children.items() if child.program.rank == rank]
            await asyncio.gather(*(self.stop(name) for name in names))
        if self._trimmer is not None:
            self._trimmer.cancel()
            self._trimmer = None

    def _child(self, name: str) -> _Child:
        try:
            return self._children[name]
        except KeyError:
            message = f"no child named {name}; there are: {', '.join(self._children) or 'none'}"
            raise UnknownChildError(message) from None

    def _tell(self, what: str, child: _Child, pid: int, detail: str = "") -> None:
        self._on_event(Event(time.time(), what, child.program.name, pid, detail))

    async def _spawn(self, child: _Child) -> None:
        with child.log.open("ab", buffering=0) as log:
            child.process = await asyncio.create_subprocess_exec(
                *child.program.argv,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=child.program.environment,
                start_new_session=True,
                preexec_fn=self._arm,
            )
        self._tell("started", child, child.process.pid)

    async def _respawned(self, child: _Child) -> bool:
        try:
            await self._spawn(child)
        except OSError as error:  # out of processes or memory, or the program is gone: try again later
            self._tell("failed", child, 0, str(error))
            return False
        return True

    async def _keep(self, child: _Child) -> None:
        """Wait for the exit, back off, start again; or end the child when it is to stop."""
        stopping = asyncio.create_task(child.stopping.wait())
        try:
            while not child.stopping.is_set():
                started = time.monotonic()
                if not await self._exited(child, stopping):
                    return
                child.exits = 1 if time.monotonic() - started > HEALTHY_AFTER_S else child.exits + 1
                while not child.stopping.is_set():
                    await asyncio.wait([stopping], timeout=backoff_s(child.exits))
                    if child.stopping.is_set() or await self._respawned(child):
                        break
                    child.exits += 1
        finally:
            stopping.cancel()

    async def _exited(self, child: _Child, stopping: asyncio.Task[bool]) -> bool:
        """Wait until the child ends by itself (True) or is to be ended and has ended (False)."""
        process = child.process
        if process is None:
            message = f"{child.program.name} was never started"
            raise RuntimeError(message)
        ended = asyncio.create_task(process.wait())
        await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            self._tell("exited", child, process.pid, describe_exit(ended.result()))
            return True
        what = "stopped"
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait([ended], timeout=self._grace_s)
        if not ended.done():
            what = "killed"
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self._tell(what, child, process.pid, describe_exit(await ended))
        return False

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_S)
            for child in list(self._children.values()):
                if child.log.stat().st_size > LOG_BYTES_MAX:
                    await asyncio.to_thread(_cut, child.log)


def _rotate(log: Path) -> None:
    """A new run starts a new file; the one before is kept as .1."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))


def _cut(log: Path) -> None:
    """Copy and truncate: the child holds the file open for appending. Lines in between the two are lost."""
    shutil.copyfile(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)
