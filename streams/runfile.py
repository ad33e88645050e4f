"""The run file: where the broker of `turnstile up` is, for every other program with TURNSTILE_BROKER=embedded://."""

import os
from pathlib import Path

import msgspec

from settings import Shared

EMBEDDED = "embedded://"
FOREIGN = "kafka://"
NAME = "run.json"


class NoBrokerError(RuntimeError):
    """There is no broker to talk to: run `turnstile up`, or set TURNSTILE_BROKER=kafka://host:port."""


class Run(msgspec.Struct, frozen=True):
    """A running broker. `pid`: of the process that started it and with which it dies. `log_id`: of GENESIS."""

    address: str
    pid: int
    partitions: int
    log_id: bytes


def write(data_dir: Path, run: Run) -> None:
    """Replace the run file as a whole: a reader sees the old one or the new one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    fresh = data_dir / f".{NAME}.{os.getpid()}"
    fresh.write_bytes(msgspec.json.encode(run))
    fresh.replace(data_dir / NAME)


def remove(data_dir: Path) -> None:
    """The broker stops; nothing happens if there is no run file."""
    (data_dir / NAME).unlink(missing_ok=True)


def read(data_dir: Path) -> Run:
    """The broker that is running here; NoBrokerError if none is, or if it died without a word."""
    path = data_dir / NAME
    try:
        run = msgspec.json.decode(path.read_bytes(), type=Run)
    except FileNotFoundError:
        message = f"no broker is running ({path} does not exist): run `turnstile up`"
        raise NoBrokerError(message) from None
    except msgspec.MsgspecError as error:
        message = f"{path} is not a run file ({error}): delete it and run `turnstile up`"
        raise NoBrokerError(message) from None
    if not _lives(run.pid):
        message = f"the broker of {path} has died (process {run.pid} is gone): run `turnstile up`"
        raise NoBrokerError(message)
    return run


def resolve(settings: Shared) -> str:
    """Bootstrap servers (host:port,host:port) for `settings.broker`.

    NoBrokerError if the embedded one is not running; ValueError for an address that is neither form.
    """
    if settings.broker == EMBEDDED:
        return read(settings.data_dir).address
    servers = settings.broker.removeprefix(FOREIGN)
    if servers == settings.broker or not all(_is_address(server) for server in servers.split(",")):
        message = f"TURNSTILE_BROKER={settings.broker}: expected {EMBEDDED} or {FOREIGN}host:port,host:port"
        raise ValueError(message)
    return servers


def _is_address(server: str) -> bool:
    host, colon, port = server.rpartition(":")
    return bool(host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 0xFFFF)  # noqa: PLR2004


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
