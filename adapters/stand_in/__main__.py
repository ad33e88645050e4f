"""`python -m adapters.stand_in`: the stand-in as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop
from pydantic import ValidationError

from adapters.stand_in.behaviour import behaviour_of
from adapters.stand_in.book import Book, Change
from adapters.stand_in.journal import Journal
from adapters.stand_in.postman import Postman
from adapters.stand_in.server import Server
from adapters.stand_in.urls import IN_PROCESS
from adapters.stand_in.wire import wall_ms
from settings import StandInSettings, problems
from streams.actions import Action
from streams.logs import Log, set_up_logging

PROGRAM = "stand-in"
SOFTWARE = 70
"""EX_SOFTWARE: the supervisor starts another."""
USAGE = 64
"""EX_USAGE of sysexits.h: started wrongly, starting again does not help."""


def main() -> int:
    """Run until SIGTERM; the exit code."""
    try:
        settings = StandInSettings()
        behaviour = behaviour_of(f"{IN_PROCESS}?{settings.stand_in_behaviour}")
        set_up_logging(settings.log_level, settings.log_format, program=PROGRAM)
    except ValidationError as error:
        sys.stderr.write(f"{problems(error)}\n")
        return USAGE
    except ValueError as error:  # LoggingSetupError is one
        sys.stderr.write(f"{error}\n")
        return USAGE
    log = Log(PROGRAM)
    try:
        journal = Journal(Path(settings.stand_in_book or settings.data_dir / "stand-in.jsonl"))
        book = Book(behaviour, keep=_keeping(journal, log), webhooks=bool(settings.stand_in_webhook_url))
        book.restore(journal.read())
    except (OSError, msgspec.MsgspecError) as error:
        log(Action.FAILED, program=PROGRAM, reason=f"its book: {error}")
        return USAGE
    return uvloop.run(_run(settings, book, log))


def _keeping(journal: Journal, log: Log) -> Callable[[Change], None]:
    """Write it down, or end: what is not in the file must not be answered."""

    def keep(change: Change) -> None:
        try:
            journal.write(change)
        except OSError as error:
            log(Action.FAILED, program=PROGRAM, reason=f"its book: {error}")
            os._exit(SOFTWARE)

    return keep


async def _run(settings: StandInSettings, book: Book, log: Log) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    url, secret = settings.stand_in_webhook_url, settings.stand_in_webhook_secret.get_secret_value()
    server = Server(book, wall_ms, log, Postman(book, url, secret, wall_ms) if url else None)
    try:
        address = await server.start(settings.stand_in_port)
    except OSError as error:
        log(Action.FAILED, program=PROGRAM, reason=str(error))
        return USAGE
    log(Action.STAND_IN_READY, address=address, intents=len(book.shelf.intents))
    running = asyncio.create_task(server.run())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if running.done():
        await running  # a bug: let it be seen
    log(Action.STOPPING, program=PROGRAM, reason="asked to")
    running.cancel()
    await asyncio.wait({running})
    await server.stop()
    log(Action.STOPPED, program=PROGRAM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
