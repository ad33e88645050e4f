"""What is asked of payment for one attempt, what it comes to, and how long a run waits for what. Plain tuples."""

from typing import NamedTuple

from domain.orders import Ask
from domain.payment import Operation, PayOutcome
from domain.provider import Call, IntentSeen, Status, Tags


class Patience(NamedTuple):
    """How long a run waits for what. All in ms, `jitter` as a share added at most.

    `retries_ms`: before each repeat of a call whose outcome is unknown; then doubling up to `again_max_ms`, for ever.
    `stale_ms`: a write is not sent later than this after its request was taken from the log; nor is a create later
    than `key_ms` after it was first asked for, for the provider forgets keys after 24 h: the two together stay below.
    `lost_ms`: what was asked for so long ago and is in no list was never made. `before_ms`: how long before its void
    an intent may have been made (an order's deadline is 14 min at most); `skew_ms`: how far its clock may be from ours.
    """

    retries_ms: tuple[int, ...] = (2_000, 4_000, 8_000)
    again_max_ms: int = 60_000
    jitter: float = 0.25
    stale_ms: int = 3_600_000
    key_ms: int = 82_800_000
    lost_ms: int = 90_000_000
    before_ms: int = 1_200_000
    skew_ms: int = 60_000


PATIENCE = Patience()


class PayAsk(NamedTuple):
    """What an order asks for. `authorised`: amount of the attempt's intent; `amount`: to capture or to refund.

    `asked_ms`: log time of the first asking; `deadline_ms`: when the order undoes itself, 0 = never. `key`: name of
    the refund. `waits`: of a look, the operation whose answer the order waits for, None = none.
    """

    kind: Ask
    tags: Tags
    authorised: int = 0
    amount: int = 0
    currency: str = ""
    method: str = ""
    intent: str = ""
    key: str = ""
    request: int = 1
    asked_ms: int = 0
    deadline_ms: int = 0
    waits: Operation | None = None

    @property
    def identity(self) -> tuple[Ask, int, str]:
        """Two asks of one order with the same are one. An attempt has one intent, but orphans may be of any."""
        return self.kind, self.tags.attempt, self.intent if self.kind is Ask.ORPHAN else self.key


class Wait(NamedTuple):
    """Nothing to do before `until_ms`."""

    until_ms: int


class Done(NamedTuple):
    """The end. `outcome` None: nothing to tell (`reason` says why); whoever still waits asks again."""

    operation: Operation
    outcome: PayOutcome | None
    intent: str = ""
    amount: int = 0
    reason: str = ""
    action: str = ""


Step = Call | Wait | Done


def authorised(seen: IntentSeen) -> Done | None:
    """What an intent's state says of its authorisation; None if it is open."""
    match seen.status:
        case Status.REQUIRES_CAPTURE | Status.SUCCEEDED:
            return Done(Operation.AUTHORISE, PayOutcome.AUTHORISED, seen.id, seen.capturable or seen.captured)
        case Status.REQUIRES_ACTION:
            return Done(Operation.AUTHORISE, PayOutcome.ACTION_REQUIRED, seen.id, seen.amount, action=seen.action)
        case Status.REQUIRES_PAYMENT_METHOD:
            return Done(Operation.AUTHORISE, PayOutcome.DECLINED, seen.id, reason=seen.decline)
        case Status.CANCELED:
            return Done(Operation.AUTHORISE, PayOutcome.CANCELLED, seen.id)
    return None


def captured(seen: IntentSeen) -> Done | None:
    """What an intent's state says of its capture; None if it may still come."""
    match seen.status:
        case Status.SUCCEEDED:
            return Done(Operation.CAPTURE, PayOutcome.CAPTURED, seen.id, seen.captured)
        case Status.REQUIRES_CAPTURE | Status.PROCESSING:
            return None
    return Done(Operation.CAPTURE, PayOutcome.FAILED, seen.id, reason=seen.status)


def voided(seen: IntentSeen) -> Done | None:
    """What an intent's state says of its void; None if it is still alive."""
    match seen.status:
        case Status.CANCELED:
            return Done(Operation.VOID, PayOutcome.VOIDED, seen.id, seen.amount)
        case Status.SUCCEEDED:
            return Done(Operation.VOID, PayOutcome.CAPTURED, seen.id, seen.captured)
    return None
