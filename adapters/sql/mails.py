"""The queue of mails: a row an occasion, written with the order's rows, marked before the mail is sent.

A mail goes out at most once. What was taken when its program died stays `taken`: nobody knows whether it went.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from adapters.sql.database import Database
from adapters.sql.schema import MAILS
from streams.order_events import OrderEvent

MESSAGE_CHARS = 255


class State(StrEnum):
    """Where a mail is."""

    DUE = "due"
    TAKEN = "taken"
    """Somebody is about to send it, or died doing so."""
    SENT = "sent"
    FAILED = "failed"
    """The server refused it, or its address cannot be read; `message` says why."""
    PAST = "past"
    """It was written by a replay of what lies behind: never sent."""


class Mail(NamedTuple):
    """One to send: the transition `sequence` of the order (text), and the template's name."""

    order: str
    sequence: int
    template: str
    attempts: int


class Delivery(NamedTuple):
    """What became of a mail: SENT, FAILED, or DUE again at `due_ms` because it did not go."""

    state: State
    message: str = ""
    due_ms: int = 0


class MailQueue:
    """The mails table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now_ms: int, limit: int) -> list[Mail]:
        """Mark up to `limit` due mails as taken by the caller, oldest first: nobody else gets them. SqlAwayError."""
        query = select(MAILS).where(MAILS.c.state == State.DUE, MAILS.c.due_at <= now_ms)
        query = query.order_by(MAILS.c.due_at, MAILS.c.created_at).limit(limit).with_for_update(skip_locked=True)
        with self._database.writing() as connection:
            rows = connection.execute(query).all()
            taken = [Mail(row.order_id, row.sequence, row.template, row.attempts + 1) for row in rows]
            for mail in taken:
                _set(connection, mail, {"state": State.TAKEN, "attempts": mail.attempts})
        return taken

    def settle(self, deliveries: Sequence[tuple[Mail, Delivery]]) -> None:
        """What became of taken mails. SqlAwayError."""
        with self._database.writing() as connection:
            for mail, (state, message, due_ms) in deliveries:
                values: dict[str, Any] = {"state": state, "message": message[:MESSAGE_CHARS]}
                _set(connection, mail, {**values, "due_at": due_ms} if state is State.DUE else values)

    def counts(self) -> dict[str, int]:
        """State -> mails in it."""
        query = select(MAILS.c.state, func.count()).group_by(MAILS.c.state)
        with self._database.reading() as connection:
            return {state: count for state, count in connection.execute(query)}  # noqa: C416 - rows are no pairs


def due_rows(mails: Iterable[tuple[OrderEvent, str]], *, is_news: bool) -> list[dict[str, Any]]:
    """Rows for the occasions of these transitions, to be written with the orders' rows."""
    return [
        {
            "order_id": event.order,
            "sequence": event.sequence,
            "template": template,
            "state": State.DUE if is_news else State.PAST,
            "created_at": event.time_ms,
            "due_at": 0,
            "attempts": 0,
            "message": "",
        }
        for event, template in mails
    ]


def _set(connection: Connection, mail: Mail, values: dict[str, Any]) -> None:
    mine = (MAILS.c.order_id == mail.order, MAILS.c.sequence == mail.sequence)
    connection.execute(MAILS.update().where(*mine).values(values))
