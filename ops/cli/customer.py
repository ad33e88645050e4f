"""`turnstile customer ...`: what is kept of a person."""

from typing import Annotated

import typer

from adapters.sql.customer_keys import CustomerKeys
from adapters.sql.database import SchemaError, SqlAwayError
from domain.ids import customer_hash
from ops.cli.database import database_of
from ops.cli.output import Json, print_json
from ops.cli.session import explained, settings_of
from streams import keys

_FIXES = {SqlAwayError: "TURNSTILE_SQL names the database", SchemaError: ""}


def erase(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The customer, as the gateway knows them: `sub` of their tokens.")],
    json: Json = False,
) -> None:
    """Delete a customer's data key: every address that was sealed with it becomes unreadable, everywhere, for good.

    Orders stay; they hold no name, only a hash.
    """
    settings = settings_of(ctx)
    with explained(_FIXES):
        customer = customer_hash(keys.load(settings.data_dir).customer, name).hex()
        database = database_of(settings)
        erased = CustomerKeys(database).erase(customer)
        database.close()
    if json:
        print_json({"customer": customer, "erased": erased})
    else:
        typer.echo(f"the key of {name} ({customer}) is gone" if erased else f"there is no key of {name} ({customer})")


COMMANDS = {"erase": erase}
