"""What an audit compares the orders with: the stand-in's book of charges, and the system of record.

Read with own queries, not with the product's readers.
"""

from collections import defaultdict

from sqlalchemy import text

from adapters.sql.database import Database
from adapters.stand_in.charges import Charge
from ops.audit.journey import Money, Records, Stored

_ORDERS = "SELECT order_id, status, version, total_amount, captured, refunded FROM orders"
_ITEMS = "SELECT order_id, line, product_id, quantity, state FROM order_items ORDER BY order_id, line"
_CURSORS = "SELECT partition, ledger_offset FROM cursors WHERE topic = :topic"


def book(charges: list[Charge]) -> list[Money]:
    """The stand-in's charges as the auditor reads them."""
    return [
        Money(
            charge.environment,
            charge.id,
            charge.order,
            charge.attempt,
            charge.captured,
            charge.refunded,
            charge.authorised,
            charge.voided,
            charge.status,
        )
        for charge in charges
    ]


def records(database: Database, order_events: str) -> Records:
    """All orders in SQL, in one view of it. `order_events`: name of the topic. SqlAwayError if it does not answer."""
    lines: dict[str, list[tuple[int, str, int, str]]] = defaultdict(list)
    with database.reading() as connection:
        for order, *line in connection.execute(text(_ITEMS)):
            lines[order].append((line[0], line[1], line[2], line[3]))
        orders = {}
        for order, status, version, amount, captured, refunded in connection.execute(text(_ORDERS)):
            told = tuple(lines[order])
            orders[order] = Stored(order, status, version, amount, captured, refunded, told)
        cursors = connection.execute(text(_CURSORS), {"topic": order_events})
        return Records(orders, {row.partition: row.ledger_offset for row in cursors})
