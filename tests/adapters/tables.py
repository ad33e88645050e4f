"""What the tables hold, for comparing."""

from sqlalchemy import select

from adapters.sql.database import Database
from adapters.sql.schema import METADATA


def dump(database: Database, *tables: str) -> dict[str, list[dict]]:
    """All rows, by table, sorted by key; of these tables, or of all."""
    with database.reading() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in METADATA.sorted_tables
            if not tables or table.name in tables
        }
