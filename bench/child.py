"""A helper process of a bench: a module of ours that takes JSON and answers in JSON, and dies with us."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.lines import LINE_BYTES_MAX
from ops.lifeline import die_with_parent
from ops.supervisor import python_module

STOP_S = 10.0


class ChildError(RuntimeError):
    """It ended without an answer; what it said stands above, on our stderr."""


class Child:
    """A running helper; its stderr is ours."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def ask(self, line: bytes) -> bytes:
        """Send a line, return the next line that it prints. ChildError."""
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")
            await self._process.stdin.drain()
        return await self.answer()

    async def answer(self) -> bytes:
        """The next line that it prints. ChildError."""
        line = await self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            message = f"{self.name} ended with {await self._process.wait()} and no answer"
            raise ChildError(message)
        return line


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Running when entered, on the main thread; TERM, then KILL, when left."""
    process = await asyncio.create_subprocess_exec(
        *python_module(module, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=None,
        start_new_session=True,
        preexec_fn=die_with_parent(),
        limit=LINE_BYTES_MAX,
    )
    try:
        yield Child(module, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
