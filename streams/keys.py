"""The secrets of an installation: what signs tokens, hashes customers, wraps data keys. Made once, shared."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import NamedTuple

KEY_BYTES = 32
_FOLDER = "keys"
_TOKEN = "token.key"  # noqa: S105 - a file's name
_CUSTOMER = "customer.key"
_WEBHOOK = "webhook.key"
_ADDRESS = "address.key"


class KeysError(Exception):
    """The keys are absent, unreadable by this user, readable by others, or no keys. The message says what to do."""


class Keys(NamedTuple):
    """`token` signs JWTs (HS256), `customer` hashes customers and makes order ids; 32 bytes each."""

    token: bytes
    customer: bytes

    @property
    def customer_id(self) -> str:
        """Names the customer key without telling it; stands in every pool's policy (`SetPolicy.customer_key`)."""
        return hashlib.blake2b(self.customer, digest_size=8, person=b"turnstile-key").hexdigest()


def ensure(data_dir: Path) -> Keys:
    """Make what is missing (files 0600 in `data_dir`/keys), then load. Safe when several programs start at once."""
    folder = data_dir / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (_TOKEN, _CUSTOMER, _ADDRESS):
        if not (folder / name).exists():
            _make(folder / name)
    return load(data_dir)


def load(data_dir: Path) -> Keys:
    """Read both keys; KeysError if there are none yet or they are not safe to use."""
    folder = data_dir / _FOLDER
    return Keys(_read(folder / _TOKEN), _read(folder / _CUSTOMER))


def load_address(data_dir: Path) -> bytes:
    """The key that customers' data keys are wrapped by (adapters/sealing.py); KeysError as `load`."""
    return _read(data_dir / _FOLDER / _ADDRESS)


def webhook_secret(data_dir: Path) -> str:
    """What the stand-in of `turnstile up` signs its webhooks with; made by the first call after `ensure`. KeysError."""
    path = data_dir / _FOLDER / _WEBHOOK
    if not path.exists():
        _make(path)
    return f"whsec_{_read(path).hex()}"


def _make(path: Path) -> None:
    """Write aside, then link: whoever links first wins, and nobody ever reads half a key."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        aside.unlink()


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        message = f"{path} is missing: `turnstile up` makes the keys of an installation"
        raise KeysError(message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise KeysError(message) from error
    if mode & 0o077:
        message = f"{path} can be read by others (mode {mode & 0o777:o}): chmod 600 it, or replace it if it leaked"
        raise KeysError(message)
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        message = f"{path} does not hold a key in hexadecimal"
        raise KeysError(message) from error
    if len(key) != KEY_BYTES:
        message = f"{path} holds {len(key)} bytes, not {KEY_BYTES}"
        raise KeysError(message)
    return key
