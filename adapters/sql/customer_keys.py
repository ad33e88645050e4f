"""One data key a customer, wrapped: a row of the system of record, and the only place where it is.

Deleting the row is erasure: what was sealed with the key, in topics that cannot be changed, is noise from then on.
"""

from sqlalchemy import select

from adapters.sql.database import Database
from adapters.sql.schema import CUSTOMER_KEYS
from adapters.sql.upserts import Upserts


class CustomerKeys:
    """The table. Customers as hex of their hash. Every method may raise SqlAwayError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, customer: str) -> bytes | None:
        """The wrapped key; None if there never was one, or it was erased."""
        query = select(CUSTOMER_KEYS.c.wrapped_key).where(CUSTOMER_KEYS.c.user_id == customer)
        with self._database.reading() as connection:
            return connection.execute(query).scalar()

    def settle(self, customer: str, wrapped: bytes, now_ms: int) -> bytes:
        """The customer's wrapped key: this one, or the one that somebody wrote before."""
        with self._database.writing() as connection:
            Upserts(connection).customer_key(customer, wrapped, now_ms)
            query = select(CUSTOMER_KEYS.c.wrapped_key).where(CUSTOMER_KEYS.c.user_id == customer)
            return bytes(connection.execute(query).scalar_one())

    def erase(self, customer: str) -> bool:
        """Delete the key for good; whether there was one."""
        with self._database.writing() as connection:
            gone = connection.execute(CUSTOMER_KEYS.delete().where(CUSTOMER_KEYS.c.user_id == customer))
            return gone.rowcount > 0
