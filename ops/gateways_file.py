"""Where the gateways of `turnstile up` are, and its payment provider, for the commands that ask them."""

import os
from pathlib import Path

import msgspec

NAME = "gateways.json"
DEFAULT = "http://127.0.0.1:8080"


class Gateways(msgspec.Struct, frozen=True):
    """Their addresses, the process that keeps them running, and the URL of the provider (TURNSTILE_PAYMENTS)."""

    pid: int
    urls: list[str]
    payments: str = ""


def write(data_dir: Path, urls: list[str], payments: str) -> None:
    """Replace the file as a whole."""
    fresh = data_dir / f".{NAME}.{os.getpid()}"
    fresh.write_bytes(msgspec.json.encode(Gateways(os.getpid(), urls, payments)))
    fresh.replace(data_dir / NAME)


def remove(data_dir: Path) -> None:
    """The gateways stop; nothing happens if there is no file."""
    (data_dir / NAME).unlink(missing_ok=True)


def first(data_dir: Path) -> str:
    """The address of a gateway that `up` started here; the default one if there is none."""
    gateways = _read(data_dir)
    return gateways.urls[0] if gateways and gateways.urls else DEFAULT


def payments(data_dir: Path) -> str:
    """The provider that the agents of an `up` here use: `stand-in+http://127.0.0.1:PORT`; "" if there is none."""
    gateways = _read(data_dir)
    return gateways.payments if gateways else ""


def _read(data_dir: Path) -> Gateways | None:
    try:
        gateways = msgspec.json.decode((data_dir / NAME).read_bytes(), type=Gateways)
        os.kill(gateways.pid, 0)
    except (FileNotFoundError, ProcessLookupError, msgspec.MsgspecError):
        return None
    return gateways
