"""One database, SQLite or PostgreSQL by its URL: connections, transactions, the schema's version.

Synchronous: call it from a thread, never from an event loop. SQLite is in WAL mode: one writer at a time, readers
beside it. A commit is on disk when it returns: what was acked to Kafka must not be lost to a power cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, exc, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from adapters.sql.schema import METADATA, SCHEMA, VERSION

BUSY_S = 5
"""How long a writer of SQLite waits for another one (`sql rebuild` holds the lock for longer: then, once more)."""
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
_SCHEMA_LOCK = 7_478_113
"""Any number: two programs that start at once make PostgreSQL's tables one after the other."""
_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


class SqlAwayError(Exception):
    """The database does not answer, or is locked for longer than we wait. Nothing was done: do it again later."""


class SchemaError(Exception):
    """The database was made by a later version of turnstile: use that one."""


class Database:
    """Connections to the database of `url`; nothing is opened before it is used. ValueError for another kind of URL."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writing = self._engine.execution_options(turnstile_writes=True)
        self._is_prepared = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the database. SqlAwayError, SchemaError."""
        with self._answered():
            self._prepare()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end, undone by an exception. SqlAwayError, SchemaError."""
        with self._answered():
            self._prepare()
            with self._writing.begin() as connection:
                yield connection

    def close(self) -> None:
        """Close what is idle; it may be used again, on whatever is there then."""
        self._is_prepared = False
        self._engine.dispose()

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            self._is_prepared = False  # it may come back empty
            raise SqlAwayError(str(error).splitlines()[0]) from error

    def _prepare(self) -> None:
        """Make the tables where there are none, once; any number of programs may do it at the same time."""
        if self._is_prepared:
            return
        if self._engine.dialect.name == "sqlite":
            with suppress(OSError):  # whoever opens it next says what is wrong
                Path(str(self._engine.url.database)).touch(mode=0o600)
        with self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))
            METADATA.create_all(connection)
            version = connection.execute(select(SCHEMA.c.version)).scalar()
            if version is None:
                connection.execute(SCHEMA.insert().values(only=1, version=VERSION))
            elif version > VERSION:
                message = f"the database has schema {version}, this program knows {VERSION}: use a later turnstile"
                raise SchemaError(message)
        self._is_prepared = True


def _engine(address: str) -> Engine:
    name, separator, rest = address.partition("://")
    if not separator or name not in _DRIVERS:
        message = f"TURNSTILE_SQL={name}{separator}...: expected sqlite:///FILE or postgresql://..."
        raise ValueError(message)
    try:
        if name == "sqlite":
            engine = create_engine(f"{_DRIVERS[name]}://{rest}", connect_args={"timeout": BUSY_S})
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(f"{_DRIVERS[name]}://{rest}", pool_pre_ping=True, connect_args={"connect_timeout": BUSY_S})
    except exc.ArgumentError as error:
        message = f"TURNSTILE_SQL: {error}"
        raise ValueError(message) from error


def _set_up_sqlite(connection: DBAPIConnection, _: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions by itself
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32768", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that reads and then writes must begin as a writer: an upgrade fails when another wrote since."""
    writes = connection.get_execution_options().get("turnstile_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
