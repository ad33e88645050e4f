"""The text of a mail: a template for each occasion, filled from the order's rows and its opened address.

A template's first line is its subject. Plain text; what a customer typed is never more than text in it.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.sql.mails import Mail
from adapters.sql.reading import StoredLine, StoredOrder
from domain.orders import LineState

FOLDER = Path(__file__).with_name("templates")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""As browsers check it (HTML, "valid e-mail address")."""
_WHOLE = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


class NoAddressError(Exception):
    """What was sealed is no address that a mail can go to."""


class Letters:
    """Writes messages."""

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - plain text
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.filters["money"] = money

    def write(self, mail: Mail, address: bytes) -> EmailMessage:
        """The message of one mail. NoAddressError if `address` (JSON) has no `email`.

        Its Message-ID follows from the mail: whatever sends it twice, a mail program shows one.
        """
        to = _address(address)
        text = self._templates.get_template(f"{mail.template}.txt").render(
            order=mail.about, name=_line(to.get("name")), lines=_lines(mail.about)
        )
        subject, _, body = text.partition("\n")
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = to["email"]
        message["Subject"] = subject.strip()
        message["Message-ID"] = f"<{mail.order}.{mail.sequence}.{mail.template}@turnstile>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body.strip() + "\n")
        return message


def money(amount: int, currency: str) -> str:
    """Minor units as people write them, by ISO 4217's number of digits: `12.50 EUR`, `1250 JPY`."""
    digits = 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2
    return f"{Decimal(amount).scaleb(-digits):.{digits}f} {currency}"


def _lines(order: StoredOrder) -> list[StoredLine]:
    """Of an order that went through in part, that part."""
    return [line for line in order.lines if line.state != LineState.CLOSED] or list(order.lines)


def _address(plain: bytes) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(plain, type=dict[str, Any])
    except ValueError as error:  # msgspec.MsgspecError is one
        message = "the address is no JSON object"
        raise NoAddressError(message) from error
    email = found.get("email")
    if not isinstance(email, str) or not _ADDRESS.fullmatch(email):
        message = "the address has no e-mail address"
        raise NoAddressError(message)
    return found


def _line(text: object) -> str:
    """One line of text, whatever a customer typed."""
    return " ".join(text.split()) if isinstance(text, str) else ""
