"""What is asked of a payment provider, one call each, and what it replies. Plain tuples.

Money in integer minor units; times in integer milliseconds UTC. `environment`, `order`, `attempt` are the metadata that
every intent carries, as text and number: they say whose money it is when its id is lost.
"""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Of an intent."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Tags(NamedTuple):
    """Metadata. `refund`: name of a refund, "" for the whole."""

    environment: str
    order: str
    attempt: int
    refund: str = ""


# --- calls ------------------------------------------------------------------------------------------------------


class Create(NamedTuple):
    """Make an intent and confirm it at once; captured by hand. `request`: version of this request's shape."""

    key: str
    tags: Tags
    amount: int
    currency: str
    method: str
    request: int = 1


class Retrieve(NamedTuple):
    """An intent's present state."""

    intent: str


class Capture(NamedTuple):
    """Take `amount` of what is authorised; the rest is given back."""

    key: str
    intent: str
    amount: int


class Cancel(NamedTuple):
    """End an intent that is not captured."""

    key: str
    intent: str


class Refund(NamedTuple):
    """Give back `amount` of what is captured."""

    key: str
    tags: Tags
    intent: str
    amount: int


class Find(NamedTuple):
    """One page of the intents that were made from `since_ms` to `until_ms`, newest first, after the id `after`."""

    since_ms: int
    until_ms: int
    after: str = ""


class FindRefunds(NamedTuple):
    """One page of an intent's refunds, after the id `after`."""

    intent: str
    after: str = ""


Write = Create | Capture | Cancel | Refund
Read = Retrieve | Find | FindRefunds
Call = Write | Read

# --- replies ----------------------------------------------------------------------------------------------------


class IntentSeen(NamedTuple):
    """An intent as it is, or, `replayed`, as it was when its key was first used.

    `decline`: code of the last failure; `action`: what the customer needs to act (3-D Secure), an address or a secret.
    `created_ms`: whole seconds.
    """

    id: str
    status: Status
    amount: int
    capturable: int = 0
    captured: int = 0
    refunded: int = 0
    tags: Tags = Tags("", "", 0)
    decline: str = ""
    action: str = ""
    created_ms: int = 0
    replayed: bool = False


class RefundSeen(NamedTuple):
    """A refund. `status`: succeeded, pending, requires_action, failed or canceled."""

    id: str
    status: str
    amount: int
    tags: Tags = Tags("", "", 0)
    replayed: bool = False


class Page(NamedTuple):
    """Of Find, FindRefunds. `more`: there is another page after the last item."""

    intents: tuple[IntentSeen, ...] = ()
    refunds: tuple[RefundSeen, ...] = ()
    more: bool = False


class Refused(NamedTuple):
    """This call was not done, and is known not to have been. `code`: the provider's."""

    code: str
    replayed: bool = False


class Limited(NamedTuple):
    """Too many calls: not done, ask later."""

    retry_after_ms: int


class Unknown(NamedTuple):
    """Done, not done, or still to be done. `replayed`: the first call of the key failed so, and nothing follows.

    `outage`: it says something about the provider, not only about this call.
    """

    why: str
    replayed: bool = False
    outage: bool = False


class NotSent(NamedTuple):
    """Whoever carries calls did not send it: Run.may_send said no."""


Reply = IntentSeen | RefundSeen | Page | Refused | Limited | Unknown | NotSent
