"""What an order's event asks of payment, and how its answer goes back: pure, shared by the agents and a simulation."""

from collections.abc import Container
from typing import Any

from domain.ids import order_bytes
from domain.order_shapes import ACTION_MAX, REASON_MAX
from domain.orders import Ask, OrphanClosed, Pay, PayAnswered
from domain.payment import Operation
from domain.payment_ask import Done, PayAsk
from domain.provider import Tags
from streams.order_events import AskBody, OrderEvent

WAITED_FOR = {
    Pay.AUTHORISING: Operation.AUTHORISE,
    Pay.ABANDONING: Operation.VOID,
    Pay.VOIDING: Operation.VOID,
    Pay.CAPTURING: Operation.CAPTURE,
}
"""What a look may answer. A refund is found out by its own request, which is never given up."""


def asks_of(event: OrderEvent, environment: str, kinds: Container[str]) -> list[PayAsk]:
    """The requests of an event, of `kinds`. `environment`: the log id, which marks our money at the provider."""
    return [_ask(event, body, environment) for body in event.asks if body.kind in kinds]


def _ask(event: OrderEvent, body: AskBody, environment: str) -> PayAsk:
    return PayAsk(
        kind=Ask(body.kind),
        tags=Tags(environment, event.order, body.attempt),
        authorised=body.authorised,
        amount=body.amount,
        currency=body.currency,
        method=body.method,
        intent=body.intent,
        key=body.key,
        request=body.request,
        asked_ms=body.asked_ms or event.time_ms,
        deadline_ms=body.deadline_ms,
        waits=WAITED_FOR.get(Pay(event.pay)) if event.pay else None,
    )


def answer_of(ask: PayAsk, done: Done) -> PayAnswered | OrphanClosed | None:
    """The command that tells the order; None if there is nothing to tell."""
    if done.outcome is None:
        return None
    order = order_bytes(ask.tags.order)
    if ask.kind is Ask.ORPHAN:
        return OrphanClosed(order, ask.tags.attempt, done.intent, done.outcome.value, done.amount)
    action = done.action if done.action == _plain(done.action, ACTION_MAX) else ""
    fields: dict[str, Any] = {"key": ask.key, "reason": _plain(done.reason, REASON_MAX), "action": action}
    operation, outcome = done.operation.value, done.outcome.value
    return PayAnswered(order, ask.tags.attempt, operation, outcome, done.intent, done.amount, **fields)


def _plain(text: str, most: int) -> str:
    """What an order takes of the provider's words: else it would not hear the answer."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:most])
