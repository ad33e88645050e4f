"""Where the gateways of `turnstile up` are, for the commands that ask them."""

import os
from pathlib import Path

import msgspec

NAME = "gateways.json"
DEFAULT = "http://127.0.0.1:8080"


class Gateways(msgspec.Struct, frozen=True):
    """Their addresses, and the process that keeps them running."""

    pid: int
    urls: list[str]


def write(data_dir: Path, urls: list[str]) -> None:
    """Replace the file as a whole."""
    fresh = data_dir / f".{NAME}.{os.getpid()}"
    fresh.write_bytes(msgspec.json.encode(Gateways(os.getpid(), urls)))
    fresh.replace(data_dir / NAME)


def remove(data_dir: Path) -> None:
    """The gateways stop; nothing happens if there is no file."""
    (data_dir / NAME).unlink(missing_ok=True)


def first(data_dir: Path) -> str:
    """The address of a gateway that `up` started here; the default one if there is none."""
    try:
        gateways = msgspec.json.decode((data_dir / NAME).read_bytes(), type=Gateways)
        os.kill(gateways.pid, 0)
    except (FileNotFoundError, ProcessLookupError, msgspec.MsgspecError):
        return DEFAULT
    return gateways.urls[0] if gateways.urls else DEFAULT
