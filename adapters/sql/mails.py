"""The queue of mails: a row an occasion, written with the order's rows, marked before the mail is sent.

A mail goes out at most once. What was taken when its program died stays `taken`: nobody knows whether it went.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select

from adapters.sql.database import Database
from adapters.sql.reading import StoredOrder, load
from adapters.sql.schema import MAILS, ORDERS
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
    """One to send: the transition `sequence` of the order (text), and the template's name.

    `about`: the order as it is now; `customer` (hash as hex) and `sealed`: whose address it is.
    """

    order: str
    sequence: int
    template: str
    attempts: int
    about: StoredOrder
    customer: str
    sealed: bytes


class Delivery(NamedTuple):
    """What became of a mail: SENT, FAILED, or DUE again at `due_ms` because it did not go."""

    state: State
    message: str = ""
    due_ms: int = 0


_DUE = (
    select(MAILS, ORDERS.c.user_id, ORDERS.c.shipping_address)
    .join_from(MAILS, ORDERS, MAILS.c.order_id == ORDERS.c.order_id)
    .where(MAILS.c.state == State.DUE, MAILS.c.due_at <= bindparam("now_ms"))
    .order_by(MAILS.c.due_at, MAILS.c.created_at)
    .limit(bindparam("most"))
    .with_for_update(of=MAILS, skip_locked=True)
)
_ONE = MAILS.update().where(MAILS.c.order_id == bindparam("of_order"), MAILS.c.sequence == bindparam("of_sequence"))
_TAKEN = _ONE.values(state=State.TAKEN, attempts=MAILS.c.attempts + 1)
_SETTLED = _ONE.values(state=bindparam("new_state"), message=bindparam("new_message"), due_at=bindparam("new_due_at"))


class MailQueue:
    """The mails table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now_ms: int, limit: int) -> list[Mail]:
        """Mark up to `limit` due mails as taken by the caller, oldest first: nobody else gets them. SqlAwayError."""
        with self._database.writing() as connection:
            rows = connection.execute(_DUE, {"now_ms": now_ms, "most": limit}).all()
            if not rows:
                return []
            connection.execute(_TAKEN, [_key(row.order_id, row.sequence) for row in rows])
            orders = {order.order: order for order in load(connection, sorted({row.order_id for row in rows}))}
        return [
            Mail(
                row.order_id,
                row.sequence,
                row.template,
                row.attempts + 1,
                orders[row.order_id],
                row.user_id,
                bytes(row.shipping_address),
            )
            for row in rows
        ]

    def settle(self, deliveries: Sequence[tuple[Mail, Delivery]]) -> None:
        """What became of taken mails. SqlAwayError."""
        rows = [
            _key(mail.order, mail.sequence)
            | {"new_state": state, "new_message": message[:MESSAGE_CHARS], "new_due_at": due_ms}
            for mail, (state, message, due_ms) in deliveries
        ]
        with self._database.writing() as connection:
            connection.execute(_SETTLED, rows)

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


def _key(order: str, sequence: int) -> dict[str, Any]:
    return {"of_order": order, "of_sequence": sequence}
