"""What the commands share: settings, the way to broker and gateway, and errors in words that help."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import typer
from aiokafka.errors import KafkaError

from ops import gateways_file
from ops.audit.source import SourceError
from ops.cli.complaint import Complaint
from ops.cli.gateway_client import GatewayClient
from ops.topics_admin import TopicsError
from settings import Shared
from streams import keys, runfile
from streams.identity import NoLogError
from streams.log import AppendError, StalledError, TrimmedError, UnknownTopicError
from streams.tokens import SCOPE_OPS, mint

T = TypeVar("T")

_BROKER = "is the broker up? `turnstile doctor` looks; TURNSTILE_BROKER names another"
_TOPICS = "run `turnstile topics apply`"
Fixes = Mapping[type[Exception], str]
NONE: Fixes = {}
_FIXES: Fixes = {
    runfile.NoBrokerError: "",
    keys.KeysError: "",
    TopicsError: "",
    NoLogError: _TOPICS,
    UnknownTopicError: "",
    TrimmedError: "read from where the log begins now",
    StalledError: _BROKER,
    AppendError: "look with `turnstile ledger show` whether it was appended, then repeat",
    SourceError: "",
    KafkaError: _BROKER,
    TimeoutError: _BROKER,
}
"""Errors that a person can do something about. Where the fix is "", the error's own text says it."""


def settings_of(ctx: typer.Context) -> Shared:
    """The settings; Complaint for a value in the environment that is none."""
    return cast("Callable[[], Shared]", ctx.obj)()


@contextmanager
def explained(more: Fixes = NONE) -> Iterator[None]:
    """Turn the errors that a person can mend into Complaints; all others stay what they are: bugs.

    `more`: the errors of one command, which only its module imports.
    """
    fixes = {**_FIXES, **more}
    try:
        yield
    except tuple(fixes) as error:
        fix = next(fix for kind, fix in fixes.items() if isinstance(error, kind))
        raise Complaint(what=str(error) or type(error).__name__, fix=fix) from error


def run(work: Coroutine[Any, Any, T], more: Fixes = NONE) -> T:
    """Run it on a loop, its errors explained."""
    with explained(more):
        return asyncio.run(work)


def servers_of(settings: Shared) -> str:
    """Where the broker is; Complaint if there is none."""
    with explained():
        try:
            return runfile.resolve(settings)
        except ValueError as error:
            raise Complaint(what=str(error)) from error


def token_of(settings: Shared, customer: str, *, ops: bool = False) -> str:
    """A token by the keys of this installation, for an hour."""
    try:
        with explained():
            return mint(keys.load(settings.data_dir).token, customer, (SCOPE_OPS,) if ops else ())
    except ValueError as error:
        raise Complaint(what=str(error)) from error


def gateway(ctx: typer.Context, url: str, customer: str = "operator", *, ops: bool = False) -> GatewayClient:
    """A client of the gateway at `url`, or ("") of one that `turnstile up` started."""
    settings = settings_of(ctx)
    return GatewayClient(url or gateways_file.first(settings.data_dir), token_of(settings, customer, ops=ops))
