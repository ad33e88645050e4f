"""The system of record, for the commands that read or write it."""

from adapters.sql.database import Database
from ops.cli.complaint import Complaint
from settings import Shared


def database_of(settings: Shared) -> Database:
    """By TURNSTILE_SQL; Complaint if that names none. Nothing is opened yet."""
    try:
        return Database(settings.sql_url)
    except ValueError as error:
        raise Complaint(what=str(error)) from error
