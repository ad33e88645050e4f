"""Which transitions of an order its customer gets a mail about: at most one each."""

from domain.orders import Public
from streams.order_events import CHANGED, OrderEvent

_OF = {
    (Public.PAID, Public.CONFIRMED): "confirmed",
    (Public.CONFIRMED, Public.SHIPPED): "shipped",
    (Public.SHIPPED, Public.DELIVERED): "delivered",
    (Public.REFUND_PENDING, Public.SHIPPED): "partly-refunded",
    (Public.REFUND_PENDING, Public.DELIVERED): "partly-refunded",
    (Public.REFUND_PENDING, Public.REFUNDED): "refunded",
}
_ENDED = {Public.CANCELLED: "cancelled", Public.EXPIRED: "expired"}
TEMPLATES = frozenset(_OF.values()) | frozenset(_ENDED.values())


def occasion_of(event: OrderEvent) -> str:
    """The template's name, "" where there is nothing to say.

    Who never tried to pay knows that nothing came of it, and what a refusal says was told at once.
    """
    if event.kind != CHANGED:
        return ""
    if event.to in _ENDED:
        return _ENDED[Public(event.to)] if event.attempt else ""
    return next((name for (before, after), name in _OF.items() if (event.came_from, event.to) == (before, after)), "")
