"""`turnstile token`: a bearer token, for curl."""

from typing import Annotated

import typer

from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import explained, settings_of
from streams import keys
from streams.tokens import SCOPE_OPS, mint

HOUR_S = 3600


def token(
    ctx: typer.Context,
    customer: Annotated[str, typer.Option(help="Whose token; the gateway knows customers by this name.")],
    scope: Annotated[str, typer.Option(help="`ops` for the operator's requests.")] = "",
    hours: Annotated[int, typer.Option(min=1, max=24 * 366, help="How long it counts.")] = 1,
    json: Json = False,
) -> None:
    """Make a bearer token for a customer, signed with this installation's key.

    curl -H "Authorization: Bearer $(turnstile token --customer c1)" ...
    """
    if scope not in {"", SCOPE_OPS}:
        raise Complaint(what=f"there is no scope {scope!r}", fix=f"the only one is {SCOPE_OPS}")
    with explained():
        key = keys.load(settings_of(ctx).data_dir).token
    try:
        made = mint(key, customer, (scope,) if scope else (), hours * HOUR_S)
    except ValueError as error:
        raise Complaint(what=str(error)) from error
    if json:
        print_json({"token": made, "customer": customer, "scope": scope, "expires_in_s": hours * HOUR_S})
    else:
        typer.echo(made)


COMMANDS = {"": token}
